//! What a directory tells.

use address::{AccountName, Address, Domain};
use sasl::ScramKeys;
use serde::{Deserialize, Serialize};

/// A domain whose mail is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEntry {
    /// Its name.
    pub domain: Domain,
    /// The account that gets the mail for its `postmaster` and `abuse`; none: the oldest administrator.
    pub postmaster: Option<AccountName>,
}

/// An account, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// Its name.
    pub name: AccountName,
    /// It may administer the system.
    pub admin: bool,
    /// It has a password, so that somebody can log in to it.
    pub has_password: bool,
}

/// An address that is not an account's name: another address of an account, or an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressEntry {
    /// The address.
    pub address: Address,
    /// Where its mail goes. A single target that is an account makes the address that account's own.
    pub targets: Vec<Address>,
}

/// Where mail for an address goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Into an account.
    Account(AccountName),
    /// To other addresses, local or remote, each to be resolved in turn.
    Alias(Vec<Address>),
    /// The domain is not ours.
    Remote,
    /// The domain is ours, the address is not there (550 5.1.1).
    Unknown,
}

/// What SCRAM needs to know of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account; none where the keys are a decoy.
    pub account: Option<AccountName>,
    /// Its keys.
    pub keys: ScramKeys,
}
