//! One mailbox as its readers find it: the snapshot that is published now, and who is told of the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::counters::Counters;
use crate::snapshot::Change;
use crate::{MailboxId, MailboxSnapshot, ModSeq, RecentClaim, Uid, UidValidity};

/// A committed change and the counters after it.
pub(crate) type Committed = (Change, Counters);

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
    /// Bytes of the published snapshot.
    bytes: AtomicUsize,
    /// When the snapshot was last asked for, in seconds of the store's life.
    used: AtomicU64,
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
    pub(crate) fn new(id: MailboxId, uid_validity: UidValidity, counters: Counters) -> Self {
        Self {
            id,
            uid_validity,
            published: ArcSwapOption::empty(),
            state: Mutex::new(State { counters, missed: None }),
            modseq: watch::Sender::new(counters.modseq),
            recent_from: AtomicU32::new(counters.recent_from.number()),
            deleted: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            used: AtomicU64::new(0),
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
        self.published.store(None);
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

    fn publish(&self, snapshot: MailboxSnapshot) -> Arc<MailboxSnapshot> {
        let snapshot = Arc::new(snapshot);
        self.bytes.store(snapshot.memory_bytes(), Ordering::Relaxed);
        if !self.is_deleted() {
            self.published.store(Some(snapshot.clone()));
        }
        snapshot
    }

    /// Lets the snapshot go; those who hold it keep it.
    pub(crate) fn evict(&self) {
        let _state = self.state.lock();
        self.published.store(None);
        self.bytes.store(0, Ordering::Relaxed);
    }
}
