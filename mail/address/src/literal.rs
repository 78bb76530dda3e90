//! Address literals.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use compact_str::{CompactString, format_compact};

use crate::AddressError;

/// The part of an address behind `@` when it is no domain but `[...]` (RFC 5321 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AddressLiteral {
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Ip(IpAddr),
    /// `[tag:content]` with a tag other than `IPv6`; no such tag has been registered so far.
    General {
        /// The tag in front of the colon.
        tag: CompactString,
        /// What stands behind the colon.
        content: CompactString,
    },
}

impl AddressLiteral {
    /// Reads a literal with its brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let inner = inner.ok_or(AddressError::Literal)?;
        if inner.len() > limits::DOMAIN_BYTES_MAX {
            return Err(AddressError::DomainTooLong);
        }
        match inner.split_once(':') {
            Some((tag, content)) if tag.eq_ignore_ascii_case("IPv6") => ipv6(content),
            Some((tag, content)) => general(tag, content),
            None => ipv4(inner),
        }
    }
}

fn ipv4(text: &str) -> Result<AddressLiteral, AddressError> {
    let address: Ipv4Addr = text.parse().map_err(|_| AddressError::Literal)?;
    Ok(AddressLiteral::Ip(IpAddr::V4(address)))
}

fn ipv6(text: &str) -> Result<AddressLiteral, AddressError> {
    let address: Ipv6Addr = text.parse().map_err(|_| AddressError::Literal)?;
    Ok(AddressLiteral::Ip(IpAddr::V6(address)))
}

/// RFC 5321 4.1.3: `General-address-literal = Standardized-tag ":" 1*dcontent`.
fn general(tag: &str, content: &str) -> Result<AddressLiteral, AddressError> {
    let tag_sound = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && tag.ends_with(|last: char| last.is_ascii_alphanumeric());
    let content_sound = content.bytes().all(|byte| matches!(byte, 33..=90 | 94..=126));
    if tag_sound && content_sound && !content.is_empty() {
        return Ok(AddressLiteral::General { tag: tag.into(), content: content.into() });
    }
    Err(AddressError::Literal)
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]"),
            Self::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

impl FromStr for AddressLiteral {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AddressLiteral {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<AddressLiteral> for String {
    fn from(literal: AddressLiteral) -> Self {
        format_compact!("{literal}").into()
    }
}
