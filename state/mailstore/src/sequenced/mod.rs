//! The store as its sequencer drives it: commands become records here, one after the other, on one thread.

mod append;
mod expunge;
mod flags;
mod frame;
mod keywords;
mod names;
mod purge;
mod restate;
mod restored;
mod transfer;

use std::collections::HashMap;
use std::sync::Arc;

use journal::{
    Lsn, Needed, Place, Record, Restating, Staged, Stated, Store, StoreError, Synced, ViewBatch, ViewRead,
};

use crate::apply::Applier;
use crate::command::{Command, Reply};
use crate::compaction::{self, Key};
use crate::counters::Counters;
use crate::entry::Entry;
use crate::fresh::Fresh;
use crate::load;
use crate::namespace::Namespace;
use crate::outcome::{Allocated, Appended};
use crate::rows::Marks;
use crate::shared::Shared;
use crate::snapshot::Change;
use crate::{MailboxId, MailboxSnapshot, MailstoreError, ModSeq};
use frame::Frame;
pub(crate) use purge::is_referred;

/// Committed state and, on top of it, what the frame that is being put together will make of it.
pub(crate) struct Sequenced {
    shared: Arc<Shared>,
    applier: Applier,
    names: Namespace,
    counters: HashMap<MailboxId, Counters>,
    marks: Marks,
    /// Records below are in `names`, `counters` and `marks`.
    absorbed: Lsn,
    /// Records are being replayed: `names` has not been counted.
    replaying: bool,
    frame: Frame,
    fresh: Fresh,
}

/// The answer to a command, lacking only the proof that it is durable.
pub(crate) enum Pending {
    Append(Result<Allocated, MailstoreError>),
    Other(Reply),
}

/// A change of one mailbox.
type MailboxChange = (MailboxId, Change, Counters);

impl Sequenced {
    pub(crate) fn new(shared: Arc<Shared>, fresh: Fresh) -> Self {
        Self {
            shared,
            applier: Applier::default(),
            names: Namespace::default(),
            counters: HashMap::new(),
            marks: Marks::default(),
            absorbed: Lsn::ZERO,
            replaying: false,
            frame: Frame::default(),
            fresh,
        }
    }

    /// Stages a record that changes no mailbox's messages.
    fn commit(&mut self, entry: impl Into<Entry>, staged: &mut Staged) {
        self.commit_changing(entry.into(), Vec::new(), staged);
    }

    /// Stages a record, and takes in what it says for the commands that follow.
    fn commit_changing(&mut self, entry: Entry, changes: Vec<MailboxChange>, staged: &mut Staged) {
        staged.push(entry.record());
        self.absorbed = staged.lsn_next();
        self.absorb(&entry);
        self.frame.add(entry, changes);
    }

    /// What compaction and purges say is known: nothing of it is seen any more, or it is as it was.
    fn absorb(&mut self, entry: &Entry) {
        self.marks.raise(entry);
        self.counters.extend(entry.counters());
        if let Some(deleted) = entry.mailbox().filter(|mailbox| mailbox.deleted.is_some()) {
            self.counters.remove(&deleted.id);
        }
        self.names.absorb(entry);
    }

    /// Takes in a record that was written before. Others that came before it may be missing.
    fn absorb_replayed(&mut self, entry: &Entry) {
        self.replaying = true;
        self.marks.raise(entry);
        self.counters.extend(entry.counters());
        self.names.absorb_uncounted(entry);
        if let Entry::Restated(restated) = entry {
            self.counters.extend(restated.counters());
        }
    }

    fn modseq_next(&mut self) -> ModSeq {
        self.marks.modseq = ModSeq::new(self.marks.modseq.number() + 1);
        self.marks.modseq
    }

    /// The counters of a mailbox that has not been deleted, with the in-memory claim of recent messages.
    fn counters(&self, mailbox: MailboxId) -> Result<Counters, MailstoreError> {
        if self.names.mailbox(mailbox).is_none() {
            return Err(MailstoreError::MailboxUnknown);
        }
        let mut counters = *self.counters.get(&mailbox).ok_or(MailstoreError::MailboxUnknown)?;
        if let Some(slot) = self.shared.slot(mailbox) {
            counters.recent_from = slot.recent_from();
        }
        Ok(counters)
    }

    /// The messages of a mailbox as the commands before this one leave them.
    fn messages(&mut self, mailbox: MailboxId) -> Result<&MailboxSnapshot, MailstoreError> {
        let row = self.names.mailbox(mailbox).ok_or(MailstoreError::MailboxUnknown)?;
        self.frame.mailbox(&self.shared, row)
    }

