//! ENABLE (RFC 5161 3.1). No extension here needs enabling yet; names that are not known are no error.

use imap::{Capability, response};

use crate::channel::Channel;
use crate::refusal::{Done, Outcome};

pub(crate) fn run(out: &mut Channel, _asked: &[Capability]) -> Outcome {
    response::enabled(out.text(), &[]);
    Ok(Done::plain("ENABLE completed"))
}
