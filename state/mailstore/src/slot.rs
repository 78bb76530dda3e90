//! One mailbox as its readers find it: the snapshot that is published now, and who is told of the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::counters::Counters;
use crate::entry::MailboxRow;
use crate::snapshot::Change;
use crate::{MailboxId, MailboxSnapshot, ModSeq, RecentClaim, Uid, UidValidity};

/// A committed change and the counters after it.
pub(crate) type Committed = (Change, Counters);

/// Bytes of all published snapshots together.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicUsize);

impl Held {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn replace(&self, before: usize, after: usize) {
        self.0.fetch_add(after, Ordering::Relaxed);
        self.0.fetch_sub(before, Ordering::Relaxed);
    }
}

/// A mailbox in memory. The snapshot comes and goes; the rest stays.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: MailboxId,
    pub(crate) uid_validity: UidValidity,
    published: ArcSwapOption<MailboxSnapshot>,
    state: Mutex<State>,
    modseq: watch::Sender<ModSeq>,
    /// Messages with smaller uids have been claimed as recent.
    recent_from: AtomicU32,
    deleted: AtomicBool,
    /// Bytes of the published snapshot; a part of `held`.
    bytes: AtomicUsize,
    held: Arc<Held>,
    /// When the snapshot was last asked for, in seconds of the store's life.
    used: AtomicU64,
    /// Those who need the snapshot to stay.
    pins: AtomicUsize,
    /// Held for writing while messages of a large copy are visible and have no rows of their own yet.
    pub(crate) placing: Arc<tokio::sync::RwLock<()>>,
    /// Held while the mailbox is read from the view, so that it is read once.
    pub(crate) loading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct State {
    counters: Counters,
    /// What was committed since a load began; the load does not know whether it saw it.
    missed: Option<Vec<Committed>>,
}

impl Slot {
    pub(crate) fn new(row: &MailboxRow, counters: Counters, held: Arc<Held>) -> Self {
        Self {
            id: row.id,
            uid_validity: row.uid_validity,
            published: ArcSwapOption::empty(),
            state: Mutex::new(State { counters, missed: None }),
            modseq: watch::Sender::new(counters.modseq),
            recent_from: AtomicU32::new(counters.recent_from.number()),
            deleted: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            held,
            used: AtomicU64::new(0),
            pins: AtomicUsize::new(0),
            placing: Arc::default(),
            loading: Arc::default(),
        }
    }

    /// The snapshot, if it is in memory. Takes no lock.
    pub(crate) fn published(&self) -> Option<Arc<MailboxSnapshot>> {
        self.published.load_full()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.state.lock().counters
    }

