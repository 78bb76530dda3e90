//! STARTTLS (RFC 3501 6.2.1).

use crate::channel::Channel;
use crate::refusal::{Done, Outcome, Refusal};

/// The OK; the session makes the handshake when it has been sent. A client that sends more before the
/// handshake is broken or attacked (CVE-2011-0411) and gets no TLS.
pub(crate) fn run(out: &mut Channel, has_tls: bool) -> Outcome {
    if out.wire().connection().is_secure() {
        return Err(Refusal::bad("The connection is secure already").into());
    }
    if !has_tls {
        return Err(Refusal::no_plain("TLS is not configured").into());
    }
    if out.has_input() {
        return Err(Refusal::bad("Nothing may follow STARTTLS before the handshake").into());
    }
    Ok(Done::plain("Begin TLS negotiation now"))
}
