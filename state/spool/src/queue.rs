//! The queue in memory: what waits, until when, and who has it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::entry::{Copy, Entry};
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
    claims: HashMap<QueueId, HashSet<u32>>,
    /// By when the first of its unclaimed recipients is due; held messages are not in it.
    ready: BTreeSet<(Timestamp, QueueId)>,
    ready_at: HashMap<QueueId, Timestamp>,
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
            match entry {
                Some(entry) => lanes.entries.insert(queue_id, entry),
                None => lanes.entries.remove(&queue_id),
            };
            lanes.reindex(queue_id);
        }
        metrics::gauge!("tartan_spool_messages").set(lanes.entries.len() as f64);
        drop(lanes);
        self.wake.notify_one();
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

    /// Gives claimed recipients back.
    pub fn unclaim(&self, queue_id: QueueId, indexes: &[u32]) {
        let mut lanes = self.lanes.lock();
        if let Some(claims) = lanes.claims.get_mut(&queue_id) {
            claims.retain(|index| !indexes.contains(index));
            if claims.is_empty() {
                lanes.claims.remove(&queue_id);
            }
        }
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
            let waiting = |copy: &&Copy| copy.is_pending();
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
    /// Claims the first group of a message that is due.
    fn claim(&mut self, queue_id: QueueId, now: Timestamp) -> Option<Group> {
        let entry = self.entries.get(&queue_id)?.clone();
        let claims = self.claims.entry(queue_id).or_default();
        let due = |(index, copy): &(usize, &Copy)| {
            copy.is_pending() && copy.progress.next <= now && !claims.contains(&(*index as u32))
        };
        let due: Vec<_> = entry.recipients.iter().enumerate().filter(due).collect();
        let first = due.first().map(|(_, copy)| &copy.route.next_hop);
        let indexes: Vec<_> = first.map_or(Vec::new(), |first| {
            let same = due.iter().filter(|(_, copy)| copy.route.next_hop.is_one_with(first));
            same.map(|(index, _)| *index as u32).collect()
        });
        claims.extend(&indexes);
        if claims.is_empty() {
            self.claims.remove(&queue_id);
        }
        self.reindex(queue_id);
        (!indexes.is_empty()).then_some(Group { entry, indexes })
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
        let entry = self.entries.get(&queue_id).filter(|entry| entry.held.is_none())?;
        let claims = self.claims.get(&queue_id);
        let is_claimed = |index: usize| claims.is_some_and(|claims| claims.contains(&(index as u32)));
        let waiting = entry.recipients.iter().enumerate();
        let waiting = waiting.filter(|(index, copy)| copy.is_pending() && !is_claimed(*index));
        waiting.map(|(_, copy)| copy.progress.next).min()
    }
}
