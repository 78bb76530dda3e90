//! Paths: addresses in angle brackets, as MAIL and RCPT carry them.

use std::fmt;

use crate::{Address, AddressError, Domain};

/// Where a message came from and where its reports go (RFC 5321 4.1.2 `Reverse-path`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ReversePath {
    /// `<>`: a report or another message that must never be answered.
    Null,
    /// `<address>`.
    Address(Address),
}

/// Where a message goes to (RFC 5321 4.1.2 `Forward-path`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain: the postmaster of whoever reads this (RFC 5321 4.1.1.3).
    Postmaster,
    /// `<address>`.
    Address(Address),
}

impl ReversePath {
    /// Reads a path with its angle brackets. A source route is taken and forgotten (RFC 5321 4.1.1.3).
    pub fn parse(path: &str) -> Result<Self, AddressError> {
        match path_content(path)? {
            "" => Ok(Self::Null),
            content => Address::parse(route_removed(content)?).map(Self::Address),
        }
    }

    /// The address; none for the null path.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }

    /// True for `<>`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl ForwardPath {
    /// Reads a path with its angle brackets. A source route is taken and forgotten (RFC 5321 4.1.1.3).
    pub fn parse(path: &str) -> Result<Self, AddressError> {
        let content = route_removed(path_content(path)?)?;
        if content.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        Address::parse(content).map(Self::Address)
    }

    /// The address that is meant on a system whose own domain is `domain`.
    pub fn address_at(self, domain: &Domain) -> Address {
        match self {
            Self::Postmaster => Address::postmaster(domain.clone()),
            Self::Address(address) => address,
        }
    }
}

/// Splits `<path> and more` behind the path, minding quoted local parts. None when no path stands in front.
pub fn split_path(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with('<') {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(text.split_at(index + 1)),
            _ => {}
        }
    }
    None
}

/// What stands between the angle brackets.
fn path_content(path: &str) -> Result<&str, AddressError> {
    match split_path(path) {
        Some((path, "")) if path.len() <= limits::PATH_BYTES_MAX => Ok(&path[1..path.len() - 1]),
        _ => Err(AddressError::Path),
    }
}

/// RFC 5321 4.1.2: `A-d-l = At-domain *( "," At-domain )`, followed by a colon; MUST be accepted, SHOULD be ignored.
fn route_removed(content: &str) -> Result<&str, AddressError> {
    if !content.starts_with('@') {
        return Ok(content);
    }
    let (route, address) = content.split_once(':').ok_or(AddressError::Path)?;
    for hop in route.split(',') {
        Domain::parse(hop.strip_prefix('@').ok_or(AddressError::Path)?)?;
    }
    Ok(address)
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<Postmaster>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl TryFrom<String> for ReversePath {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<ReversePath> for String {
    fn from(path: ReversePath) -> Self {
        path.to_string()
    }
}
