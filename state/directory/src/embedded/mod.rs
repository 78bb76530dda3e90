//! The directory of a system that has no other: a journal and what it says, in memory.

mod edit;
mod record;
mod rules;
mod store;
mod tables;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use address::{AccountName, Address, Domain};
use disk::Disk;
use journal::{
    JournalSettings, LocalJournal, Lsn, MemoryView, Sequencer, SequencerError, SequencerHandle,
    SequencerSettings,
};
use parking_lot::{Mutex, RwLock};
use sasl::{Password, ScramKeys};

use self::store::DirectoryStore;
use self::tables::Tables;
use crate::guarded::Guarded;
use crate::guesses::Guesses;
use crate::password::{Hashers, PasswordSettings, SALT_BYTES, random};
use crate::{AccountEntry, Answer, Credentials, Directory, DirectoryError, DomainEntry, Resolution};

/// The name in logs and metrics.
const STORE: &str = "directory";

/// A directory in a journal of its own. Clones share it.
#[derive(Clone)]
pub struct Embedded {
    default_domain: Domain,
    tables: Arc<RwLock<Tables>>,
    hashers: Hashers,
    guesses: Guesses,
    handle: SequencerHandle<DirectoryStore>,
    sequencer: Arc<Mutex<Option<Sequencer<DirectoryStore>>>>,
}

impl Embedded {
    /// Opens the directory in `dir`, or begins a new one. Reads files: not for an async task.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        default_domain: Domain,
        passwords: PasswordSettings,
    ) -> Result<Self, DirectoryError> {
        let hashers = Hashers::new(passwords)?;
        let settings = JournalSettings { store: STORE, ..JournalSettings::default() };
        let journal = LocalJournal::open(disk, dir, settings, Lsn::ZERO)?;
        let view = Arc::new(MemoryView::new(&record::TABLES));
        let tables = Arc::new(RwLock::new(Tables::default()));
        let store = DirectoryStore::new(tables.clone(), random()?);
        let sequencer = Sequencer::open(store, Arc::new(journal), view, SequencerSettings::new(STORE))?;
        let handle = sequencer.handle();
        let sequencer = Arc::new(Mutex::new(Some(sequencer)));
        let guesses = Guesses::default();
        Ok(Self { default_domain, tables, hashers, guesses, handle, sequencer })
    }

    /// Answers what waits and closes the journal. Later changes fail; questions are still answered.
    pub fn stop(&self) -> Result<(), SequencerError> {
        let sequencer = self.sequencer.lock().take();
        sequencer.map_or(Ok(()), Sequencer::stop)
    }

    /// Waits until the directory takes no changes any more, and says why. At once if that is so already, as with damaged
    /// state ([`SequencerError::is_damage`]).
    pub async fn ended(&self) -> SequencerError {
        self.handle.ended().await
    }

    /// The account that a client means by `login`, whether it exists or not.
    fn login(&self, login: &str) -> Option<AccountName> {
        AccountName::parse_login(login, &self.default_domain).ok()
    }

    fn credentials_now(&self, login: &str) -> Credentials {
        let account = self.login(login);
        let tables = self.tables.read();
        let stored = account.as_ref().and_then(|account| tables.password(account));
        if let Some(stored) = stored {
            return Credentials { account, keys: stored.scram.clone() };
        }
        let canonical = account.map_or_else(|| login.to_lowercase(), |account| account.to_string());
        let iterations = self.hashers.scram_iterations();
        let keys = ScramKeys::decoy(tables.decoy_secret(), &canonical, SALT_BYTES, iterations);
        Credentials { account: None, keys }
    }

    async fn password_verified(
        &self,
        login: &str,
        password: &Password,
    ) -> Result<Option<AccountName>, DirectoryError> {
        let account = self.login(login);
        let hash = account
            .as_ref()
            .and_then(|account| self.tables.read().password(account).map(|stored| stored.hash.clone()));
        let right = self.hashers.verify(hash, password).await?;
        Ok(account.filter(|_| right))
    }
}

impl Directory for Embedded {
    fn default_domain(&self) -> &Domain {
        &self.default_domain
    }

    fn domain<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Option<DomainEntry>> {
        Box::pin(async { Ok(self.tables.read().domains.get(domain).cloned()) })
    }

    fn account<'a>(&'a self, account: &'a AccountName) -> Answer<'a, Option<AccountEntry>> {
        Box::pin(async { Ok(self.tables.read().accounts.get(account).map(|row| row.entry(account))) })
    }

    fn resolve<'a>(&'a self, address: &'a Address) -> Answer<'a, Resolution> {
        Box::pin(async { self.tables.read().resolve(address) })
    }

    fn addresses_of<'a>(&'a self, account: &'a AccountName) -> Answer<'a, Vec<Address>> {
        Box::pin(async { Ok(self.tables.read().addresses_of(account)) })
    }

    fn verify_password<'a>(
        &'a self,
        login: &'a str,
        password: &'a Password,
    ) -> Answer<'a, Option<AccountName>> {
        Box::pin(self.password_verified(login, password))
    }

    fn credentials<'a>(&'a self, login: &'a str) -> Answer<'a, Credentials> {
        Box::pin(async { Ok(self.credentials_now(login)) })
    }

    fn for_peer(&self, address: IpAddr) -> Option<Arc<dyn Directory>> {
        Some(Arc::new(Guarded::new(self.clone(), self.guesses.clone(), address)))
    }
}
