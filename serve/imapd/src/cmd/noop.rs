//! NOOP (RFC 3501 6.1.2): the changes of the mailbox are reported as after any command.

use crate::refusal::{Done, Outcome};

pub(crate) fn run() -> Outcome {
    Ok(Done::plain("NOOP completed"))
}
