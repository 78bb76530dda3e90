//! Finding out what of a segment is still needed, and what older segments speak of too.

use std::collections::HashSet;
use std::sync::Arc;

use super::keys::KeysOf;
use super::pace::Pace;
use super::read::States;
use super::{CompactionError, Source};
use crate::error::JournalError;
use crate::lsn::Lsn;
use crate::restate::{Stated, key_hash};
use crate::segment::{Segment, SegmentReader, State};
use crate::store::Store;
use crate::view::ViewRead;

/// What was found out about a segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Examined {
    /// Bytes of its records.
    pub bytes: u64,
    /// Bytes of those that are needed, about.
    pub live_bytes: u64,
    /// Hashes of what is gone, with the bytes of the records that say so.
    pub removed: Vec<(u64, u64)>,
}

impl Examined {
    /// The share of it that would have to be written again, but for removals.
    pub fn live_share(&self) -> f64 {
        self.live_bytes as f64 / self.bytes.max(1) as f64
    }

    /// The same with the removals of what older segments speak of.
    pub fn kept_share(&self, held_before: &HashSet<u64>) -> f64 {
        let held = self.removed.iter().filter(|(hash, _)| held_before.contains(hash));
        let kept: u64 = held.map(|(_, bytes)| bytes).sum();
        (self.live_bytes + kept) as f64 / self.bytes.max(1) as f64
    }
}

/// A record as the store sees it.
pub(super) fn stated(state: &State) -> Stated<'_> {
    let data = state.data.map(|data| data.place);
    Stated { record: &state.stored.record, place: state.stored.place, data }
}

impl Source {
    /// Examines the segment with these records, and leaves a file of its keys beside it.
    pub fn examine<S: Store>(
        &self,
        view: &dyn ViewRead,
        first: Lsn,
        next: Lsn,
        pace: &mut Pace,
    ) -> Result<Examined, CompactionError> {
        let segment = self.journal.files().segment(first)?;
        let mut states = States::new(SegmentReader::new(segment.clone()), next);
        let (mut examined, mut hashes) = (Examined::default(), Vec::new());
        while let Some(frame) = states.step()? {
            examined.bytes += frame.bytes;
            for state in &frame.states {
                examined.add::<S>(view, state, &mut hashes)?;
            }
            // The bytes between records of state are not looked at, and come along in reading.
            pace.done(frame.bytes).then_some(()).ok_or(CompactionError::Stopped)?;
        }
        self.keys_keep::<S>(&segment, hashes)?;
        Ok(examined)
    }

    fn keys_keep<S: Store>(&self, segment: &Segment, mut hashes: Vec<u64>) -> Result<Vec<u64>, JournalError> {
        hashes.sort_unstable();
        hashes.dedup();
        let files = self.journal.files();
        let of = KeysOf::new(segment, S::KEYS_VERSION);
        if of.read(&*files.disk, &files.dir).ok().flatten().as_ref() != Some(&hashes)
            && let Err(error) = of.write(&*files.disk, &files.dir, &hashes)
        {
            // It is there to save work. The next who needs it makes it.
            tracing::debug!(segment = %segment.first, %error, "the keys of a segment could not be kept");
        }
        Ok(hashes)
    }

    /// The hashes of the keys of a segment, from their file or from the segment.
    fn keys<S: Store>(&self, first: Lsn, next: Lsn, pace: &mut Pace) -> Result<Vec<u64>, CompactionError> {
        let files = self.journal.files();
        let segment = files.segment(first)?;
        let kept = KeysOf::new(&segment, S::KEYS_VERSION).read(&*files.disk, &files.dir);
        if let Ok(Some(hashes)) = kept {
            return Ok(hashes);
        }
        let mut states = States::new(SegmentReader::new(segment.clone()), next);
        let mut hashes = Vec::new();
        while let Some(frame) = states.step()? {
            for state in &frame.states {
                hashes.extend(S::keys(&state.stored.record)?.iter().map(key_hash));
            }
            pace.done(frame.bytes).then_some(()).ok_or(CompactionError::Stopped)?;
        }
        Ok(self.keys_keep::<S>(&segment, hashes)?)
    }

    /// The hashes of those keys of a segment that older segments speak of too. One segment's keys are in memory at a time.
    pub fn held_before<S: Store>(
        &self,
        first: Lsn,
        next: Lsn,
        pace: &mut Pace,
    ) -> Result<Arc<HashSet<u64>>, CompactionError> {
        let own = self.keys::<S>(first, next, pace)?;
        let mut held = HashSet::new();
        for (older, end) in self.journal.sealed() {
            if older >= first {
                break;
            }
            let hashes = self.keys::<S>(older, end, pace)?;
            pace.done(hashes.len() as u64 * 8).then_some(()).ok_or(CompactionError::Stopped)?;
            held.extend(own.iter().filter(|hash| hashes.binary_search(hash).is_ok()));
        }
        Ok(Arc::new(held))
    }
}

impl Examined {
    fn add<S: Store>(
        &mut self,
        view: &dyn ViewRead,
        state: &State,
        hashes: &mut Vec<u64>,
    ) -> Result<(), CompactionError> {
        let of_record = hashes.len();
        hashes.extend(S::keys(&state.stored.record)?.iter().map(key_hash));
        let needed = S::needed(view, &stated(state))?;
        self.live_bytes += needed.state_bytes;
        if needed.data {
            self.live_bytes += state.data.map_or(0, |data| u64::from(data.place.len));
        }
        if needed.is_removed {
            let keys = &hashes[of_record..];
            let bytes = u64::from(state.stored.place.len) / keys.len().max(1) as u64;
            self.removed.extend(keys.iter().map(|hash| (*hash, bytes)));
        }
        Ok(())
    }
}
