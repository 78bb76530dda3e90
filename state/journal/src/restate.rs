//! What a store tells and hears when its journal is compacted.
//!
//! A record speaks of *keys*: the things that it makes, changes or removes. A segment is compacted by saying anew, at the
//! end of the journal, what each of its keys is now; then nothing in it is needed any more.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use crate::codec::Encoder;
use crate::lsn::{Lsn, Place};
use crate::record::Record;

/// A thing that records speak of: a mailbox, a message, a row.
pub trait Key: Clone + Eq + Hash + Send + Sync + Debug + 'static {
    /// Writes it so that equal keys give equal bytes and others do not. Hashes of these bytes are kept on disk; a change of
    /// the notation wants a new [`crate::Store::KEYS_VERSION`].
    fn encode(&self, encoder: &mut Encoder);
}

/// The key of a store that is not compacted: there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoKey {}

impl Key for NoKey {
    fn encode(&self, _: &mut Encoder) {
        match *self {}
    }
}

/// A record of state where compaction finds it, with the data that belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Stated<'a> {
    /// The record, of class [`crate::Class::State`].
    pub record: &'a Record,
    /// Where it is.
    pub place: Place,
    /// The record of class [`crate::Class::Body`] right before it in its frame, if there is one.
    pub data: Option<Place>,
}

/// What of a record its store still needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needed {
    /// Bytes of the record of state that would be written again, about.
    pub state_bytes: u64,
    /// Whether the data before it is needed *at this very place*: the view names this place for it.
    pub data: bool,
    /// Whether what it speaks of is gone, so that its removal is said again as long as older segments speak of it.
    pub is_removed: bool,
}

/// Data that a segment holds and that is to be written again.
#[derive(Debug, Clone)]
pub struct Carried<K> {
    /// What it belongs to: the first key of the record of state behind it.
    pub key: K,
    /// Where it stands now.
    pub place: Place,
    /// The data; its checksum was verified.
    pub record: Record,
}

/// Keys that a store is to say anew ([`crate::Store::restate`]).
#[derive(Debug, Clone)]
pub struct Restating<K> {
    /// The keys, in the order in which the segment's records speak of them first.
    pub keys: Vec<K>,
    /// The data of some of them, which was needed when it was read.
    pub carried: Vec<Carried<K>>,
    /// The records of the segment: from its first up to the one after its last.
    pub segment: Range<Lsn>,
    /// Hashes of those keys that older segments speak of too.
    pub(crate) held_before: Arc<HashSet<u64>>,
}

impl<K: Key> Restating<K> {
    /// For a test of a store: keys of which older segments hold `held_before`.
    pub fn new(segment: Range<Lsn>, keys: Vec<K>, carried: Vec<Carried<K>>, held_before: &[K]) -> Self {
        let hashes = held_before.iter().map(key_hash).collect();
        Self { keys, carried, segment, held_before: Arc::new(hashes) }
    }

    /// Whether an older segment that remains may speak of `key`: what is gone must then be said to be gone.
    pub fn held_before(&self, key: &K) -> bool {
        self.held_before.contains(&key_hash(key))
    }

    /// The data that came along for `key` from `place`, where the store's own state says that it is.
    pub fn carried(&self, key: &K, place: &Place) -> Option<&Record> {
        let found = self.carried.iter().find(|carried| carried.key == *key && carried.place == *place);
        found.map(|carried| &carried.record)
    }
}

/// What came of a batch of keys that was said anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restated {
    /// Records written.
    pub records: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// The hash by which a key is known in files: FNV-1a, 64 bits. Two keys with one hash cost a record too many, no more.
pub(crate) fn key_hash<K: Key>(key: &K) -> u64 {
    let mut encoder = Encoder::new();
    key.encode(&mut encoder);
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    encoder.finish().iter().fold(0xcbf2_9ce4_8422_2325, step)
}
