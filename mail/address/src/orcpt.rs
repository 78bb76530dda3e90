//! The ORCPT parameter of RCPT.

use std::fmt;

use compact_str::CompactString;

use crate::{AddressError, xtext};

/// The recipient as the sender first named it (RFC 3461 4.2), kept decoded; `Display` gives the wire form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Orcpt {
    addr_type: CompactString,
    address: String,
}

impl Orcpt {
    /// An original recipient of type `rfc822`, or `utf-8` where the address is not ASCII (RFC 6533 3).
    pub fn of(address: &crate::Address) -> Self {
        let addr_type = if address.needs_smtputf8() { "utf-8" } else { "rfc822" };
        Self { addr_type: addr_type.into(), address: address.to_string() }
    }

    /// Reads `addr-type;xtext`; the type `utf-8` has an encoding of its own.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::ORCPT_BYTES_MAX {
            return Err(AddressError::ParameterTooLong);
        }
        let (addr_type, encoded) = text.split_once(';').ok_or(AddressError::Parameter)?;
        let sound = addr_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if addr_type.is_empty() || encoded.is_empty() || !sound {
            return Err(AddressError::Parameter);
        }
        let addr_type = CompactString::from(addr_type.to_ascii_lowercase());
        let address = if addr_type == "utf-8" { unicode_decoded(encoded)? } else { xtext::decode(encoded)? };
        Ok(Self { addr_type, address })
    }

    /// The type of address, in lower case: `rfc822`, `utf-8`, ...
    pub fn addr_type(&self) -> &str {
        &self.addr_type
    }

    /// The address, decoded.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn from_parts(addr_type: &str, address: String) -> Self {
        Self { addr_type: addr_type.into(), address }
    }
}

/// RFC 6533 3: `utf-8-addr-xtext` and `utf-8-addr-unitext`: characters as such or as `\x{HEX}`.
fn unicode_decoded(text: &str) -> Result<String, AddressError> {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\\x{") {
        let (hex, behind) = rest[start + 3..].split_once('}').ok_or(AddressError::Parameter)?;
        decoded.push_str(&rest[..start]);
        decoded.push(unicode_char(hex)?);
        rest = behind;
    }
    decoded.push_str(rest);
    let unsound = decoded.chars().any(char::is_control) || rest.contains('\\');
    if unsound { Err(AddressError::Parameter) } else { Ok(decoded) }
}

fn unicode_char(hex: &str) -> Result<char, AddressError> {
    let sound = hex.len() <= 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u32::from_str_radix(hex, 16).ok().filter(|_| sound);
    value.and_then(char::from_u32).ok_or(AddressError::Parameter)
}

/// RFC 6533 3: what is no `QCHAR` is embedded as `\x{HEX}`, so that the result is ASCII.
fn unicode_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '+' | '=' | '\\' => encoded.push_str(&format!("\\x{{{:02X}}}", u32::from(char))),
            '!'..='~' => encoded.push(char),
            _ => encoded.push_str(&format!("\\x{{{:02X}}}", u32::from(char))),
        }
    }
    encoded
}

impl fmt::Display for Orcpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = if self.addr_type == "utf-8" { unicode_encoded } else { xtext::encode };
        write!(f, "{};{}", self.addr_type, encode(&self.address))
    }
}
