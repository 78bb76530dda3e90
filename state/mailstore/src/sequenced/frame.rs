//! What the frame that is being put together will change, and the mailboxes that its commands looked at.

use std::collections::{BTreeSet, HashMap, HashSet};

use compact_str::CompactString;

use crate::counters::Counters;
use crate::entry::{Entry, MailboxRow};
use crate::id::TransferId;
use crate::load;
use crate::prepare::ClaimedFile;
use crate::rows::{self, ThreadKey};
use crate::shared::Shared;
use crate::slot::Committed;
use crate::snapshot::Change;
use crate::{MailboxId, MailboxSnapshot, MailstoreError, ThreadId};

use super::MailboxChange;

/// Changes that are staged and not yet durable; published and forgotten after the sync.
#[derive(Default)]
pub(super) struct Frame {
    mailboxes: HashMap<MailboxId, Staging>,
    /// Records that change names.
    names: Vec<Entry>,
    /// Rows of `threads` that the view does not have yet.
    threads: HashMap<ThreadKey, ThreadId>,
    /// Keywords that are new to a mailbox.
    keywords: HashMap<MailboxId, BTreeSet<CompactString>>,
    /// Pieces of large copies that get rows of their own.
    placed: HashSet<(TransferId, u32)>,
    /// Files that records of this frame name.
    files: Vec<ClaimedFile>,
}

#[derive(Default)]
struct Staging {
    changes: Vec<Committed>,
    /// The mailbox with all changes; made when a command has to see its messages.
    working: Option<MailboxSnapshot>,
}

impl Frame {
    pub(super) fn add(&mut self, entry: Entry, changes: Vec<MailboxChange>) {
        for (mailbox, change, counters) in changes {
            self.mailboxes.entry(mailbox).or_default().add(change, counters);
        }
        match &entry {
            Entry::MessageAppended(appended) => {
                let keys = rows::thread_keys(appended.owner, &appended.thread_keys);
                self.threads.extend(keys.map(|key| (key, appended.message.thread_id)));
            }
            Entry::NameRow(_)
            | Entry::NameRemoved(_)
            | Entry::MailboxCreated(_)
            | Entry::MailboxRow(_)
            | Entry::SubscriptionSet(_) => self.names.push(entry),
            _ => {}
        }
    }

    /// The conversation under a key of `threads`, if a command of this frame has put it there.
    pub(super) fn thread(&self, key: &ThreadKey) -> Option<ThreadId> {
        self.threads.get(key).copied()
    }

    /// Keywords that commands of this frame have brought to a mailbox.
    pub(super) fn keywords(&self, mailbox: MailboxId) -> Option<&BTreeSet<CompactString>> {
        self.keywords.get(&mailbox)
    }

    pub(super) fn keywords_add(&mut self, mailbox: MailboxId, keywords: BTreeSet<CompactString>) {
        self.keywords.entry(mailbox).or_default().extend(keywords);
    }

    /// A piece of a large copy is placed; false if it has been.
    pub(super) fn placed_add(&mut self, transfer: TransferId, index: u32) -> bool {
        self.placed.insert((transfer, index))
    }

    /// The messages of a mailbox as the commands so far leave them.
    pub(super) fn mailbox(
        &mut self,
        shared: &Shared,
        row: &MailboxRow,
    ) -> Result<&MailboxSnapshot, MailstoreError> {
        let staging = self.mailboxes.entry(row.id).or_default();
        let working = match staging.working.take() {
            Some(working) => working,
            None => {
                let mut working = committed(shared, row)?;
                working.apply_newer(&staging.changes);
                working
            }
        };
        Ok(staging.working.insert(working))
    }

    pub(super) fn file_add(&mut self, file: ClaimedFile) {
        self.files.push(file);
    }

    /// The frame was not written and never will be.
    pub(super) fn revert(self) {
        self.files.into_iter().for_each(|file| drop(file.unclaim()));
    }

    pub(super) fn publish(self, shared: &Shared) {
        if !self.names.is_empty() {
            shared.names_commit(&self.names);
        }
        let mut grown = false;
        for (mailbox, staging) in self.mailboxes {
            if let Some(slot) = shared.slot(mailbox).filter(|_| !staging.changes.is_empty()) {
                grown |= staging.working.is_some();
                slot.commit(staging.changes, staging.working);
            }
        }
        if grown {
            shared.evict_over_budget();
        }
    }
}

impl Staging {
    fn add(&mut self, change: Change, counters: Counters) {
        if let Some(working) = &mut self.working {
            working.apply(&change, counters);
        }
        self.changes.push((change, counters));
    }
}

/// A mailbox without the changes of this frame: no other frame is in flight, so what is published is all.
/// One that this frame creates is empty.
fn committed(shared: &Shared, row: &MailboxRow) -> Result<MailboxSnapshot, MailstoreError> {
    if let Some(published) = shared.slot(row.id).and_then(|slot| slot.published()) {
        return Ok((*published).clone());
    }
    let loaded = load::mailbox(&*shared.view.snapshot(), row.id, row.uid_validity)?;
    let empty = || MailboxSnapshot::new(row.id, row.uid_validity, Counters::new(row.modseq), []);
    Ok(loaded.unwrap_or_else(empty))
}
