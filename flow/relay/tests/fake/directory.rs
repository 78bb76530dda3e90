//! A directory of two accounts, and of an address that crashes who asks for it.

use std::collections::HashMap;

use address::{AccountName, Address, Domain};
use directory::{AccountEntry, Answer, Credentials, Directory, DirectoryError, DomainEntry, Resolution};

/// Addresses of `here.example`; all others are remote.
pub struct FakeDirectory {
    domain: Domain,
    addresses: HashMap<String, Resolution>,
}

impl FakeDirectory {
    pub fn new() -> Self {
        let account = |name: &str| Resolution::Account(AccountName::parse(name).expect("an account"));
        let addresses =
            ["alice@here.example", "bob@here.example"].map(|name| (name.to_owned(), account(name)));
        let domain = Domain::parse("here.example").expect("a domain");
        Self { domain, addresses: HashMap::from(addresses) }
    }

    fn find(&self, address: &Address) -> Resolution {
        assert_ne!(address.key(), "poison@here.example", "as the test wants it");
        match address.domain() {
            Some(domain) if *domain == self.domain => {
                self.addresses.get(&address.key()).cloned().unwrap_or(Resolution::Unknown)
            }
            _ => Resolution::Remote,
        }
    }
}

fn nothing<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err(DirectoryError::Busy) })
}

impl Directory for FakeDirectory {
    fn default_domain(&self) -> &Domain {
        &self.domain
    }

    fn domain<'a>(&'a self, _domain: &'a Domain) -> Answer<'a, Option<DomainEntry>> {
        nothing()
    }

    fn account<'a>(&'a self, _account: &'a AccountName) -> Answer<'a, Option<AccountEntry>> {
        nothing()
    }

    fn resolve<'a>(&'a self, address: &'a Address) -> Answer<'a, Resolution> {
        Box::pin(async { Ok(self.find(address)) })
    }

    fn addresses_of<'a>(&'a self, _account: &'a AccountName) -> Answer<'a, Vec<Address>> {
        nothing()
    }

    fn verify_password<'a>(
        &'a self,
        _login: &'a str,
        _password: &'a sasl::Password,
    ) -> Answer<'a, Option<AccountName>> {
        nothing()
    }

    fn credentials<'a>(&'a self, _login: &'a str) -> Answer<'a, Credentials> {
        nothing()
    }
}
