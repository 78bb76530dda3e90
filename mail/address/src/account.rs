//! Account names.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

use crate::{AddressError, Domain};

/// The name of an account, `name@domain`, in lower case.
///
/// The name consists of letters, digits, `-`, `_` and single dots inside, so that it is also a local part without
/// quotes, a component of a mailbox name, and never holds a plus sign.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName {
    name: CompactString,
    domain: Domain,
}

impl AccountName {
    /// Puts a name and a domain together.
    pub fn new(name: &str, domain: Domain) -> Result<Self, AddressError> {
        let name = CompactString::from(name).to_lowercase();
        check_name(&name)?;
        Ok(Self { name, domain })
    }

    /// Reads `name@domain`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (name, domain) = text.rsplit_once('@').ok_or(AddressError::NoDomain)?;
        Self::new(name, Domain::parse(domain)?)
    }

    /// Reads what a client gives as its user name, where the default domain may be left out.
    pub fn parse_login(text: &str, default_domain: &Domain) -> Result<Self, AddressError> {
        if text.contains('@') {
            return Self::parse(text);
        }
        Self::new(text, default_domain.clone())
    }

    /// The part in front of the `@`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The domain that the account belongs to.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }
}

fn check_name(name: &str) -> Result<(), AddressError> {
    if name.len() > limits::ACCOUNT_NAME_BYTES_MAX {
        return Err(AddressError::AccountNameTooLong);
    }
    let sound = |part: &str| {
        !part.is_empty() && part.chars().all(|char| char.is_alphanumeric() || char == '-' || char == '_')
    };
    if name.split('.').all(sound) { Ok(()) } else { Err(AddressError::AccountName) }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.domain)
    }
}

impl FromStr for AccountName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AccountName {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<AccountName> for String {
    fn from(account: AccountName) -> Self {
        account.to_string()
    }
}
