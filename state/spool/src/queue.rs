//! The queue in memory: what waits, until when, and who has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::entry::{Copy, Entry};
use crate::marks::Mark;
use crate::queue_id::QueueId;
use crate::shown::SpoolStat;

/// The queue as durable state makes it, and the claims of workers. Shared by the store, which changes it when a frame is
/// in the view, and by those who look for work.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    lanes: Mutex<Lanes>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Lanes {
    entries: BTreeMap<QueueId, Arc<Entry>>,
    /// Entries that are held.
    held: usize,
    claims: HashMap<QueueId, HashSet<u32>>,
    /// Recipients that are to be tried and that nobody has claimed, by when they are due.
    waiting: HashMap<QueueId, BTreeSet<(Timestamp, u32)>>,
    /// By when the first of its waiting recipients is due; held messages are not in it.
    ready: BTreeSet<(Timestamp, QueueId)>,
    ready_at: HashMap<QueueId, Timestamp>,
    /// Messages that were in hand when the last process died, with the marks that say so.
    suspects: HashMap<QueueId, Vec<Mark>>,
    /// The suspect that is being tried.
    on_trial: Option<QueueId>,
}

/// How a claim ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What came of the attempt is durable.
    Concluded,
    /// Nothing is known of it.
    Dropped,
}

/// Recipients of one message with one next hop, just claimed.
pub(crate) struct Group {
    pub entry: Arc<Entry>,
    pub indexes: Vec<u32>,
}

impl Queue {
    pub fn entry(&self, queue_id: QueueId) -> Option<Arc<Entry>> {
        self.lanes.lock().entries.get(&queue_id).cloned()
    }

    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.lanes.lock().entries.values().cloned().collect()
    }

    /// Takes over what a frame has made of messages.
    pub fn publish(&self, changes: impl IntoIterator<Item = (QueueId, Option<Arc<Entry>>)>) {
        let mut lanes = self.lanes.lock();
        for (queue_id, entry) in changes {
            lanes.replace(queue_id, entry);
        }
        drop(lanes);
        self.wake.notify_one();
    }

    /// Puts what there is into metrics.
    pub fn measure(&self) {
        let lanes = self.lanes.lock();
        metrics::gauge!("tartan_spool_messages").set(lanes.entries.len() as f64);
        metrics::gauge!("tartan_spool_held").set(lanes.held as f64);
    }

    /// Claims up to `max` groups that are due.
    pub fn claim(&self, now: Timestamp, max: usize) -> Vec<Group> {
        let mut lanes = self.lanes.lock();
        let ready = lanes.ready.iter().take_while(|(next, _)| *next <= now).take(max);
        let ready: Vec<_> = ready.map(|(_, queue_id)| *queue_id).collect();
        let mut groups = Vec::new();
        for queue_id in ready {
            while groups.len() < max
                && let Some(group) = lanes.claim(queue_id, now)
            {
                groups.push(group);
            }
        }
        groups
    }

    /// What the last process had in hand when it died is tried by itself from here on, one message at a time, so that the
    /// one that brought it down is found out and the others are not blamed for it.
    pub fn suspect(&self, in_hand: impl IntoIterator<Item = (QueueId, Mark)>) {
        let mut lanes = self.lanes.lock();
        for (queue_id, mark) in in_hand {
            if lanes.entries.contains_key(&queue_id) {
                lanes.suspects.entry(queue_id).or_default().push(mark);
            }
        }
        if !lanes.suspects.is_empty() {
            tracing::warn!(
                messages = lanes.suspects.len(),
                "in hand when the last process died: tried one at a time"
            );
        }
    }

    /// Whether the message was in hand when the last process died, and nothing has come of it since.
    pub fn is_suspect(&self, queue_id: QueueId) -> bool {
        self.lanes.lock().suspects.contains_key(&queue_id)
    }

    /// Gives claimed recipients back.
    pub fn unclaim(&self, queue_id: QueueId, indexes: &[u32], ended: Ended) {
        let mut lanes = self.lanes.lock();
        if let Some(claims) = lanes.claims.get_mut(&queue_id) {
            claims.retain(|index| !indexes.contains(index));
            if claims.is_empty() {
                lanes.claims.remove(&queue_id);
            }
        }
        indexes.iter().for_each(|index| lanes.wait(queue_id, *index));
        lanes.trial_end(queue_id, ended);
        lanes.reindex(queue_id);
        drop(lanes);
        self.wake.notify_one();
    }

    /// When the next recipient is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.lanes.lock().ready.first().map(|(next, _)| *next)
    }

    /// Waits until the queue may have changed since the last call.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Wakes who waits.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    pub fn stat(&self) -> SpoolStat {
        let lanes = self.lanes.lock();
        let mut stat = SpoolStat { messages: lanes.entries.len() as u64, ..SpoolStat::default() };
        for entry in lanes.entries.values() {
            stat.bytes += entry.bytes;
            stat.held += u64::from(entry.held.is_some());
            let waiting = |copy: &&Arc<Copy>| copy.is_pending();
            let deferred =
                entry.recipients.iter().filter(waiting).filter(|copy| copy.progress.attempts > 0).count();
            stat.deferred += deferred as u64;
            stat.queued += (entry.recipients.iter().filter(waiting).count() - deferred) as u64;
        }
        stat.claimed = lanes.claims.values().map(|claims| claims.len() as u64).sum();
        stat
    }
}

