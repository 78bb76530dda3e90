//! The directory's records and the rows of its view.
//!
//! Format 1. A record is the kind of change and the changed row as a whole; a row of the view is the same bytes. Each
//! begins with its version.
//!
//! | kind | change         | fields                                                           | table, key        |
//! |------|----------------|------------------------------------------------------------------|-------------------|
//! | 1    | domain put     | name, postmaster?                                                | domain, name      |
//! | 2    | domain delete  | name                                                             |                   |
//! | 3    | account put    | name, admin, created, (argon2 in PHC form, SCRAM as RFC 5803 2)? | account, name     |
//! | 4    | account delete | name                                                             |                   |
//! | 5    | address put    | address, targets                                                 | address, its key  |
//! | 6    | address delete | address                                                          |                   |
//! | 7    | secret put     | 32 bytes                                                         | secret, `decoy`   |

use std::fmt;
use std::str::FromStr;

use address::{AccountName, Address, Domain};
use journal::{DecodeError, Decoder, Encoder, Record, StoreError, Table, ViewBatch};

use super::tables::{AccountRow, Change};
use crate::password::StoredPassword;
use crate::{AddressEntry, DomainEntry};

/// The version that is written.
const VERSION: u64 = 1;

const DOMAIN_PUT: u16 = 1;
const DOMAIN_DELETE: u16 = 2;
const ACCOUNT_PUT: u16 = 3;
const ACCOUNT_DELETE: u16 = 4;
const ADDRESS_PUT: u16 = 5;
const ADDRESS_DELETE: u16 = 6;
const SECRET_PUT: u16 = 7;

const DOMAINS: Table = Table("domain");
const ACCOUNTS: Table = Table("account");
const ADDRESSES: Table = Table("address");
const SECRETS: Table = Table("secret");
/// The key of the one secret.
const DECOY: &str = "decoy";

/// The tables of the view.
pub(super) const TABLES: [Table; 4] = [DOMAINS, ACCOUNTS, ADDRESSES, SECRETS];

/// The kind of record that each table's rows are copies of.
pub(super) const ROWS: [(Table, u16); 4] =
    [(DOMAINS, DOMAIN_PUT), (ACCOUNTS, ACCOUNT_PUT), (ADDRESSES, ADDRESS_PUT), (SECRETS, SECRET_PUT)];

/// A row, for compaction: what a record puts or deletes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum RowKey {
    Domain(Domain),
    Account(AccountName),
    /// By the address as it was written last; [`Address::key`] tells addresses apart.
    Address(AddressKey),
    Secret,
}

/// An address, told apart by its key.
#[derive(Debug, Clone)]
pub(super) struct AddressKey(pub Address);

impl PartialEq for AddressKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl Eq for AddressKey {}

impl std::hash::Hash for AddressKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.key().hash(state);
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => write!(f, "domain {domain}"),
            Self::Account(name) => write!(f, "account {name}"),
            Self::Address(AddressKey(address)) => write!(f, "address {address}"),
            Self::Secret => f.write_str("the secret behind decoys"),
        }
    }
}

impl RowKey {
    pub(super) fn address(address: &Address) -> Self {
        Self::Address(AddressKey(address.clone()))
    }

    /// The change that says that the row is gone; the secret never is.
    pub(super) fn delete(self) -> Option<Change> {
        Some(match self {
            Self::Domain(domain) => Change::DomainDelete(domain),
            Self::Account(name) => Change::AccountDelete(name),
            Self::Address(AddressKey(address)) => Change::AddressDelete(address),
            Self::Secret => return None,
        })
    }
}

impl journal::Key for RowKey {
    fn encode(&self, encoder: &mut Encoder) {
        let (tag, name) = match self {
            Self::Domain(domain) => (1, domain.to_string()),
            Self::Account(name) => (2, name.to_string()),
            Self::Address(AddressKey(address)) => (3, address.key()),
            Self::Secret => (4, String::new()),
        };
        encoder.byte(tag);
        encoder.text(&name);
    }
}

impl Change {
    /// The row that the change puts or deletes.
    pub(super) fn key(&self) -> RowKey {
        match self {
            Self::DomainPut(DomainEntry { domain, .. }) | Self::DomainDelete(domain) => {
                RowKey::Domain(domain.clone())
            }
            Self::AccountPut(name, _) | Self::AccountDelete(name) => RowKey::Account(name.clone()),
            Self::AddressPut(AddressEntry { address, .. }) | Self::AddressDelete(address) => {
                RowKey::Address(AddressKey(address.clone()))
            }
            Self::SecretPut(_) => RowKey::Secret,
        }
    }

    /// The record of the change.
    pub(super) fn record(&self) -> Record {
        let mut encoder = Encoder::versioned(VERSION);
        let kind = self.encode(&mut encoder);
        Record::state(kind, encoder.finish())
    }

