//! `local-part@domain`.

use std::fmt;
use std::str::FromStr;

use crate::{AccountName, AddressError, AddressLiteral, Domain, LocalPart};

/// What stands behind the `@` of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
}

/// A mail address: what RFC 5321 4.1.2 calls `Mailbox`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    local: LocalPart,
    host: Host,
}

impl Address {
    /// Puts an address together.
    pub fn new(local: LocalPart, domain: Domain) -> Self {
        Self { local, host: Host::Domain(domain) }
    }

    /// Puts an address together whose host may be a literal.
    pub fn at_host(local: LocalPart, host: Host) -> Self {
        Self { local, host }
    }

    /// `postmaster@domain` (RFC 5321 4.5.1).
    pub fn postmaster(domain: Domain) -> Self {
        let local = LocalPart::from_content("postmaster").expect("a constant that is well formed");
        Self::new(local, domain)
    }

    /// Reads `local@domain` or `local@[literal]`, without angle brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let at = at_sign(text).ok_or(AddressError::NoDomain)?;
        let local = LocalPart::parse(&text[..at])?;
        let host = Host::parse(&text[at + 1..])?;
        Ok(Self { local, host })
    }

    /// The part in front of the `@`.
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// The part behind the `@`.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The domain; none when the host is a literal.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.host {
            Host::Domain(domain) => Some(domain),
            Host::Literal(_) => None,
        }
    }

    /// The address with another local part at the same host.
    pub fn with_local(&self, local: LocalPart) -> Self {
        Self { local, host: self.host.clone() }
    }

    /// Splits the detail off `base+detail@domain` (RFC 5233 1).
    pub fn split_detail(&self, separator: char) -> (Address, Option<&str>) {
        let (base, detail) = self.local.split_detail(separator);
        (self.with_local(base), detail)
    }

    /// The form under which the final host knows the address: all in lower case.
    pub fn key(&self) -> String {
        self.with_local(self.local.folded()).to_string()
    }

    /// True when the address cannot be sent without SMTPUTF8 (RFC 6531 3.3).
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.content().is_ascii()
    }
}

/// The `@` between local part and host. A quoted local part may hold others; a host never does.
fn at_sign(text: &str) -> Option<usize> {
    text.rfind('@')
}

impl Host {
    /// Reads a domain or a literal in brackets.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('[') {
            return AddressLiteral::parse(text).map(Self::Literal);
        }
        Domain::parse(text).map(Self::Domain)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.host)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl From<&AccountName> for Address {
    fn from(account: &AccountName) -> Self {
        let local = LocalPart::from_content(account.name()).expect("an account name is a local part");
        Self::new(local, account.domain().clone())
    }
}
