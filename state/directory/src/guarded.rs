//! A directory as one peer sees it: the same answers, later where passwords are guessed.

use std::net::IpAddr;

use address::{AccountName, Address, Domain};
use parking_lot::Mutex;
use sasl::Password;

use crate::guesses::{Attempt, Guesses};
use crate::{AccountEntry, Answer, Credentials, Directory, DirectoryError, DomainEntry, Resolution};

/// A directory for the logins of one peer.
pub(crate) struct Guarded<D> {
    inner: D,
    guesses: Guesses,
    address: IpAddr,
    /// An exchange whose end the directory has not heard of; it counts as failed until it does.
    open: Mutex<Option<Attempt>>,
}

impl<D: Directory> Guarded<D> {
    pub(crate) fn new(inner: D, guesses: Guesses, address: IpAddr) -> Self {
        Self { inner, guesses, address, open: Mutex::new(None) }
    }

    fn attempt(&self, login: &str) -> Attempt {
        let account = AccountName::parse_login(login, self.inner.default_domain());
        let account =
            account.map_or_else(|_| login.to_lowercase(), |account| account.to_string().to_lowercase());
        self.guesses.attempt(self.address, &account)
    }

    async fn password_verified(
        &self,
        login: &str,
        password: &Password,
    ) -> Result<Option<AccountName>, DirectoryError> {
        let attempt = self.attempt(login);
        let _turn = self.guesses.turn(attempt).await?;
        let account = self.inner.verify_password(login, password).await?;
        match &account {
            Some(_) => self.guesses.succeeded(attempt),
            None => self.guesses.failed(attempt),
        }
        Ok(account)
    }

    async fn credentials_given(&self, login: &str) -> Result<Credentials, DirectoryError> {
        let attempt = self.attempt(login);
        let _turn = self.guesses.turn(attempt).await?;
        self.guesses.failed(attempt);
        *self.open.lock() = Some(attempt);
        self.inner.credentials(login).await
    }
}

impl<D: Directory> Directory for Guarded<D> {
    fn default_domain(&self) -> &Domain {
        self.inner.default_domain()
    }

    fn domain<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Option<DomainEntry>> {
        self.inner.domain(domain)
    }

    fn account<'a>(&'a self, account: &'a AccountName) -> Answer<'a, Option<AccountEntry>> {
        self.inner.account(account)
    }

    fn resolve<'a>(&'a self, address: &'a Address) -> Answer<'a, Resolution> {
        self.inner.resolve(address)
    }

    fn addresses_of<'a>(&'a self, account: &'a AccountName) -> Answer<'a, Vec<Address>> {
        self.inner.addresses_of(account)
    }

    fn verify_password<'a>(
        &'a self,
        login: &'a str,
        password: &'a Password,
    ) -> Answer<'a, Option<AccountName>> {
        Box::pin(self.password_verified(login, password))
    }

    fn credentials<'a>(&'a self, login: &'a str) -> Answer<'a, Credentials> {
        Box::pin(self.credentials_given(login))
    }

    fn signed_in(&self, _account: &AccountName) {
        if let Some(attempt) = self.open.lock().take() {
            self.guesses.forgiven(attempt);
            self.guesses.succeeded(attempt);
        }
    }
}
