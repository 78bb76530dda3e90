//! Strings as IMAP sends them (RFC 3501 4.3).

/// Appends a quoted string, or a literal where the bytes need one (8-bit, CR, LF). NUL, which IMAP cannot
/// carry, is left out.
pub fn write_string(_out: &mut Vec<u8>, _text: &[u8]) {
    unimplemented!("wire::write_string")
}

/// Appends `NIL` or a string.
pub fn write_nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}
