//! What may be changed, and what a change entails.
//!
//! Each function judges a command against the tables and gives the changes to write, or the reason against it.

use std::collections::BTreeSet;

use address::{AccountName, Address, Domain};

use super::store::Command;
use super::tables::{AccountRow, Change, DETAIL_SEPARATOR, Tables, is_role, target_keys};
use crate::password::StoredPassword;
use crate::{AddressEntry, DirectoryError, DomainEntry, Resolution};

type Changes = Result<Vec<Change>, DirectoryError>;

impl Tables {
    /// The changes that a command comes to. `number` is the journal's next.
    pub(super) fn judge(&self, command: Command, number: u64) -> Changes {
        match command {
            Command::DomainAdd(domain) => self.domain_add(domain),
            Command::DomainDelete(domain) => self.domain_delete(domain),
            Command::DomainPostmaster(domain, account) => self.domain_postmaster(domain, account),
            Command::AccountAdd { name, admin, password } => {
                self.account_add(name, AccountRow { admin, created: number, password })
            }
            Command::AccountDelete(name) => self.account_delete(name),
            Command::AccountPassword(name, password) => self.account_password(name, password),
            Command::AddressAdd(entry) => self.address_add(entry),
            Command::AddressDelete(address) => self.address_remove(address),
        }
    }

    fn domain_add(&self, domain: Domain) -> Changes {
        if self.domains.contains_key(&domain) {
            return Err(DirectoryError::DomainExists(domain));
        }
        Ok(vec![Change::DomainPut(DomainEntry { domain, postmaster: None })])
    }

    fn domain_delete(&self, domain: Domain) -> Changes {
        self.check_domain(&domain)?;
        let accounts = self.accounts.keys().filter(|name| *name.domain() == domain).count();
        let here = |entry: &&AddressEntry| entry.address.domain() == Some(&domain);
        let addresses = self.addresses.values().filter(here).count();
        if accounts + addresses > 0 {
            return Err(DirectoryError::DomainInUse { domain, accounts, addresses });
        }
        self.check_no_target_in(&domain)?;
        Ok(vec![Change::DomainDelete(domain)])
    }

    /// An alias elsewhere may still point to `postmaster` here, which is an address without a row.
    fn check_no_target_in(&self, domain: &Domain) -> Result<(), DirectoryError> {
        let here = |target: &&Address| target.domain() == Some(domain);
        for entry in self.addresses.values() {
            if let Some(target) = entry.targets.iter().find(here) {
                let (address, alias) = (target.clone(), Box::new(entry.address.clone()));
                return Err(DirectoryError::StillTarget { address, alias });
            }
        }
        Ok(())
    }

    fn domain_postmaster(&self, domain: Domain, postmaster: Option<AccountName>) -> Changes {
        self.check_domain(&domain)?;
        if let Some(account) = &postmaster {
            self.account_row(account)?;
        }
        Ok(vec![Change::DomainPut(DomainEntry { domain, postmaster })])
    }

    fn account_add(&self, name: AccountName, row: AccountRow) -> Changes {
        self.check_domain(name.domain())?;
        if self.accounts.contains_key(&name) {
            return Err(DirectoryError::AccountExists(name));
        }
        let address = Address::from(&name);
        if self.addresses.contains_key(&address.key()) {
            return Err(DirectoryError::AddressExists(address));
        }
        Ok(vec![Change::AccountPut(name, row)])
    }

    /// Takes the account's own other addresses along; refuses while an alias points to it.
    fn account_delete(&self, name: AccountName) -> Changes {
        self.account_row(&name)?;
        let mut changes = Vec::new();
        for address in self.addresses_of(&name) {
            self.check_no_target(&address, &name)?;
            if self.addresses.contains_key(&address.key()) {
                changes.push(Change::AddressDelete(address));
            }
        }
        changes.extend(self.postmaster_given_back(&name));
        changes.push(Change::AccountDelete(name));
        Ok(changes)
    }

