//! The store as its sequencer drives it: commands become records here, one after the other, on one thread.

mod append;
mod expunge;
mod flags;
mod frame;
mod keywords;
mod names;
mod transfer;

use std::collections::HashMap;
use std::sync::Arc;

use journal::{Lsn, Place, Record, Staged, Store, StoreError, Synced, ViewBatch, ViewRead};

use crate::apply::Applier;
use crate::command::{Command, Reply};
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

/// Committed state and, on top of it, what the frame that is being put together will make of it.
pub(crate) struct Sequenced {
    shared: Arc<Shared>,
    applier: Applier,
    names: Namespace,
    counters: HashMap<MailboxId, Counters>,
    marks: Marks,
    /// Records below are in `names`, `counters` and `marks`.
    absorbed: Lsn,
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

    fn absorb(&mut self, entry: &Entry) {
        self.marks.raise(entry);
        self.counters.extend(entry.counters());
        if let Some(deleted) = entry.mailbox().filter(|mailbox| mailbox.deleted.is_some()) {
            self.counters.remove(&deleted.id);
        }
        self.names.absorb(entry);
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
            Command::TransferAbort(transfer) => {
                self.transfer_abort(transfer, staged);
                Ok(Reply::Done)
            }
            Command::Append(_) => Err(MailstoreError::Unexpected),
        }
    }
}

impl Store for Sequenced {
    type Key = journal::NoKey;
    type Command = Command;
    type Pending = Pending;
    type Reply = Reply;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        self.applier = Applier::load(view)?;
        self.marks = self.applier.marks();
        self.names = Namespace::load(view)?;
        self.counters = load::counters_all(view, &self.names)?;
        let modseq = self.counters.values().map(|counters| counters.modseq).max().unwrap_or_default();
        if modseq > self.marks.modseq {
            tracing::error!(marks = %self.marks.modseq, counters = %modseq, "modseq of the view is behind its records");
            self.marks.modseq = modseq;
        }
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
            self.absorb(&entry);
        }
        Ok(())
    }

    fn publish(&mut self) {
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
}

#[cfg(test)]
mod tests;
