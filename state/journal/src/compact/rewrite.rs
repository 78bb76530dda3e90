//! Saying anew, batch by batch, what the keys of a segment are now.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use super::examine::stated;
use super::pace::Pace;
use super::read::States;
use super::{CompactionError, Source};
use crate::Journal;
use crate::lsn::Lsn;
use crate::record::{Class, Record};
use crate::restate::{Carried, Restating};
use crate::segment::{Data, SegmentReader, State};
use crate::sequencer::SequencerHandle;
use crate::store::Store;
use crate::view::ViewRead;

/// Goes through one segment.
pub(super) struct Rewrite<'a, S: Store> {
    pub source: &'a Source,
    pub handle: &'a SequencerHandle<S>,
    pub view: &'a dyn ViewRead,
    pub pace: &'a mut Pace,
    pub segment: Range<Lsn>,
    pub held_before: Arc<HashSet<u64>>,
    /// Keys that were said anew.
    seen: HashSet<S::Key>,
    batch: Batch<S>,
    written_bytes: u64,
}

/// Keys that are said anew together.
struct Batch<S: Store> {
    keys: Vec<S::Key>,
    carried: Vec<Carried<S::Key>>,
    /// Bytes of the records that they come from.
    bytes: usize,
}

impl<S: Store> Batch<S> {
    fn new() -> Self {
        Self { keys: Vec::new(), carried: Vec::new(), bytes: 0 }
    }

    fn is_full(&self) -> bool {
        self.keys.len() >= S::KEYS_AT_ONCE || self.bytes >= limits::BULK_BYTES_MAX
    }
}

impl<'a, S: Store> Rewrite<'a, S> {
    pub fn new(
        source: &'a Source,
        handle: &'a SequencerHandle<S>,
        view: &'a dyn ViewRead,
        pace: &'a mut Pace,
        segment: Range<Lsn>,
        held_before: Arc<HashSet<u64>>,
    ) -> Self {
        let (seen, batch) = (HashSet::new(), Batch::new());
        Self { source, handle, view, pace, segment, held_before, seen, batch, written_bytes: 0 }
    }

    /// Says anew all keys of the segment. Gives the bytes of the records that this took.
    pub fn run(mut self) -> Result<u64, CompactionError> {
        let segment = self.source.journal.files().segment(self.segment.start)?;
        let mut states = States::new(SegmentReader::new(segment), self.segment.end);
        while let Some(frame) = states.step()? {
            for state in &frame.states {
                self.add(state)?;
            }
        }
        self.flush()?;
        Ok(self.written_bytes)
    }

    /// Reads all data that would have to be written again, and writes nothing.
    pub fn check(&mut self) -> Result<(), CompactionError> {
        let segment = self.source.journal.files().segment(self.segment.start)?;
        let mut states = States::new(SegmentReader::new(segment), self.segment.end);
        while let Some(frame) = states.step()? {
            for state in &frame.states {
                let Some(data) = state.data else { continue };
                if S::needed(self.view, &stated(state))?.data {
                    self.source.journal.record_read(&data.place)?;
                    self.paced(u64::from(data.place.len))?;
                }
            }
        }
        Ok(())
    }

    fn paced(&mut self, bytes: u64) -> Result<(), CompactionError> {
        self.pace.done(bytes).then_some(()).ok_or(CompactionError::Stopped)
    }

    fn add(&mut self, state: &State) -> Result<(), CompactionError> {
        let keys = S::keys(&state.stored.record)?;
        if let Some(data) = state.data {
            self.carry(state, data, keys.first())?;
        }
        self.batch.bytes += state.stored.place.len as usize;
        for key in keys {
            if self.seen.insert(key.clone()) {
                self.batch.keys.push(key);
            }
            if self.batch.is_full() {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Takes along the data before a record, if it is needed. Its key goes with it, whether it was said before or not.
    fn carry(&mut self, state: &State, data: Data, key: Option<&S::Key>) -> Result<(), CompactionError> {
        let (Some(key), true) = (key, S::needed(self.view, &stated(state))?.data) else { return Ok(()) };
        let bytes = self.source.journal.record_read(&data.place)?;
        if self.batch.bytes > 0 && self.batch.bytes + bytes.len() > limits::BULK_BYTES_MAX {
            self.flush()?;
        }
        self.batch.bytes += bytes.len();
        if self.seen.insert(key.clone()) || !self.batch.keys.contains(key) {
            self.batch.keys.push(key.clone());
        }
        let record = Record { kind: data.kind, class: Class::Body, bytes };
        self.batch.carried.push(Carried { key: key.clone(), place: data.place, record });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CompactionError> {
        let Batch { keys, carried, bytes } = std::mem::replace(&mut self.batch, Batch::new());
        if keys.is_empty() {
            return Ok(());
        }
        let (segment, held_before) = (self.segment.clone(), self.held_before.clone());
        let restated = self.handle.restate_blocking(Restating { keys, carried, segment, held_before })?;
        self.written_bytes += restated.bytes as u64;
        // Read once, written once.
        self.paced((bytes + restated.bytes) as u64)
    }
}