    pub(crate) fn changed(&self) -> watch::Receiver<ModSeq> {
        self.modseq.subscribe()
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub(crate) fn delete(&self) {
        self.deleted.store(true, Ordering::Release);
        self.evict();
        self.modseq.send_modify(|_| {});
    }

    pub(crate) fn recent_from(&self) -> Uid {
        Uid::new(self.recent_from.load(Ordering::Acquire)).unwrap_or(Uid::FIRST)
    }

    pub(crate) fn recent_claim(&self) -> RecentClaim {
        let until = self.counters().uid_next;
        let from = self.recent_from.fetch_max(until.number(), Ordering::AcqRel);
        let from = Uid::new(from).unwrap_or(Uid::FIRST);
        RecentClaim { from, until: until.max(from) }
    }

    pub(crate) fn used_at(&self, seconds: u64) {
        if self.used.load(Ordering::Relaxed) != seconds {
            self.used.store(seconds, Ordering::Relaxed);
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Shows readers what was committed. `whole`, if there is one, is the mailbox with all of it; without one, a
    /// mailbox that is not in memory stays out.
    pub(crate) fn commit(&self, changes: Vec<Committed>, whole: Option<MailboxSnapshot>) {
        let Some((_, counters)) = changes.last() else { return };
        let counters = *counters;
        let mut state = self.state.lock();
        state.counters = counters;
        if let Some(snapshot) = whole.or_else(|| self.brought_forward(&changes)) {
            self.publish(snapshot);
        }
        if let Some(missed) = &mut state.missed {
            missed.extend(changes);
        }
        drop(state);
        self.modseq.send_replace(counters.modseq);
    }

    fn brought_forward(&self, changes: &[Committed]) -> Option<MailboxSnapshot> {
        let mut snapshot = (*self.published()?).clone();
        snapshot.apply_newer(changes);
        Some(snapshot)
    }

    /// A load begins: from here on commits are kept for it.
    pub(crate) fn load_begin(&self) {
        self.state.lock().missed = Some(Vec::new());
    }

    /// A load has failed.
    pub(crate) fn load_cancel(&self) {
        self.state.lock().missed = None;
    }

    /// A load has ended: brings what it read up to date and publishes it.
    pub(crate) fn load_end(&self, mut loaded: MailboxSnapshot) -> Arc<MailboxSnapshot> {
        let mut state = self.state.lock();
        loaded.apply_newer(&state.missed.take().unwrap_or_default());
        self.publish(loaded)
    }

    /// Called with the state locked.
    fn publish(&self, snapshot: MailboxSnapshot) -> Arc<MailboxSnapshot> {
        let snapshot = Arc::new(snapshot);
        if !self.is_deleted() {
            self.bytes_set(snapshot.memory_bytes());
            self.published.store(Some(snapshot.clone()));
        }
        snapshot
    }

    /// Lets the snapshot go, unless it is pinned; those who hold it keep it.
    pub(crate) fn evict(&self) {
        let _state = self.state.lock();
        if self.is_pinned() && !self.is_deleted() {
            return;
        }
        self.published.store(None);
        self.bytes_set(0);
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) > 0
    }

    fn bytes_set(&self, bytes: usize) {
        self.held.replace(self.bytes.swap(bytes, Ordering::Relaxed), bytes);
    }
}

/// Keeps the snapshot of a mailbox in memory, once it is there.
#[derive(Debug)]
pub(crate) struct Pin(Arc<Slot>);

impl Pin {
    pub(crate) fn new(slot: Arc<Slot>) -> Self {
        let state = slot.state.lock();
        slot.pins.fetch_add(1, Ordering::AcqRel);
        drop(state);
        Self(slot)
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.pins.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message_row::Message;
    use crate::{BodyId, EmailId, Flags, ThreadId};

    fn row() -> MailboxRow {
        let (modseq, uid_validity) = (ModSeq::new(1), UidValidity::new(1).unwrap());
        MailboxRow { id: MailboxId(1), uid_validity, special_use: None, created: 0, modseq, deleted: None }
    }

    fn slot() -> Slot {
        Slot::new(&row(), Counters::new(ModSeq::new(1)), Arc::default())
    }

    /// The message with this uid arrives at the modseq after it.
    fn arrival(uid: u32) -> Committed {
        let uid = Uid::new(uid).unwrap();
        let modseq = ModSeq::new(u64::from(uid.number()) + 1);
        let message = Message {
            uid,
            modseq,
            flags: Flags::EMPTY,
            internal_date: 0,
            save_date: 0,
            size: 1,
            body: BodyId(1),
            email_id: EmailId(1),
            thread_id: ThreadId(1),
        };
        let uid_next = uid.successor().unwrap();
        let counters = Counters { uid_next, messages: uid.number(), ..Counters::new(modseq) };
        (Change::Append(vec![message]), counters)
    }

    /// The mailbox with the first `count` messages, as the view would give it.
    fn loaded(count: u32) -> MailboxSnapshot {
        let row = row();
        let mut snapshot = MailboxSnapshot::new(row.id, row.uid_validity, Counters::new(row.modseq), []);
        snapshot.apply_newer(&(1..=count).map(arrival).collect::<Vec<_>>());
        snapshot
    }

    fn uids(slot: &Slot) -> Vec<u32> {
        slot.published().unwrap().rows().map(|row| row.uid.number()).collect()
    }

    #[test]
    fn a_load_takes_in_what_was_committed_while_it_read() {
        let slot = slot();
        slot.commit(vec![arrival(1)], None);
        slot.load_begin();
        slot.commit(vec![arrival(2)], None);
        slot.commit(vec![arrival(3)], None);
        // The view was read between the two commits.
        slot.load_end(loaded(2));
        assert_eq!(uids(&slot), [1, 2, 3]);
    }

    #[test]
    fn a_load_that_is_ahead_of_the_commit_shows_it_once() {
        let slot = slot();
        slot.load_begin();
        // The view has the message; the sequencer has not yet come to publish it.
        slot.load_end(loaded(1));
        slot.commit(vec![arrival(1)], None);
        slot.commit(vec![arrival(2)], None);
        assert_eq!(uids(&slot), [1, 2]);
    }

    #[test]
    fn a_commit_leaves_a_mailbox_out_of_memory_that_was_out() {
        let slot = slot();
        slot.commit(vec![arrival(1)], None);
        assert!(slot.published().is_none());
        assert_eq!(slot.counters().messages, 1);
        assert_eq!(*slot.changed().borrow(), ModSeq::new(2));
    }

    #[test]
    fn held_bytes_are_those_of_the_published_snapshots() {
        let slot = slot();
        slot.load_begin();
        slot.load_end(loaded(10));
        assert_eq!(slot.held.bytes(), slot.bytes());
        assert!(slot.bytes() > 0);
        slot.evict();
        assert_eq!(slot.held.bytes(), 0);
        slot.load_begin();
        slot.load_end(loaded(10));
        let slot = Arc::new(slot);
        let (pin, second) = (Pin::new(slot.clone()), Pin::new(slot.clone()));
        drop(second);
        slot.evict();
        assert!(slot.published().is_some(), "pinned");
        drop(pin);
        slot.evict();
        assert!(slot.published().is_none());
        slot.delete();
        slot.load_begin();
        slot.load_end(loaded(10));
        assert!(slot.published().is_none() && slot.held.bytes() == 0);
    }
}
