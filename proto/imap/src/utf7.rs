//! Modified UTF-7 (RFC 3501 5.1.3).

use std::iter::Peekable;
use std::str::Chars;

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// UTF-8 from modified UTF-7; `None` where it is malformed, or encodes what must stand for itself.
pub(crate) fn decode(name: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(name).ok()?;
    let mut out = String::with_capacity(rest.len());
    while let Some(at) = rest.find('&') {
        out.push_str(plain(&rest[..at])?);
        let (shifted, after) = rest[at + 1..].split_once('-')?;
        match shifted {
            "" => out.push('&'),
            _ => out.push_str(&decode_shifted(shifted)?),
        }
        rest = after;
    }
    out.push_str(plain(rest)?);
    Some(out)
}

fn plain(text: &str) -> Option<&str> {
    text.bytes().all(is_plain).then_some(text)
}

/// Printable US-ASCII stands for itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e)
}

/// Base64 of UTF-16 in network order.
fn decode_shifted(shifted: &str) -> Option<String> {
    let bytes = BASE64.decode(shifted).ok()?;
    let (units, rest) = bytes.as_chunks::<2>();
    let text =
        String::from_utf16(&units.iter().map(|unit| u16::from_be_bytes(*unit)).collect::<Vec<_>>()).ok()?;
    let well_formed = rest.is_empty() && !text.bytes().any(is_plain);
    well_formed.then_some(text)
}

/// Modified UTF-7 from UTF-8.
pub(crate) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(&next) = rest.peek() {
        match next {
            '&' => out.push_str("&-"),
            ' '..='~' => out.push(next),
            _ => {
                encode_shifted(&mut out, &mut rest);
                continue;
            }
        }
        rest.next();
    }
    out
}

/// A run of characters that do not stand for themselves.
fn encode_shifted(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    let mut bytes = Vec::new();
    while let Some(next) = rest.next_if(|next| !matches!(next, ' '..='~')) {
        next.encode_utf16(&mut [0; 2]).iter().for_each(|unit| bytes.extend(unit.to_be_bytes()));
    }
    out.push('&');
    BASE64.encode_string(bytes, out);
    out.push('-');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc_hold() {
        let wire = "~peter/mail/&U,BTFw-/&ZeVnLIqe-";
        assert_eq!(decode(wire.as_bytes()).as_deref(), Some("~peter/mail/台北/日本語"));
        assert_eq!(encode("~peter/mail/台北/日本語"), wire);
        assert_eq!(encode("Q&A 😀"), "Q&-A &2D3eAA-");
    }

    #[test]
    fn malformed_names_are_refused() {
        for wire in ["&Jjo!", "a&", "&U,BTFw", "&AGE-", "&2D0-", "&AA-", "\u{e4}", "a\tb", "&ZeVnLIqe=-"] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Some(name));
        }
    }
}
