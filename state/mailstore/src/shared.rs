//! What readers see: names, mailboxes, snapshots. Written by the sequencer's thread after each commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use journal::{StoreError, View};
use parking_lot::RwLock;

use crate::counters::Counters;
use crate::entry::{Entry, MailboxRow};
use crate::load;
use crate::namespace::Namespace;
use crate::slot::{Held, Slot};
use crate::{MailboxId, MailboxSnapshot, MailstoreError};

/// The committed state of the store in memory.
pub(crate) struct Shared {
    pub(crate) view: Arc<dyn View>,
    names: RwLock<Namespace>,
    slots: RwLock<HashMap<MailboxId, Arc<Slot>>>,
    held: Arc<Held>,
    snapshot_bytes_max: usize,
    opened: Instant,
}

impl Shared {
    pub(crate) fn new(view: Arc<dyn View>, snapshot_bytes_max: usize) -> Self {
        Self {
            view,
            names: RwLock::default(),
            slots: RwLock::default(),
            held: Arc::default(),
            snapshot_bytes_max,
            opened: Instant::now(),
        }
    }

    /// Reads all names and counters from the view.
    pub(crate) fn load(&self) -> Result<(), StoreError> {
        let view = self.view.snapshot();
        let names = Namespace::load(&*view)?;
        let counters = load::counters_all(&*view, &names)?;
        let slot = |row: &MailboxRow| {
            let counters = counters.get(&row.id).copied().unwrap_or_else(|| Counters::new(row.modseq));
            (row.id, Arc::new(Slot::new(row, counters, self.held.clone())))
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

    /// Shows committed changes of names and the mailboxes that came and went with them. A name that is seen has its
    /// mailbox.
    pub(crate) fn names_commit(&self, entries: &[Entry]) {
        let mailboxes = || entries.iter().filter_map(Entry::mailbox);
        let (mut slots, held) = (self.slots.write(), &self.held);
        for row in mailboxes().filter(|row| row.deleted.is_none()) {
            let slot = || Arc::new(Slot::new(row, Counters::new(row.modseq), held.clone()));
            slots.entry(row.id).or_insert_with(slot);
        }
        drop(slots);
        let mut names = self.names.write();
        entries.iter().for_each(|entry| names.absorb(entry));
        drop(names);
        let mut slots = self.slots.write();
        for row in mailboxes().filter(|row| row.deleted.is_some()) {
            slots.remove(&row.id).iter().for_each(|slot| slot.delete());
        }
    }

    pub(crate) fn used(&self, slot: &Slot) {
        slot.used_at(self.opened.elapsed().as_secs());
    }

    /// Reads a mailbox from the view and publishes it. Blocks.
    pub(crate) fn slot_load(&self, slot: &Slot) -> Result<Arc<MailboxSnapshot>, MailstoreError> {
        metrics::counter!("tartan_mailstore_snapshot_loads_total").increment(1);
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
        let held = self.held.bytes();
        if held > self.snapshot_bytes_max {
            let slots = self.slots.read();
            let slots =
                slots.values().filter(|slot| slot.bytes() > 0 && !slot.is_pinned()).cloned().collect();
            evict(slots, held - self.snapshot_bytes_max / 10 * 9);
        }
        metrics::gauge!("tartan_mailstore_snapshot_bytes").set(self.held.bytes() as f64);
    }
}

fn evict(mut slots: Vec<Arc<Slot>>, mut bytes: usize) {
    slots.sort_by_key(|slot| slot.used());
    for slot in slots {
        if bytes == 0 {
            return;
        }
        bytes = bytes.saturating_sub(slot.bytes());
        slot.evict();
    }
}
