//! The directory of a system that has no other: a journal and what it says, in memory.

mod backup;
mod check;
mod edit;
mod record;
mod rules;
mod store;
mod tables;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use address::{AccountName, Address, Domain};
use disk::Disk;
use journal::{
    Compaction, CompactionError, CompactionReport, CompactionSettings, Compactor, JournalSettings,
    LocalJournal, Lsn, MemoryView, Sequencer, SequencerError, SequencerHandle, SequencerSettings, View,
};
use parking_lot::{Mutex, RwLock};
use sasl::{Password, ScramKeys};

pub use self::check::CheckReport;
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
    /// Ends before the sequencer does.
    compactor: Arc<Mutex<Option<Compactor>>>,
    sequencer: Arc<Mutex<Option<Sequencer<DirectoryStore>>>>,
    journal: LocalJournal,
    view: Arc<dyn View>,
}

impl Embedded {
    /// Opens the directory in `dir`, or begins a new one. Reads files: not for an async task.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        default_domain: Domain,
        passwords: PasswordSettings,
    ) -> Result<Self, DirectoryError> {
        Self::open_with(disk, dir, default_domain, passwords, JournalSettings::default())
    }

    /// The same with settings for its journal.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        dir: &Path,
        default_domain: Domain,
        passwords: PasswordSettings,
        journal: JournalSettings,
    ) -> Result<Self, DirectoryError> {
        let hashers = Hashers::new(passwords)?;
        let settings = JournalSettings { store: STORE, ..journal };
        let journal = LocalJournal::open(disk, dir, settings, Lsn::ZERO)?;
        let view: Arc<dyn View> = Arc::new(MemoryView::new(&record::TABLES));
        let tables = Arc::new(RwLock::new(Tables::default()));
        let store = DirectoryStore::new(tables.clone(), random()?);
        let settings = SequencerSettings::new(STORE);
        let sequencer = Sequencer::open(store, Arc::new(journal.clone()), view.clone(), settings)?;
        let handle = sequencer.handle();
        let sequencer = Arc::new(Mutex::new(Some(sequencer)));
        let (guesses, compactor) = (Guesses::default(), Arc::default());
        Ok(Self { default_domain, tables, hashers, guesses, handle, compactor, sequencer, journal, view })
    }

    /// Has the journal compacted by itself from here on. A directory that has failed is left as it is.
    pub fn compaction_start(&self, settings: CompactionSettings) -> io::Result<()> {
        if self.handle.failure().is_none() {
            *self.compactor.lock() = Some(self.compaction(settings).start()?);
        }
        Ok(())
    }

    /// One round of compaction, beside what goes on by itself. Blocks: not for an async task.
    pub fn compact(&self, settings: CompactionSettings) -> Result<CompactionReport, CompactionError> {
        self.compaction(settings).run_once()
    }

    fn compaction(&self, settings: CompactionSettings) -> Compaction<DirectoryStore> {
        Compaction::new(self.handle.clone(), self.journal.clone(), self.view.clone(), settings)
    }

    /// Answers what waits and closes the journal. Later changes fail; questions are still answered.
    pub fn stop(&self) -> Result<(), SequencerError> {
        drop(self.compactor.lock().take());
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
