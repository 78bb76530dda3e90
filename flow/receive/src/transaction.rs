//! A message that has come in and that nobody has taken responsibility for.

use std::io;
use std::sync::Arc;

use address::Envelope;
use bytes::Bytes;
use disk::Body;
use jiff::Timestamp;

use crate::SessionInfo;

/// What receiving produces: an envelope and a body, with the facts of the session that brought them.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The session.
    pub session: Arc<SessionInfo>,
    /// The envelope.
    pub envelope: Envelope,
    /// The message as it came, without a field of ours.
    pub body: Body,
    /// Our `Received` field, RFC 5321 4.4.
    pub received: String,
    /// When the message was complete.
    pub arrival: Timestamp,
}

impl Transaction {
    /// The message with our `Received` field on top, and `fields` (each with its CRLF) below it.
    ///
    /// A message that does not begin with a header gets the empty line that ends ours, so that no text of it turns
    /// into a header field.
    pub fn stamped(&self, fields: &str) -> io::Result<Body> {
        let separator = if self.begins_with_header()? { "" } else { "\r\n" };
        let front = Bytes::from(format!("{}{fields}{separator}", self.received));
        Ok(Body::prefixed(front, self.body.clone()))
    }

    // field-name = 1*ftext; ftext = %d33-57 / %d59-126 (RFC 5322 3.6.8). An empty line is an empty header.
    fn begins_with_header(&self) -> io::Result<bool> {
        let start = self.body.read_at(0, FIELD_NAME_BYTES_MAX)?;
        let name = start.iter().take_while(|byte| matches!(byte, 33..=57 | 59..=126)).count();
        let after = start[name..].trim_ascii_start().first();
        Ok(start.starts_with(b"\r\n") || (name > 0 && after == Some(&b':')))
    }
}

/// Bytes that are looked through for the colon of the first field.
const FIELD_NAME_BYTES_MAX: usize = 1_000;