    /// Domains whose postmaster the account was fall back to the oldest administrator.
    fn postmaster_given_back(&self, name: &AccountName) -> impl Iterator<Item = Change> {
        let theirs = self.domains.values().filter(move |entry| entry.postmaster.as_ref() == Some(name));
        theirs.map(|entry| Change::DomainPut(DomainEntry { domain: entry.domain.clone(), postmaster: None }))
    }

    fn account_password(&self, name: AccountName, password: StoredPassword) -> Changes {
        let row = AccountRow { password: Some(password), ..self.account_row(&name)?.clone() };
        Ok(vec![Change::AccountPut(name, row)])
    }

    fn address_add(&self, entry: AddressEntry) -> Changes {
        let AddressEntry { address, targets } = &entry;
        let domain = address.domain().ok_or_else(|| DirectoryError::AddressLiteral(address.clone()))?;
        self.check_domain(domain)?;
        if self.addresses.contains_key(&address.key()) {
            return Err(DirectoryError::AddressExists(address.clone()));
        }
        if let Some(account) = self.account_named(address) {
            return Err(DirectoryError::AddressOfAccount(account));
        }
        check_target_count(targets.len())?;
        targets.iter().try_for_each(|target| self.check_target(address, target))?;
        Ok(vec![Change::AddressPut(entry)])
    }

    fn address_remove(&self, address: Address) -> Changes {
        if let Some(account) = self.account_named(&address) {
            return Err(DirectoryError::AddressOfAccount(account));
        }
        if !self.addresses.contains_key(&address.key()) {
            return Err(DirectoryError::AddressUnknown(address));
        }
        if let Some(entry) = self.aliases_of(&address).next().filter(|_| !is_role(&address)) {
            let alias = Box::new(entry.address.clone());
            return Err(DirectoryError::StillTarget { address, alias });
        }
        Ok(vec![Change::AddressDelete(address)])
    }

    /// A target here must be there, with or without its detail, and must not lead back.
    fn check_target(&self, address: &Address, target: &Address) -> Result<(), DirectoryError> {
        if self.leads_to(target, &address.key()) {
            return Err(DirectoryError::Loop { address: address.clone(), target: Box::new(target.clone()) });
        }
        let known = |target: &Address| !matches!(self.resolve(target), Ok(Resolution::Unknown));
        if known(target) || known(&target.split_detail(DETAIL_SEPARATOR).0) {
            return Ok(());
        }
        Err(DirectoryError::TargetUnknown(target.clone()))
    }

    /// True when mail for `from` comes, by whatever aliases, to the address with the key `goal`.
    fn leads_to(&self, from: &Address, goal: &str) -> bool {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(address) = open.pop() {
            for key in target_keys(address) {
                if key == goal {
                    return true;
                }
                let entry = self.addresses.get(&key);
                open.extend(entry.filter(|_| seen.insert(key)).into_iter().flat_map(|entry| &entry.targets));
            }
        }
        false
    }

    /// Refuses while an alias, other than an address that is the account's own, points to `address`.
    fn check_no_target(&self, address: &Address, account: &AccountName) -> Result<(), DirectoryError> {
        let stranger = |entry: &&AddressEntry| self.owner(entry).as_ref() != Some(account);
        let Some(entry) = self.aliases_of(address).find(stranger) else { return Ok(()) };
        let (address, alias) = (address.clone(), Box::new(entry.address.clone()));
        Err(DirectoryError::StillTarget { address, alias })
    }

    fn check_domain(&self, domain: &Domain) -> Result<(), DirectoryError> {
        let known = self.domains.contains_key(domain);
        if known { Ok(()) } else { Err(DirectoryError::DomainUnknown(domain.clone())) }
    }

    fn account_row(&self, name: &AccountName) -> Result<&AccountRow, DirectoryError> {
        self.accounts.get(name).ok_or_else(|| DirectoryError::AccountUnknown(name.clone()))
    }
}

fn check_target_count(given: usize) -> Result<(), DirectoryError> {
    let max = limits::ALIAS_TARGETS_MAX;
    if (1..=max).contains(&given) { Ok(()) } else { Err(DirectoryError::TargetCount { given, max }) }
}
