//! The verbs that change the directory. Each returns when its change is durable.

use address::{AccountName, Address, Domain};
use sasl::Password;

use super::Embedded;
use super::store::Command;
use crate::{AccountEntry, AddressEntry, DirectoryError, DomainEntry};

impl Embedded {
    /// Adds a domain.
    pub async fn domain_add(&self, domain: Domain) -> Result<(), DirectoryError> {
        self.handle.submit(Command::DomainAdd(domain)).await?
    }

    /// All domains, by name.
    pub fn domain_list(&self) -> Vec<DomainEntry> {
        self.tables.read().domains.values().cloned().collect()
    }

    /// Deletes a domain without accounts and addresses.
    pub async fn domain_delete(&self, domain: Domain) -> Result<(), DirectoryError> {
        self.handle.submit(Command::DomainDelete(domain)).await?
    }

    /// Sets who gets the mail for a domain's `postmaster` and `abuse`; none: the oldest administrator.
    pub async fn domain_postmaster(
        &self,
        domain: Domain,
        account: Option<AccountName>,
    ) -> Result<(), DirectoryError> {
        self.handle.submit(Command::DomainPostmaster(domain, account)).await?
    }

    /// Adds an account. Without a password nobody can log in to it until it gets one.
    pub async fn account_add(
        &self,
        name: AccountName,
        password: Option<&Password>,
        admin: bool,
    ) -> Result<(), DirectoryError> {
        let password = match password {
            Some(password) => Some(self.hashers.store(password).await?),
            None => None,
        };
        self.handle.submit(Command::AccountAdd { name, admin, password }).await?
    }

    /// All accounts, by name.
    pub fn account_list(&self) -> Vec<AccountEntry> {
        self.tables.read().accounts.iter().map(|(name, row)| row.entry(name)).collect()
    }

    /// Deletes an account and the addresses that are its own; refused while an alias points to it.
    pub async fn account_delete(&self, name: AccountName) -> Result<(), DirectoryError> {
        self.handle.submit(Command::AccountDelete(name)).await?
    }

    /// Sets an account's password.
    pub async fn account_passwd(&self, name: AccountName, password: &Password) -> Result<(), DirectoryError> {
        let password = self.hashers.store(password).await?;
        self.handle.submit(Command::AccountPassword(name, password)).await?
    }

    /// Adds an address. One target that is an account makes it that account's own; else it is an alias.
    pub async fn address_add(&self, address: Address, targets: Vec<Address>) -> Result<(), DirectoryError> {
        self.handle.submit(Command::AddressAdd(AddressEntry { address, targets })).await?
    }

    /// All addresses but the accounts' names.
    pub fn address_list(&self) -> Vec<AddressEntry> {
        self.tables.read().addresses.values().cloned().collect()
    }

    /// Deletes an address; refused while an alias points to it.
    pub async fn address_delete(&self, address: Address) -> Result<(), DirectoryError> {
        self.handle.submit(Command::AddressDelete(address)).await?
    }
}
