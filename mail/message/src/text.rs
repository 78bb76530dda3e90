//! Decoded text, for search.

use std::borrow::Cow;
use std::ops::Range;

use mail_parser::HeaderValue;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;

use crate::fields::{HeaderIter, starts_blank_line, unfold};
use crate::header::first_header;
use crate::media::{MediaType, Parameterized};
use crate::{Part, PartKind, Structure};

/// A header value, unfolded, its encoded words (RFC 2047) decoded; raw 8-bit bytes are taken for UTF-8.
pub fn decode_header(value: &[u8]) -> String {
    let value = unfold(value);
    match std::str::from_utf8(&value) {
        Ok(text) if is_plain(text) => text.to_owned(),
        _ => decode_words(&value),
    }
}

/// There is nothing to decode: most values of most headers.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.contains("=?")
}

fn decode_words(value: &[u8]) -> String {
    let mut line = value.to_vec();
    line.push(b'\n');
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}

/// Bytes in a named charset as text; `None` if the charset is not known. What cannot be decoded becomes U+FFFD.
pub fn charset_decode<'b>(charset: &[u8], bytes: &'b [u8]) -> Option<Cow<'b, str>> {
    let is = |name: &str| charset.eq_ignore_ascii_case(name.as_bytes());
    if is("utf-8") || is("us-ascii") || is("utf8") || is("ascii") {
        return Some(String::from_utf8_lossy(bytes));
    }
    charset_decoder(charset).map(|decode| Cow::Owned(decode(bytes)))
}

/// The decoded text of one part, given its header and body in one slice; `None` if it is not text. Text in
/// an unknown charset is taken for UTF-8.
pub fn part_text(part: &[u8]) -> Option<String> {
    let (header, body) = part.split_at(header_octets(part));
    let media = first_header(header, b"content-type").and_then(|value| MediaType::parse(&value));
    let media = media.unwrap_or_else(MediaType::plain_text);
    if !media.is_main("text") {
        return None;
    }
    let decoded = transfer_decode(header, body);
    let charset = media.params.param(b"charset").unwrap_or(b"us-ascii");
    let text = charset_decode(charset, &decoded).unwrap_or_else(|| String::from_utf8_lossy(&decoded));
    Some(text.into_owned())
}

/// Octets of the header with its blank line.
fn header_octets(part: &[u8]) -> usize {
    let mut at = 0;
    loop {
        if starts_blank_line(&part[at..]) {
            return at + 1 + usize::from(part[at] == b'\r');
        }
        match memchr::memchr(b'\n', &part[at..]) {
            Some(end) => at += end + 1,
            None => return part.len(),
        }
    }
}

/// RFC 2045 6: takes the transfer encoding off; what is damaged stays as it is.
fn transfer_decode<'b>(header: &[u8], body: &'b [u8]) -> Cow<'b, [u8]> {
    let encoding = first_header(header, b"content-transfer-encoding").unwrap_or_default();
    let encoding = Parameterized::parse(&encoding).value.to_ascii_lowercase();
    let decoded = match &encoding[..] {
        b"base64" => base64_decode(body),
        b"quoted-printable" => quoted_printable_decode(body),
        _ => None,
    };
    decoded.map_or(Cow::Borrowed(body), Cow::Owned)
}

/// The decoded text of each text part, in order. `message` is the whole message that `structure` is of.
pub fn text_parts<'m>(
    message: &'m [u8],
    structure: &'m Structure,
) -> impl Iterator<Item = (&'m Part, String)> {
    let text = structure.parts().iter().filter(|part| part.kind == PartKind::Text);
    text.filter_map(|part| {
        let whole = slice(message, part.header.start..part.body.end)?;
        Some((part, part_text(whole)?))
    })
}

fn slice(message: &[u8], range: Range<u64>) -> Option<&[u8]> {
    message.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// The decoded values of all fields of a header, each with its name before it, as SEARCH TEXT reads them.
pub fn header_text(header: &[u8]) -> String {
    let mut text = String::new();
    for field in HeaderIter::new(header) {
        text.push_str(&String::from_utf8_lossy(field.name));
        text.push_str(": ");
        text.push_str(&decode_header(field.value));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_value_is_what_decoding_makes_of_it(value in "[ -~]{0,60}") {
            let value = value.trim();
            prop_assert_eq!(decode_header(value.as_bytes()), decode_words(value.as_bytes()));
        }
    }
}
