//! The header of a message that is still a body on its way.

use std::io;

use address::Address;
use bytes::Bytes;
use disk::Body;
use message::{HeaderIter, header_section};

/// The header section of a message, up to and including its empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: Bytes,
    whole: bool,
}

impl Header {
    /// The section's bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// False where the section goes on beyond [`HEADER_TAKEN_BYTES_MAX`].
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many fields have this name.
    pub fn count(&self, name: &str) -> usize {
        HeaderIter::new(&self.bytes).filter(|field| field.is(name.as_bytes())).count()
    }

    /// Whether a field has this name.
    pub fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }
}

/// Bytes of the header of a message that comes in. Our own hops add fields to it and must not find it too big.
pub const HEADER_TAKEN_BYTES_MAX: usize = limits::HEADER_BYTES_MAX - limits::HEADER_RESERVE_BYTES;

/// How often a message with this header has been delivered to `recipient`, RFC 9228: each delivery adds a
/// `Delivered-To`. At `limits::DELIVERIES_MAX` it is looping.
pub fn deliveries_to(recipient: &Address, header: &[u8]) -> usize {
    let names = |value: &[u8]| {
        let address = std::str::from_utf8(value).ok().and_then(|value| Address::parse(value.trim()).ok());
        address.is_some_and(|address| address.key() == recipient.key())
    };
    let fields = HeaderIter::new(header).filter(|field| field.is(b"Delivered-To"));
    fields.filter(|field| names(&field.unfolded())).count()
}

/// Reads the header of a message in wire form, at most [`HEADER_TAKEN_BYTES_MAX`] bytes of it. A message may be all
/// header.
pub fn header_of(body: &Body) -> io::Result<Header> {
    let start = body.read_at(0, HEADER_TAKEN_BYTES_MAX)?;
    Ok(match header_section(&start) {
        Some(section) => Header { bytes: start.slice_ref(section), whole: true },
        None => Header { whole: start.len() as u64 == body.len(), bytes: start },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(message: &str) -> Header {
        header_of(&Body::from_bytes(message.as_bytes().to_vec())).unwrap()
    }

    #[test]
    fn the_header_ends_with_its_empty_line() {
        assert_eq!(header("A: 1\r\nB: 2\r\n\r\nA: 3\r\n").bytes().as_ref(), b"A: 1\r\nB: 2\r\n\r\n");
        assert_eq!(header("\r\nA: 3\r\n").bytes().as_ref(), b"\r\n");
        assert_eq!(header("A: 1\r\n").bytes().as_ref(), b"A: 1\r\n");
    }

    #[test]
    fn fields_are_counted_in_any_case_and_only_in_the_header() {
        let header = header("Received: a\r\nRECEIVED: b\r\n c\r\n\r\nReceived: d\r\n");
        assert_eq!(header.count("received"), 2);
    }

    #[test]
    fn a_header_beyond_the_limit_is_not_whole() {
        let long = format!("A: {}\r\n\r\n", "x".repeat(HEADER_TAKEN_BYTES_MAX));
        assert!(!header(&long).is_whole());
        assert!(header("A: 1\r\n\r\n").is_whole() && header("A: 1").is_whole());
    }
}
