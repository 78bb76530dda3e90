//! Decoded text, for search.

use std::borrow::Cow;

use crate::{Part, Structure};

/// A header value, unfolded, its encoded words (RFC 2047) decoded; raw 8-bit bytes are taken for UTF-8.
pub fn decode_header(_value: &[u8]) -> String {
    unimplemented!("decode_header")
}

/// Bytes in a named charset as text; `None` if the charset is not known. What cannot be decoded becomes U+FFFD.
pub fn charset_decode<'b>(_charset: &[u8], _bytes: &'b [u8]) -> Option<Cow<'b, str>> {
    unimplemented!("charset_decode")
}

/// The decoded text of one part, given its header and body in one slice; `None` if it is not text.
pub fn part_text(_part: &[u8]) -> Option<String> {
    unimplemented!("part_text")
}

/// The decoded text of each text part, in order. `message` is the whole message that `structure` is of.
pub fn text_parts<'m>(
    _message: &'m [u8],
    _structure: &'m Structure,
) -> impl Iterator<Item = (&'m Part, String)> {
    std::iter::empty()
}
