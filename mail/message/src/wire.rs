//! Strings as IMAP sends them (RFC 3501 4.3).

use std::borrow::Cow;

use memchr::memchr2;

/// What is sent in the place of NUL, which no string of IMAP can hold (RFC 3501 9, `CHAR8`). Dovecot does the same.
pub const NUL_STAND_IN: u8 = 0x80;

/// The bytes with [`NUL_STAND_IN`] for each NUL; copied only where there is one.
pub fn without_nul(bytes: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(0, bytes) {
        None => Cow::Borrowed(bytes),
        Some(_) => bytes.iter().map(|&byte| if byte == 0 { NUL_STAND_IN } else { byte }).collect(),
    }
}

/// Appends a quoted string, or a literal where the bytes need one (8-bit, CR, LF, NUL).
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    let text = &without_nul(text);
    if text.is_ascii() && memchr::memchr2(b'\r', b'\n', text).is_none() {
        write_quoted(out, text);
    } else {
        write_literal(out, text);
    }
}

/// Appends `NIL` or a string.
pub fn write_nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends a number in decimal.
pub fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

/// RFC 3501 9: `quoted = DQUOTE *QUOTED-CHAR DQUOTE`, where `"` and `\` stand behind a `\`.
fn write_quoted(out: &mut Vec<u8>, mut text: &[u8]) {
    out.push(b'"');
    while let Some(at) = memchr2(b'"', b'\\', text) {
        out.extend_from_slice(&text[..at]);
        out.extend_from_slice(&[b'\\', text[at]]);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
    out.push(b'"');
}

/// RFC 3501 9: `literal = "{" number "}" CRLF *CHAR8`.
fn write_literal(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'{');
    write_number(out, text.len() as u64);
    out.extend_from_slice(b"}\r\n");
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_string(&mut out, text);
        out
    }

    #[test]
    fn plain_text_is_quoted_and_escaped() {
        assert_eq!(string(b"a \"b\" \\c"), b"\"a \\\"b\\\" \\\\c\"");
        assert_eq!(string(b""), b"\"\"");
    }

    #[test]
    fn eight_bit_and_line_ends_make_a_literal() {
        assert_eq!(string("ä".as_bytes()), b"{2}\r\n\xc3\xa4");
        assert_eq!(string(b"a\r\nb"), b"{4}\r\na\r\nb");
    }

    #[test]
    fn nul_is_sent_as_another_octet() {
        assert_eq!(string(b"a\0b"), b"{3}\r\na\x80b");
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            write_number(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
