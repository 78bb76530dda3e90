//! Recently used values by body, within a budget of bytes.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::BodyId;

/// Parts of a cache that are locked one by one.
const SHARDS: usize = 16;

/// A cache that gives every value used since it was last looked at a second chance (CLOCK).
pub(crate) struct Cache<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
    shard_bytes_max: usize,
}

struct Shard<T> {
    values: HashMap<BodyId, Cached<T>>,
    queue: VecDeque<BodyId>,
    bytes: usize,
}

struct Cached<T> {
    value: T,
    bytes: usize,
    used: bool,
}

impl<T: Clone> Cache<T> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let shard = |_| Mutex::new(Shard { values: HashMap::new(), queue: VecDeque::new(), bytes: 0 });
        Self { shards: std::array::from_fn(shard), shard_bytes_max: bytes_max / SHARDS }
    }

    pub(crate) fn find(&self, body: BodyId) -> Option<T> {
        let mut shard = self.shard(body).lock();
        let cached = shard.values.get_mut(&body)?;
        cached.used = true;
        Some(cached.value.clone())
    }

    /// Puts a value in; one that is there already stays.
    pub(crate) fn insert(&self, body: BodyId, value: T, bytes: usize) {
        let mut shard = self.shard(body).lock();
        if bytes > self.shard_bytes_max || shard.values.contains_key(&body) {
            return;
        }
        shard.make_room(self.shard_bytes_max - bytes);
        shard.bytes += bytes;
        shard.queue.push_back(body);
        shard.values.insert(body, Cached { value, bytes, used: false });
    }

    fn shard(&self, body: BodyId) -> &Mutex<Shard<T>> {
        &self.shards[body.0 as usize % SHARDS]
    }
}

impl<T> Shard<T> {
    fn make_room(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max {
            let Some(body) = self.queue.pop_front() else { return };
            match self.values.get_mut(&body) {
                Some(cached) if cached.used => {
                    cached.used = false;
                    self.queue.push_back(body);
                }
                _ => self.bytes -= self.values.remove(&body).map_or(0, |cached| cached.bytes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies of one shard.
    fn body(n: u64) -> BodyId {
        BodyId(n * SHARDS as u64)
    }

    #[test]
    fn what_was_used_stays_and_the_budget_holds() {
        let cache = Cache::new(SHARDS * 100);
        (0..10).for_each(|n| cache.insert(body(n), n, 10));
        assert_eq!(cache.find(body(0)), Some(0));
        (10..19).for_each(|n| cache.insert(body(n), n, 10));
        assert_eq!(cache.find(body(0)), Some(0), "used, so kept");
        assert_eq!(cache.find(body(1)), None);
        assert!(cache.shard(body(0)).lock().bytes <= 100);
    }

    #[test]
    fn a_value_larger_than_the_budget_is_not_kept() {
        let cache = Cache::new(SHARDS * 100);
        cache.insert(body(1), 1, 101);
        assert_eq!(cache.find(body(1)), None);
    }
}