    fn stage_other(&mut self, command: Command, staged: &mut Staged) -> Result<Reply, MailstoreError> {
        match command {
            Command::AccountEnsure(ensure) => self.account_ensure(&ensure, staged).map(Reply::Mailbox),
            Command::MailboxCreate(create) => self.mailbox_create(&create, staged).map(Reply::Mailbox),
            Command::MailboxDelete(delete) => self.mailbox_delete(&delete, staged).map(|()| Reply::Done),
            Command::MailboxRename(rename) => self.mailbox_rename(&rename, staged).map(|()| Reply::Done),
            Command::Subscribe(subscribe) => self.subscribe(&subscribe, staged).map(|()| Reply::Done),
            Command::Store(store) => self.flags_store(&store, staged).map(Reply::Store),
            Command::Expunge(expunge) => self.expunge(&expunge, staged).map(Reply::Expunge),
            Command::Copy(copy) => self.copy(&copy, staged).map(Reply::Copy),
            Command::Move(copy) => self.move_messages(&copy, staged).map(Reply::Copy),
            Command::TransferAdd(add) => self.transfer_add(&add, staged).map(Reply::Transferred),
            Command::TransferCommit(commit) => self.transfer_commit(&commit, staged).map(Reply::Copy),
            Command::TransferPlace(place) => {
                self.transfer_place(&place, staged);
                Ok(Reply::Done)
            }
            Command::Purge(purge) => self.purge(purge, staged).map(Reply::Purged),
            Command::Restored => {
                self.restored(staged);
                Ok(Reply::Done)
            }
            Command::TransferAbort(transfer) => {
                self.transfer_abort(transfer, staged);
                Ok(Reply::Done)
            }
            Command::Append(_) => Err(MailstoreError::Unexpected),
        }
    }
}

impl Store for Sequenced {
    /// Many of them go into one record.
    const KEYS_AT_ONCE: usize = 1_000;

    type Key = Key;
    type Command = Command;
    type Pending = Pending;
    type Reply = Reply;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        self.frame = Frame::default();
        self.applier = Applier::load(view)?;
        self.marks = self.applier.marks();
        self.names = Namespace::load(view)?;
        self.counters = load::counters_all(view, &self.names)?;
        let modseq = self.counters.values().map(|counters| counters.modseq).max().unwrap_or_default();
        if modseq > self.marks.modseq {
            tracing::error!(marks = %self.marks.modseq, counters = %modseq, "modseq of the view is behind its records");
            self.marks.modseq = modseq;
        }
        self.absorbed = view.applied_lsn().next();
        Ok(())
    }

    fn weight(command: &Command) -> usize {
        command.weight()
    }

    fn stage(&mut self, command: Command, staged: &mut Staged) -> Pending {
        if let Command::Append(append) = command {
            return Pending::Append(self.append(*append, staged));
        }
        Pending::Other(self.stage_other(command, staged).unwrap_or_else(Reply::Refused))
    }

    fn apply(
        &mut self,
        lsn: Lsn,
        record: &Record,
        place: &Place,
        batch: &mut ViewBatch,
    ) -> Result<(), StoreError> {
        let entry = self.applier.apply(record, place, batch)?;
        if let Some(entry) = entry.filter(|_| lsn >= self.absorbed) {
            self.absorb_replayed(&entry);
        }
        Ok(())
    }

    /// Nothing names the files of bodies that were staged.
    fn revert(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        std::mem::take(&mut self.frame).revert();
        self.load(view)
    }

    fn publish(&mut self) {
        if std::mem::take(&mut self.replaying) {
            self.names.recount();
            self.counters.retain(|mailbox, _| self.names.mailbox(*mailbox).is_some());
        }
        std::mem::take(&mut self.frame).publish(&self.shared);
    }

    fn release(&mut self, pending: Pending, synced: &Synced) -> Reply {
        match pending {
            Pending::Append(Ok(allocated)) => {
                let body = allocated.body;
                Reply::Appended((Appended::new(allocated, synced), body))
            }
            Pending::Append(Err(error)) => Reply::Refused(error),
            Pending::Other(reply) => reply,
        }
    }

    fn grows(command: &Command) -> bool {
        command.grows()
    }

    fn keys(record: &Record) -> Result<Vec<Key>, StoreError> {
        compaction::keys(record)
    }

    fn needed(view: &dyn ViewRead, stated: &Stated<'_>) -> Result<Needed, StoreError> {
        compaction::needed(view, stated)
    }

    fn restate(
        &mut self,
        view: &dyn ViewRead,
        restating: &Restating<Key>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        self.say_again(view, restating, staged)
    }
}

#[cfg(test)]
mod tests;
