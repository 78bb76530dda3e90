//! The directory as its sequencer drives it.

use std::sync::Arc;

use address::{AccountName, Address, Domain};
use journal::{
    Lsn, Needed, Place, Record, Restating, Staged, Stated, Store, StoreError, Synced, ViewBatch, ViewRead,
};
use parking_lot::RwLock;

use super::check::tables_of;
use super::record::RowKey;
use super::tables::{Change, SECRET_BYTES, Tables};
use crate::password::StoredPassword;
use crate::{AddressEntry, DirectoryError};

/// What can be asked of the directory's owner.
#[derive(Debug)]
pub(super) enum Command {
    DomainAdd(Domain),
    DomainDelete(Domain),
    DomainPostmaster(Domain, Option<AccountName>),
    AccountAdd { name: AccountName, admin: bool, password: Option<StoredPassword> },
    AccountDelete(AccountName),
    AccountPassword(AccountName, StoredPassword),
    AddressAdd(AddressEntry),
    AddressDelete(Address),
}

/// The state behind the journal: what is staged, and what readers see.
pub(super) struct DirectoryStore {
    /// Committed and in-flight.
    draft: Tables,
    /// Committed.
    published: Arc<RwLock<Tables>>,
    unpublished: Vec<Change>,
    /// Written with the first change, if the directory has none yet.
    secret: [u8; SECRET_BYTES],
}

impl DirectoryStore {
    /// `published` is what readers hold; `secret` is for a directory that is new.
    pub(super) fn new(published: Arc<RwLock<Tables>>, secret: [u8; SECRET_BYTES]) -> Self {
        Self { draft: Tables::default(), published, unpublished: Vec::new(), secret }
    }

    fn stage_changes(&mut self, changes: Vec<Change>, staged: &mut Staged) {
        let secret = self.draft.secret.is_none().then_some(Change::SecretPut(self.secret));
        for change in secret.into_iter().chain(changes) {
            staged.push(change.record());
            self.draft.change(change);
        }
    }
}

impl Store for DirectoryStore {
    type Key = RowKey;
    type Command = Command;
    type Pending = Result<(), DirectoryError>;
    type Reply = Result<(), DirectoryError>;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        self.draft = tables_of(view)?;
        *self.published.write() = self.draft.clone();
        Ok(())
    }

    fn weight(command: &Command) -> usize {
        let targets = if let Command::AddressAdd(entry) = command { entry.targets.len() } else { 0 };
        1_024 + targets * limits::PATH_BYTES_MAX
    }

    fn stage(&mut self, command: Command, staged: &mut Staged) -> Result<(), DirectoryError> {
        let changes = self.draft.judge(command, staged.lsn_next().0)?;
        self.stage_changes(changes, staged);
        Ok(())
    }

    fn apply(
        &mut self,
        _lsn: Lsn,
        record: &Record,
        _place: &Place,
        batch: &mut ViewBatch,
    ) -> Result<(), StoreError> {
        let change = Change::decode(record.kind, &record.bytes)?;
        change.apply(record, batch);
        self.draft.change(change.clone());
        self.unpublished.push(change);
        Ok(())
    }

    fn publish(&mut self) {
        let mut published = self.published.write();
        self.unpublished.drain(..).for_each(|change| published.change(change));
    }

    fn release(
        &mut self,
        pending: Result<(), DirectoryError>,
        _synced: &Synced,
    ) -> Result<(), DirectoryError> {
        pending
    }

    fn revert(&mut self, _view: &dyn ViewRead) -> Result<(), StoreError> {
        self.draft = self.published.read().clone();
        Ok(())
    }

    /// What makes the directory smaller is done with little space too.
    fn grows(command: &Command) -> bool {
        match command {
            Command::DomainAdd(_)
            | Command::DomainPostmaster(..)
            | Command::AccountAdd { .. }
            | Command::AccountPassword(..)
            | Command::AddressAdd(_) => true,
            Command::DomainDelete(_) | Command::AccountDelete(_) | Command::AddressDelete(_) => false,
        }
    }

    fn keys(record: &Record) -> Result<Vec<RowKey>, StoreError> {
        Ok(vec![Change::decode(record.kind, &record.bytes)?.key()])
    }

    /// A row is a copy of the record that put it.
    fn needed(view: &dyn ViewRead, stated: &Stated<'_>) -> Result<Needed, StoreError> {
        let change = Change::decode(stated.record.kind, &stated.record.bytes)?;
        let (table, key) = change.row();
        let row = view.get(table, key.as_bytes())?;
        let is_it = row.as_ref().is_some_and(|row| *row == stated.record.bytes);
        let state_bytes = if is_it { stated.record.bytes.len() as u64 } else { 0 };
        Ok(Needed { state_bytes, data: false, is_removed: row.is_none() })
    }

    fn restate(
        &mut self,
        _view: &dyn ViewRead,
        restating: &Restating<RowKey>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        for key in &restating.keys {
            let gone = || restating.held_before(key).then(|| key.clone().delete()).flatten();
            if let Some(change) = self.draft.row_put(key).or_else(gone) {
                staged.push(change.record());
            }
        }
        Ok(())
    }
}
