//! Base64 lines, as SMTP (RFC 4954 4) and IMAP (RFC 3501 6.2.2, RFC 4959 3) carry SASL messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::SaslError;

/// The initial response on the command line, where `=` stands for the empty message.
pub fn initial(text: &[u8]) -> Result<Vec<u8>, SaslError> {
    if text == b"=" { Ok(Vec::new()) } else { decoded(text) }
}

/// A line of the client in answer to a challenge, without its CRLF, where `*` gives up.
pub fn response(text: &[u8]) -> Result<Vec<u8>, SaslError> {
    if text == b"*" { Err(SaslError::Cancelled) } else { decoded(text) }
}

/// A challenge as text for a line.
pub fn challenge(message: &[u8]) -> String {
    STANDARD.encode(message)
}

fn decoded(text: &[u8]) -> Result<Vec<u8>, SaslError> {
    if text.len() > limits::SASL_MESSAGE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(SaslError::TooLong);
    }
    STANDARD.decode(text).map_err(|_| SaslError::Base64)
}