impl Lanes {
    /// Takes over what a frame has made of a message. Its recipients that are as before are the same in memory.
    fn replace(&mut self, queue_id: QueueId, entry: Option<Arc<Entry>>) {
        let is_held =
            |entry: &Option<Arc<Entry>>| usize::from(entry.as_ref().is_some_and(|e| e.held.is_some()));
        self.held += is_held(&entry);
        let Some(entry) = entry else {
            let before = self.entries.remove(&queue_id);
            self.held -= is_held(&before);
            self.waiting.remove(&queue_id);
            self.suspects.remove(&queue_id);
            return self.reindex(queue_id);
        };
        let before = self.entries.insert(queue_id, entry.clone());
        self.held -= is_held(&before);
        let before = before.as_ref().map_or(&[][..], |before| &before.recipients);
        for (index, copy) in entry.recipients.iter().enumerate() {
            let old = before.get(index);
            if old.is_some_and(|old| Arc::ptr_eq(old, copy)) {
                continue;
            }
            if let (Some(old), Some(waiting)) = (old, self.waiting.get_mut(&queue_id)) {
                waiting.remove(&(old.progress.next, index as u32));
            }
            self.wait(queue_id, index as u32);
        }
        self.reindex(queue_id);
    }

    /// A recipient waits, if it is to be tried and nobody has claimed it.
    fn wait(&mut self, queue_id: QueueId, index: u32) {
        let entry = self.entries.get(&queue_id);
        let Some(copy) = entry.and_then(|entry| entry.recipients.get(index as usize)) else { return };
        let is_claimed = self.claims.get(&queue_id).is_some_and(|claims| claims.contains(&index));
        if copy.is_pending() && !is_claimed {
            self.waiting.entry(queue_id).or_default().insert((copy.progress.next, index));
        }
    }

    /// Claims the first group of a message that is due.
    fn claim(&mut self, queue_id: QueueId, now: Timestamp) -> Option<Group> {
        self.next_of(queue_id)?;
        let entry = self.entries.get(&queue_id)?.clone();
        let waiting = self.waiting.get_mut(&queue_id)?;
        let next_hop = |index: u32| &entry.recipients[index as usize].route.next_hop;
        let mut due = waiting.range(..=(now, u32::MAX)).copied().peekable();
        let first = next_hop(due.peek()?.1);
        let group: Vec<_> = due.filter(|(_, index)| next_hop(*index).is_one_with(first)).collect();
        for place in &group {
            waiting.remove(place);
        }
        let mut indexes: Vec<_> = group.into_iter().map(|(_, index)| index).collect();
        indexes.sort_unstable();
        self.claims.entry(queue_id).or_default().extend(&indexes);
        self.reindex(queue_id);
        if self.suspects.contains_key(&queue_id) {
            self.on_trial = Some(queue_id);
            self.suspects_reindex();
        }
        Some(Group { entry, indexes })
    }

    /// A claim has ended; where it was that of the message on trial, it is the next one's turn.
    fn trial_end(&mut self, queue_id: QueueId, ended: Ended) {
        if self.on_trial != Some(queue_id) || self.claims.contains_key(&queue_id) {
            return;
        }
        self.on_trial = None;
        if ended == Ended::Concluded {
            self.suspects.remove(&queue_id);
        }
        self.suspects_reindex();
    }

    fn suspects_reindex(&mut self) {
        let suspects: Vec<_> = self.suspects.keys().copied().collect();
        suspects.into_iter().for_each(|queue_id| self.reindex(queue_id));
    }

    /// Brings `ready` up to date for one message.
    fn reindex(&mut self, queue_id: QueueId) {
        let next = self.next_of(queue_id);
        let before = match next {
            Some(next) => self.ready_at.insert(queue_id, next),
            None => self.ready_at.remove(&queue_id),
        };
        if let Some(before) = before {
            self.ready.remove(&(before, queue_id));
        }
        if let Some(next) = next {
            self.ready.insert((next, queue_id));
        }
    }

    fn next_of(&self, queue_id: QueueId) -> Option<Timestamp> {
        self.entries.get(&queue_id).filter(|entry| entry.held.is_none())?;
        if self.on_trial.is_some() && self.suspects.contains_key(&queue_id) {
            return None;
        }
        self.waiting.get(&queue_id)?.first().map(|(next, _)| *next)
    }
}
