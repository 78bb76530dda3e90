//! NAMESPACE (RFC 2342 5).

use imap::response;

use crate::channel::Channel;
use crate::names::SEPARATOR;
use crate::refusal::{Done, Outcome};

/// An account's mailboxes stand at the top and below INBOX. The top comes first, since clients that take one
/// prefix take the first, and it shows them all. There are no shared mailboxes yet.
pub(crate) fn run(out: &mut Channel) -> Outcome {
    response::namespace(out.text(), &[("", SEPARATOR), ("INBOX/", SEPARATOR)], &[], &[]);
    Ok(Done::plain("NAMESPACE completed"))
}
