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

use std::str::FromStr;

use address::AccountName;
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

impl Change {
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

    /// The change of the view that goes with the record `record`.
    pub(super) fn apply(&self, record: &Record, batch: &mut ViewBatch) {
        let row = record.bytes.clone();
        match self {
            Self::DomainPut(entry) => batch.put(DOMAINS, entry.domain.to_string(), row),
            Self::DomainDelete(domain) => batch.remove(DOMAINS, domain.to_string()),
            Self::AccountPut(name, _) => batch.put(ACCOUNTS, name.to_string(), row),
            Self::AccountDelete(name) => batch.remove(ACCOUNTS, name.to_string()),
            Self::AddressPut(entry) => batch.put(ADDRESSES, entry.address.key(), row),
            Self::AddressDelete(address) => batch.remove(ADDRESSES, address.key()),
            Self::SecretPut(_) => batch.put(SECRETS, DECOY, row),
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
