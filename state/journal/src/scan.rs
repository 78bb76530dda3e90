//! Finding out at open how far a journal is good.
//!
//! A frame is written only after the one before it was synced. So what a crash can leave half done is the last frame
//! alone: a frame that is not whole, with nothing behind it, and that no view has seen, is a torn tail and is cut off.
//! Anything else that is not whole is damage.

use std::io;
use std::sync::Arc;

use crate::error::{Damage, JournalError};
use crate::lsn::{Epoch, Lsn};
use crate::record::{Class, StoredRecord};
use crate::segment::{HeadAt, SEGMENT_HEAD_BYTES, Segment, SegmentReader};

/// What a scan has found in one segment.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The number after its last good record.
    pub lsn_next: Lsn,
    /// The term of its last frame.
    pub epoch: Epoch,
    /// Where its last good frame starts.
    pub last: u64,
    /// Where its good part ends.
    pub end: u64,
    /// What is not as it was written, though it was synced.
    pub damage: Vec<Damage>,
}

impl Scan {
    /// State is damaged: all behind `end` is out of reach.
    pub fn is_broken(&self) -> bool {
        self.damage.iter().any(|damage| damage.class == Class::State)
    }
}

/// What stands at one place of a segment.
enum Found {
    Whole(HeadAt),
    /// A frame that is good but for the bodies that these damages name.
    BodiesDamaged(HeadAt, Vec<Damage>),
    Broken(Damage),
}

/// Scans a segment from its start. `last` says that no segment follows; `witness` is a record known to be synced.
pub(crate) fn scan(segment: &Arc<Segment>, last: bool, witness: Lsn) -> Result<Scan, JournalError> {
    let mut reader = SegmentReader::new(segment.clone());
    let start = SEGMENT_HEAD_BYTES as u64;
    let mut scan =
        Scan { lsn_next: segment.first, epoch: segment.epoch, last: start, end: start, damage: Vec::new() };
    while scan.step(&mut reader, last, witness).map_err(JournalError::io(&segment.path))? {}
    if last && witness >= scan.lsn_next && !scan.is_broken() {
        scan.damage.push(missing_from(segment, scan.end, scan.lsn_next));
    }
    Ok(scan)
}

/// State is missing from `offset` on, where the record `lsn` should be.
fn missing_from(segment: &Segment, offset: u64, lsn: Lsn) -> Damage {
    Damage { segment: segment.path.clone(), offset, lsn, class: Class::State }
}

impl Scan {
    /// Takes the next frame; false at the end of the good part.
    fn step(&mut self, reader: &mut SegmentReader, last: bool, witness: Lsn) -> io::Result<bool> {
        if self.end >= reader.len()? {
            return Ok(false);
        }
        let found = look(reader, self.end, self.lsn_next)?;
        if let Found::Whole(at) = found {
            self.take(&at);
            return Ok(true);
        }
        if last && self.is_torn(reader, &found, witness)? {
            return Ok(false);
        }
        match found {
            Found::Whole(_) => unreachable!("handled above"),
            Found::BodiesDamaged(at, damage) => {
                self.damage.extend(damage);
                self.take(&at);
                Ok(true)
            }
            Found::Broken(damage) => {
                self.damage.push(damage);
                Ok(false)
            }
        }
    }

    fn take(&mut self, at: &HeadAt) {
        self.lsn_next = at.head.lsn_next();
        self.epoch = at.head.epoch;
        (self.last, self.end) = (at.offset, at.end());
    }

    /// Whether what was found at the end of the good part was never synced: no view has seen it, nothing is behind it.
    fn is_torn(&self, reader: &mut SegmentReader, found: &Found, witness: Lsn) -> io::Result<bool> {
        let behind = match found {
            Found::BodiesDamaged(at, _) | Found::Whole(at) => at.end(),
            Found::Broken(_) => self.end + 1,
        };
        Ok(witness < self.lsn_next && reader.head_find(behind)?.is_none())
    }
}

/// What stands at `offset`, where the record `expected` should be.
fn look(reader: &mut SegmentReader, offset: u64, expected: Lsn) -> io::Result<Found> {
    let broken = |segment: &Segment| Found::Broken(missing_from(segment, offset, expected));
    let Some(at) = reader.head_at(offset)?.filter(|at| at.head.first == expected) else {
        return Ok(broken(reader.segment()));
    };
    let Some(records) = reader.records(&at)? else { return Ok(broken(reader.segment())) };
    let damage: Vec<_> = records.iter().filter_map(|record| damage_of(reader.segment(), record)).collect();
    Ok(match damage.iter().find(|damage| damage.class == Class::State) {
        Some(damage) => Found::Broken(damage.clone()),
        None if damage.is_empty() => Found::Whole(at),
        None => Found::BodiesDamaged(at, damage),
    })
}

/// The damage of a record, if it has any.
pub(crate) fn damage_of(segment: &Segment, record: &StoredRecord) -> Option<Damage> {
    (!record.intact).then(|| Damage {
        segment: segment.path.clone(),
        offset: record.place.offset,
        lsn: record.place.lsn,
        class: record.record.class,
    })
}

/// All damage of a segment: goes on behind each. The number after its last record, if that can be told.
pub(crate) fn verify(segment: &Arc<Segment>, end: u64) -> io::Result<(Vec<Damage>, Option<Lsn>)> {
    let mut reader = SegmentReader::new(segment.clone());
    let (mut offset, mut expected, mut damage) = (SEGMENT_HEAD_BYTES as u64, segment.first, Vec::new());
    while offset < end {
        let (at, found) = match look(&mut reader, offset, expected)? {
            Found::Whole(at) => (Some(at), Vec::new()),
            Found::BodiesDamaged(at, found) => (Some(at), found),
            Found::Broken(found) => (None, vec![found]),
        };
        damage.extend(found);
        let Some(next) = (match at {
            Some(at) => Some((at.end(), at.head.lsn_next())),
            None => resume(&mut reader, offset + 1)?,
        }) else {
            return Ok((damage, None));
        };
        (offset, expected) = next;
    }
    Ok((damage, Some(expected)))
}

/// Where frames go on behind a damage, and with which record.
fn resume(reader: &mut SegmentReader, offset: u64) -> io::Result<Option<(u64, Lsn)>> {
    let Some(offset) = reader.head_find(offset)? else { return Ok(None) };
    Ok(reader.head_at(offset)?.map(|at| (offset, at.head.first)))
}