    /// Writes the fields and gives the kind.
    fn encode(&self, encoder: &mut Encoder) -> u16 {
        match self {
            Self::DomainPut(entry) => {
                encoder.text(entry.domain.as_str());
                encoder.option(entry.postmaster.as_ref(), |encoder, name| encoder.text(&name.to_string()));
                DOMAIN_PUT
            }
            Self::DomainDelete(domain) => text(encoder, domain.as_str(), DOMAIN_DELETE),
            Self::AccountPut(name, row) => {
                account_encode(encoder, name, row);
                ACCOUNT_PUT
            }
            Self::AccountDelete(name) => text(encoder, &name.to_string(), ACCOUNT_DELETE),
            Self::AddressPut(entry) => {
                encoder.text(&entry.address.to_string());
                encoder.list(&entry.targets, |encoder, target| encoder.text(&target.to_string()));
                ADDRESS_PUT
            }
            Self::AddressDelete(address) => text(encoder, &address.to_string(), ADDRESS_DELETE),
            Self::SecretPut(secret) => {
                encoder.bytes(secret);
                SECRET_PUT
            }
        }
    }

    /// Reads a record, or a row of the view together with its table's kind.
    pub(super) fn decode(kind: u16, bytes: &[u8]) -> Result<Self, StoreError> {
        let mut decoder = Decoder::new(bytes);
        decoder.version(VERSION)?;
        let change = match kind {
            DOMAIN_PUT => Self::DomainPut(domain_decode(&mut decoder)?),
            DOMAIN_DELETE => Self::DomainDelete(parsed(&mut decoder, "domain")?),
            ACCOUNT_PUT => account_decode(&mut decoder)?,
            ACCOUNT_DELETE => Self::AccountDelete(parsed(&mut decoder, "account")?),
            ADDRESS_PUT => Self::AddressPut(address_decode(&mut decoder)?),
            ADDRESS_DELETE => Self::AddressDelete(parsed(&mut decoder, "address")?),
            SECRET_PUT => Self::SecretPut(secret_decode(&mut decoder)?),
            unknown => return Err(StoreError::Kind(unknown)),
        };
        decoder.finish()?;
        Ok(change)
    }

    /// The table and key of the row that it puts or deletes.
    pub(super) fn row(&self) -> (Table, String) {
        match self.key() {
            RowKey::Domain(domain) => (DOMAINS, domain.to_string()),
            RowKey::Account(name) => (ACCOUNTS, name.to_string()),
            RowKey::Address(AddressKey(address)) => (ADDRESSES, address.key()),
            RowKey::Secret => (SECRETS, DECOY.to_owned()),
        }
    }

    fn is_delete(&self) -> bool {
        matches!(self, Self::DomainDelete(_) | Self::AccountDelete(_) | Self::AddressDelete(_))
    }

    /// The change of the view that goes with the record `record`.
    pub(super) fn apply(&self, record: &Record, batch: &mut ViewBatch) {
        let (table, key) = self.row();
        match self.is_delete() {
            true => batch.remove(table, key),
            false => batch.put(table, key, record.bytes.clone()),
        }
    }
}

fn text(encoder: &mut Encoder, text: &str, kind: u16) -> u16 {
    encoder.text(text);
    kind
}

fn account_encode(encoder: &mut Encoder, name: &AccountName, row: &AccountRow) {
    encoder.text(&name.to_string());
    encoder.bool(row.admin);
    encoder.uint(row.created);
    encoder.option(row.password.as_ref(), |encoder, password| {
        encoder.text(&password.hash);
        encoder.text(&password.scram.to_string());
    });
}

fn account_decode(decoder: &mut Decoder<'_>) -> Result<Change, DecodeError> {
    let name = parsed(decoder, "account")?;
    let (admin, created) = (decoder.bool()?, decoder.uint()?);
    let password = decoder.option(|decoder| {
        let hash = decoder.text()?.to_owned();
        Ok(StoredPassword { hash, scram: parsed(decoder, "SCRAM keys")? })
    })?;
    Ok(Change::AccountPut(name, AccountRow { admin, created, password }))
}

fn domain_decode(decoder: &mut Decoder<'_>) -> Result<DomainEntry, DecodeError> {
    let domain = parsed(decoder, "domain")?;
    let postmaster = decoder.option(|decoder| parsed(decoder, "postmaster"))?;
    Ok(DomainEntry { domain, postmaster })
}

fn address_decode(decoder: &mut Decoder<'_>) -> Result<AddressEntry, DecodeError> {
    let address = parsed(decoder, "address")?;
    let targets = decoder.list(|decoder| parsed(decoder, "target"))?;
    Ok(AddressEntry { address, targets })
}

fn secret_decode<const N: usize>(decoder: &mut Decoder<'_>) -> Result<[u8; N], DecodeError> {
    decoder.bytes()?.try_into().map_err(|_| DecodeError::Invalid("secret"))
}

fn parsed<T: FromStr>(decoder: &mut Decoder<'_>, field: &'static str) -> Result<T, DecodeError> {
    decoder.text()?.parse().map_err(|_| DecodeError::Invalid(field))
}
