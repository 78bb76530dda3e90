//! ID (RFC 2971 3.1).

use imap::{Quirk, Quirks, response};

use crate::channel::Channel;
use crate::refusal::{Done, Outcome};

/// What is said of the client goes to the log, so that an operator can tell who does odd things.
pub(crate) fn run(out: &mut Channel, client: &[(String, Option<String>)], quirks: Quirks) -> Outcome {
    if !client.is_empty() {
        let quirks: Vec<&str> = quirks.iter().map(Quirk::word).collect();
        tracing::debug!(?client, ?quirks, "client introduced itself");
    }
    response::id(out.text(), &[("name", "Tartan"), ("version", env!("CARGO_PKG_VERSION"))]);
    Ok(Done::plain("ID completed"))
}
