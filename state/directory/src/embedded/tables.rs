//! The directory in memory, and the changes that make it.

use std::collections::{BTreeMap, BTreeSet};

use address::{AccountName, Address, Domain};

use super::record::RowKey;
use crate::password::StoredPassword;
use crate::{AccountEntry, AddressEntry, DirectoryError, DomainEntry, Resolution};

/// Local parts that every domain has (RFC 5321 4.5.1, RFC 2142 4).
const ROLES: [&str; 2] = ["postmaster", "abuse"];

/// What stands in front of the detail in an alias's target.
pub(super) const DETAIL_SEPARATOR: char = '+';

/// Bytes of the secret behind SCRAM decoys.
pub(super) const SECRET_BYTES: usize = 32;

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountRow {
    pub(super) admin: bool,
    /// The journal's number for its creation: the smaller, the older.
    pub(super) created: u64,
    pub(super) password: Option<StoredPassword>,
}

impl AccountRow {
    pub(super) fn entry(&self, name: &AccountName) -> AccountEntry {
        AccountEntry { name: name.clone(), admin: self.admin, has_password: self.password.is_some() }
    }
}

/// One change, as the journal keeps it. Making it twice is making it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    DomainPut(DomainEntry),
    DomainDelete(Domain),
    AccountPut(AccountName, AccountRow),
    AccountDelete(AccountName),
    AddressPut(AddressEntry),
    AddressDelete(Address),
    SecretPut([u8; SECRET_BYTES]),
}

/// All rows. Every change goes through [`Tables::change`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) domains: BTreeMap<Domain, DomainEntry>,
    pub(super) accounts: BTreeMap<AccountName, AccountRow>,
    /// By [`Address::key`].
    pub(super) addresses: BTreeMap<String, AddressEntry>,
    pub(super) secret: Option<[u8; SECRET_BYTES]>,
    /// The keys of the addresses that have the key as a target, with or without a detail. Derived.
    targeted_by: BTreeMap<String, BTreeSet<String>>,
}

impl Tables {
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::DomainPut(entry) => drop(self.domains.insert(entry.domain.clone(), entry)),
            Change::DomainDelete(domain) => drop(self.domains.remove(&domain)),
            Change::AccountPut(name, row) => drop(self.accounts.insert(name, row)),
            Change::AccountDelete(name) => drop(self.accounts.remove(&name)),
            Change::AddressPut(entry) => self.address_put(entry),
            Change::AddressDelete(address) => self.address_delete(&address.key()),
            Change::SecretPut(secret) => self.secret = Some(secret),
        }
    }

    /// The change that makes the row what it is now; none where there is no such row.
    pub(super) fn row_put(&self, key: &RowKey) -> Option<Change> {
        match key {
            RowKey::Domain(domain) => self.domains.get(domain).cloned().map(Change::DomainPut),
            RowKey::Account(name) => {
                self.accounts.get(name).map(|row| Change::AccountPut(name.clone(), row.clone()))
            }
            RowKey::Address(address) => self.addresses.get(&address.0.key()).cloned().map(Change::AddressPut),
            RowKey::Secret => self.secret.map(Change::SecretPut),
        }
    }

    fn address_put(&mut self, entry: AddressEntry) {
        let key = entry.address.key();
        self.address_delete(&key);
        for target in entry.targets.iter().flat_map(target_keys) {
            self.targeted_by.entry(target).or_default().insert(key.clone());
        }
        self.addresses.insert(key, entry);
    }

    fn address_delete(&mut self, key: &str) {
        let Some(entry) = self.addresses.remove(key) else { return };
        for target in entry.targets.iter().flat_map(target_keys) {
            let aliases = self.targeted_by.get_mut(&target);
            if aliases.is_some_and(|aliases| aliases.remove(key) && aliases.is_empty()) {
                self.targeted_by.remove(&target);
            }
        }
    }

    /// The secret behind decoys. Before there is one there is no account either, and nothing to hide.
    pub(super) fn decoy_secret(&self) -> &[u8] {
        self.secret.as_ref().map_or(&[], |secret| secret.as_slice())
    }

    pub(super) fn password(&self, account: &AccountName) -> Option<&StoredPassword> {
        self.accounts.get(account)?.password.as_ref()
    }

    /// The account whose name the address is.
    pub(super) fn account_named(&self, address: &Address) -> Option<AccountName> {
        let name = AccountName::new(address.local().content(), address.domain()?.clone()).ok()?;
        self.accounts.contains_key(&name).then_some(name)
    }

    pub(super) fn resolve(&self, address: &Address) -> Result<Resolution, DirectoryError> {
        let Some(domain) = address.domain().and_then(|domain| self.domains.get(domain)) else {
            return Ok(Resolution::Remote);
        };
        if let Some(entry) = self.addresses.get(&address.key()) {
            return Ok(self.targets_of(entry));
        }
        if let Some(account) = self.account_named(address) {
            return Ok(Resolution::Account(account));
        }
        if !is_role(address) {
            return Ok(Resolution::Unknown);
        }
        let postmaster = self.postmaster(domain).cloned();
        postmaster.map(Resolution::Account).ok_or_else(|| DirectoryError::NoPostmaster(domain.domain.clone()))
    }

    fn targets_of(&self, entry: &AddressEntry) -> Resolution {
        match self.owner(entry) {
            Some(account) => Resolution::Account(account),
            None => Resolution::Alias(entry.targets.clone()),
        }
    }

    /// The account whose own the address is: its only target.
    pub(super) fn owner(&self, entry: &AddressEntry) -> Option<AccountName> {
        match &entry.targets[..] {
            [target] => self.account_named(target),
            _ => None,
        }
    }

    /// The account set for it, or the oldest administrator, or the oldest account.
    fn postmaster<'a>(&'a self, domain: &'a DomainEntry) -> Option<&'a AccountName> {
        let oldest = || self.accounts.iter().min_by_key(|(_, row)| (!row.admin, row.created));
        domain.postmaster.as_ref().or_else(|| oldest().map(|(name, _)| name))
    }

    /// The account's name and the addresses whose only target it is.
    pub(super) fn addresses_of(&self, account: &AccountName) -> Vec<Address> {
        if !self.accounts.contains_key(account) {
            return Vec::new();
        }
        let name = Address::from(account);
        let others = self.aliases_of(&name).filter(|entry| self.owner(entry).as_ref() == Some(account));
        let others: Vec<Address> = others.map(|entry| entry.address.clone()).collect();
        std::iter::once(name).chain(others).collect()
    }

    /// The addresses that have `target`, with or without a detail, among their targets.
    pub(super) fn aliases_of(&self, target: &Address) -> impl Iterator<Item = &AddressEntry> + use<'_> {
        let keys = self.targeted_by.get(&target.key());
        keys.into_iter().flatten().filter_map(|key| self.addresses.get(key))
    }
}

/// The address and, if it has a detail, the address without it.
pub(super) fn target_keys(target: &Address) -> impl Iterator<Item = String> + use<> {
    let (base, detail) = target.split_detail(DETAIL_SEPARATOR);
    std::iter::once(target.key()).chain(detail.map(|_| base.key()))
}

/// True for the local parts that every domain has.
pub(super) fn is_role(address: &Address) -> bool {
    ROLES.iter().any(|role| address.local().content().eq_ignore_ascii_case(role))
}
