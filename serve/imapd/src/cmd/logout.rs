//! LOGOUT (RFC 3501 6.1.3). The mailbox is left as UNSELECT would leave it: nothing is expunged.

use imap::{Status, response};

use crate::channel::Channel;
use crate::refusal::{Done, Outcome};

pub(crate) fn run(out: &mut Channel) -> Outcome {
    response::untagged(out.text(), Status::Bye, None, "Logging out");
    Ok(Done::plain("LOGOUT completed"))
}
