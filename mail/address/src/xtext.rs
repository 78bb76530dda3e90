//! The encoding of parameter values in MAIL and RCPT (RFC 3461 4).

use crate::AddressError;

/// Encodes printable text; everything else, `+` and `=` become `+HH`.
pub fn encode(text: &str) -> String {
    let mut xtext = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'+' | b'=' => xtext.push_str(&format!("+{byte:02X}")),
            b'!'..=b'~' => xtext.push(char::from(byte)),
            _ => xtext.push_str(&format!("+{byte:02X}")),
        }
    }
    xtext
}

/// Decodes text; the result is UTF-8 without control characters, or an error.
pub fn decode(xtext: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = match first {
            b'+' => hex_pair(behind, &mut bytes)?,
            b'=' | ..=b' ' | 127.. => return Err(AddressError::Parameter),
            plain => {
                bytes.push(plain);
                behind
            }
        };
    }
    printable(bytes)
}

/// RFC 3461 4: `hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits`.
fn hex_pair<'a>(text: &'a [u8], bytes: &mut Vec<u8>) -> Result<&'a [u8], AddressError> {
    let (pair, rest) = text.split_at_checked(2).ok_or(AddressError::Parameter)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(AddressError::Parameter);
    let value = digit(pair[0])? * 16 + digit(pair[1])?;
    bytes.push(u8::try_from(value).map_err(|_| AddressError::Parameter)?);
    Ok(rest)
}

fn printable(bytes: Vec<u8>) -> Result<String, AddressError> {
    let text = String::from_utf8(bytes).map_err(|_| AddressError::Parameter)?;
    if text.chars().any(char::is_control) { Err(AddressError::Parameter) } else { Ok(text) }
}
