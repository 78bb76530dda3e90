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
pub(crate) fn missing_from(segment: &Segment, offset: u64, lsn: Lsn) -> Damage {
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
        if reader.is_zero_from(self.end)? {
            return Ok(false);
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

/// What a segment is made of.
pub(crate) enum Piece {
    /// A frame, and which of its bodies are damaged.
    Frame(HeadAt, Vec<Damage>),
    /// Bytes that are no whole frame, with frames behind them.
    Broken(Damage),
    /// So many bytes at the end that are no whole frame.
    Tail(u64),
}

/// The pieces of a segment up to `end`, in order; goes on behind what is damaged.
pub(crate) struct Pieces {
    reader: SegmentReader,
    offset: u64,
    expected: Lsn,
    end: u64,
}

impl Pieces {
    pub fn new(segment: &Arc<Segment>, end: u64) -> Self {
        let reader = SegmentReader::new(segment.clone());
        Self { reader, offset: SEGMENT_HEAD_BYTES as u64, expected: segment.first, end }
    }

    /// The record that should come next.
    pub fn expected(&self) -> Lsn {
        self.expected
    }

    /// The next piece; none at the end.
    pub fn step(&mut self) -> io::Result<Option<Piece>> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let (at, damage) = match look(&mut self.reader, self.offset, self.expected)? {
            Found::Whole(at) => (at, Vec::new()),
            Found::BodiesDamaged(at, damage) => (at, damage),
            Found::Broken(_) if self.reader.is_zero_from(self.offset)? => return Ok(None),
            Found::Broken(damage) => return self.resume(damage).map(Some),
        };
        (self.offset, self.expected) = (at.end(), at.head.lsn_next());
        Ok(Some(Piece::Frame(at, damage)))
    }

    /// Goes on where frames do, behind a damage.
    fn resume(&mut self, damage: Damage) -> io::Result<Piece> {
        let mut from = self.offset + 1;
        while let Some(offset) = self.reader.head_find(from)? {
            let at = self.reader.head_at(offset)?.filter(|at| at.head.first >= self.expected);
            if let Some(at) = at {
                (self.offset, self.expected) = (offset, at.head.first);
                return Ok(Piece::Broken(damage));
            }
            from = offset + 1;
        }
        let bytes = self.end - self.offset;
        self.offset = self.end;
        Ok(Piece::Tail(bytes))
    }
}

/// What a segment is like.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    pub damage: Vec<Damage>,
    /// The number after its last record that can be read.
    pub next: Lsn,
    pub frames: u64,
    pub records: u64,
    /// Bytes at its end that are no whole frame.
    pub tail: Option<u64>,
}

/// Reads all of a segment up to `end`.
pub(crate) fn verify(segment: &Arc<Segment>, end: u64) -> io::Result<Verified> {
    let mut pieces = Pieces::new(segment, end);
    let mut verified = Verified::default();
    while let Some(piece) = pieces.step()? {
        match piece {
            Piece::Frame(at, damage) => {
                verified.damage.extend(damage);
                verified.frames += 1;
                verified.records += u64::from(at.head.count);
            }
            Piece::Broken(damage) => verified.damage.push(damage),
            Piece::Tail(bytes) => verified.tail = Some(bytes),
        }
    }
    verified.next = pieces.expected();
    Ok(verified)
}
