//! NAMESPACE (RFC 2342 5).

use imap::response;

use crate::channel::Channel;
use crate::names::SEPARATOR;
use crate::refusal::{Done, Outcome};

/// An account's mailboxes stand below INBOX and, beside it, at the top. There are no shared ones yet.
pub(crate) fn run(out: &mut Channel) -> Outcome {
    response::namespace(out.text(), &[("INBOX/", SEPARATOR), ("", SEPARATOR)], &[], &[]);
    Ok(Done::plain("NAMESPACE completed"))
}
