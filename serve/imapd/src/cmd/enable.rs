//! ENABLE (RFC 5161 3.1). Names that are not known are no error.

use imap::{Capability, response};

use crate::channel::Channel;
use crate::refusal::{Done, Outcome};

/// What a client can enable. The session has done it: CONDSTORE is enabled by other commands too.
const KNOWN: Capability = Capability::const_new("CONDSTORE");

pub(crate) fn run(out: &mut Channel, asked: &[Capability]) -> Outcome {
    let enabled = asked.contains(&KNOWN).then_some(KNOWN);
    response::enabled(out.text(), enabled.as_slice());
    Ok(Done::plain("ENABLE completed"))
}
