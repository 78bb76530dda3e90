//! What readers see: names, mailboxes, snapshots. Written by the sequencer's thread after each commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use journal::{StoreError, View};
use parking_lot::RwLock;

use crate::counters::Counters;
use crate::entry::Entry;
use crate::load;
use crate::namespace::Namespace;
use crate::slot::Slot;
use crate::{MailboxId, MailboxSnapshot, MailstoreError};

/// The committed state of the store in memory.
pub(crate) struct Shared {
    pub(crate) view: Arc<dyn View>,
    names: RwLock<Namespace>,
    slots: RwLock<HashMap<MailboxId, Arc<Slot>>>,
    snapshot_bytes_max: usize,
    opened: Instant,
}

impl Shared {
    pub(crate) fn new(view: Arc<dyn View>, snapshot_bytes_max: usize) -> Self {
        Self {
            view,
            names: RwLock::default(),
            slots: RwLock::default(),
            snapshot_bytes_max,
            opened: Instant::now(),
        }
    }

    /// Reads all names and counters from the view.
    pub(crate) fn load(&self) -> Result<(), StoreError> {
        let view = self.view.snapshot();
        let names = Namespace::load(&*view)?;
        let counters = load::counters_all(&*view)?;
        let slot = |row: &crate::entry::MailboxRow| {
            let counters = counters.get(&row.id).copied().unwrap_or_else(|| Counters::new(row.modseq));
            (row.id, Arc::new(Slot::new(row.id, row.uid_validity, counters)))
        };
        *self.slots.write() = names.mailboxes().map(slot).collect();
        *self.names.write() = names;
        Ok(())
    }

    /// Asks the names a question.
    pub(crate) fn names<T>(&self, question: impl FnOnce(&Namespace) -> T) -> T {
        question(&self.names.read())
    }

    pub(crate) fn slot(&self, mailbox: MailboxId) -> Option<Arc<Slot>> {
        self.slots.read().get(&mailbox).cloned()
    }

    /// Shows committed changes of names and the mailboxes that came and went with them.
    pub(crate) fn names_commit(&self, entries: &[Entry]) {
        let mut names = self.names.write();
        entries.iter().for_each(|entry| names.absorb(entry));
        drop(names);
        for entry in entries {
            if let Entry::MailboxRow(row) = entry {
                self.mailbox_commit(row);
            }
        }
    }

    fn mailbox_commit(&self, row: &crate::entry::MailboxRow) {
        let mut slots = self.slots.write();
        if row.deleted.is_some() {
            slots.remove(&row.id).iter().for_each(|slot| slot.delete());
            return;
        }
        let slot = || Arc::new(Slot::new(row.id, row.uid_validity, Counters::new(row.modseq)));
        slots.entry(row.id).or_insert_with(slot);
    }

    pub(crate) fn used(&self, slot: &Slot) {
        slot.used_at(self.opened.elapsed().as_secs());
    }

    /// Reads a mailbox from the view and publishes it. Blocks.
    pub(crate) fn slot_load(&self, slot: &Slot) -> Result<Arc<MailboxSnapshot>, MailstoreError> {
        slot.load_begin();
        let loaded = load::mailbox(&*self.view.snapshot(), slot.id, slot.uid_validity);
        let loaded = loaded.inspect_err(|_| slot.load_cancel())?;
        let empty = || MailboxSnapshot::new(slot.id, slot.uid_validity, slot.counters(), []);
        let snapshot = slot.load_end(loaded.unwrap_or_else(empty));
        self.used(slot);
        self.evict_over_budget();
        Ok(snapshot)
    }

    /// Lets the mailboxes go that were not used for longest, a tenth more than must be.
    pub(crate) fn evict_over_budget(&self) {
        let slots = self.slots.read();
        let held: Vec<_> = slots.values().filter(|slot| slot.bytes() > 0).cloned().collect();
        drop(slots);
        let total: usize = held.iter().map(|slot| slot.bytes()).sum();
        if total > self.snapshot_bytes_max {
            evict(held, total - self.snapshot_bytes_max / 10 * 9);
        }
    }
}

fn evict(mut held: Vec<Arc<Slot>>, mut bytes: usize) {
    held.sort_by_key(|slot| slot.used());
    for slot in held {
        if bytes == 0 {
            return;
        }
        bytes = bytes.saturating_sub(slot.bytes());
        slot.evict();
    }
}
