//! ID (RFC 2971 3.1).

use imap::response;

use crate::channel::Channel;
use crate::refusal::{Done, Outcome};

/// What is said of the client goes to the log, so that an operator can tell who does odd things.
pub(crate) fn run(out: &mut Channel, client: &[(String, Option<String>)]) -> Outcome {
    if !client.is_empty() {
        tracing::debug!(?client, "client introduced itself");
    }
    response::id(out.text(), &[("name", "Tartan"), ("version", env!("CARGO_PKG_VERSION"))]);
    Ok(Done::plain("ID completed"))
}
