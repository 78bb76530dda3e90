//! Sets of message numbers (RFC 3501 9, `sequence-set`).

use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use smallvec::SmallVec;

/// A number, or `*` for the largest in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeqNumber {
    /// A sequence number or UID.
    Value(NonZeroU32),
    /// `*`.
    Last,
}

/// A range; the ends may stand in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqRange {
    /// One end.
    pub from: SeqNumber,
    /// The other end; the same for a single number.
    pub to: SeqNumber,
}

/// A set as the client wrote it; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet(pub(crate) SmallVec<[SeqRange; 2]>);

impl SequenceSet {
    /// Reads the whole of `text` as a set.
    pub fn parse(_text: &[u8]) -> Option<SequenceSet> {
        unimplemented!("SequenceSet::parse")
    }

    /// The ranges as written.
    pub fn as_written(&self) -> &[SeqRange] {
        &self.0
    }

    /// The set in ascending order without overlaps, `*` being `last`. With `last` 0 (an empty mailbox) `*`
    /// stands for nothing. Numbers above `last` stay: UIDs may well be absent, sequence numbers must not
    /// (see [`SequenceSet::max`]).
    pub fn ranges(&self, _last: u32) -> SmallVec<[RangeInclusive<u32>; 4]> {
        unimplemented!("SequenceSet::ranges")
    }

    /// Whether `number` is in the set, `*` being `last`.
    pub fn contains(&self, _number: u32, _last: u32) -> bool {
        unimplemented!("SequenceSet::contains")
    }

    /// The largest number written, `*` being `last`: above the mailbox's size, sequence numbers are BAD.
    pub fn max(&self, _last: u32) -> u32 {
        unimplemented!("SequenceSet::max")
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!("SequenceSet::fmt")
    }
}
