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

impl SeqNumber {
    /// RFC 3501 9: `seq-number = nz-number / "*"`
    fn parse(text: &[u8]) -> Option<SeqNumber> {
        match text {
            b"*" => Some(SeqNumber::Last),
            [b'1'..=b'9', ..] => std::str::from_utf8(text).ok()?.parse().ok().map(SeqNumber::Value),
            _ => None,
        }
    }

    fn value(self, last: u32) -> u32 {
        match self {
            SeqNumber::Value(value) => value.get(),
            SeqNumber::Last => last,
        }
    }
}

impl fmt::Display for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SeqNumber::Value(value) => value.fmt(f),
            SeqNumber::Last => f.write_str("*"),
        }
    }
}

/// A range; the ends may stand in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeqRange {
    /// One end.
    pub from: SeqNumber,
    /// The other end; the same for a single number.
    pub to: SeqNumber,
}

impl SeqRange {
    /// RFC 3501 9: `seq-number / seq-range`
    fn parse(text: &[u8]) -> Option<SeqRange> {
        let colon = memchr::memchr(b':', text);
        let (from, to) = colon.map_or((text, text), |at| (&text[..at], &text[at + 1..]));
        Some(SeqRange { from: SeqNumber::parse(from)?, to: SeqNumber::parse(to)? })
    }

    /// Both ends in order; `None` if it stands for nothing.
    fn resolved(self, last: u32) -> Option<RangeInclusive<u32>> {
        let (from, to) = (self.from.value(last), self.to.value(last));
        let (low, high) = (from.min(to).max(1), from.max(to));
        (low <= high).then_some(low..=high)
    }
}

/// A set as the client wrote it; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet(SmallVec<[SeqRange; 2]>);

impl SequenceSet {
    /// Reads the whole of `text` as a set: `sequence-set = (seq-number / seq-range) *("," sequence-set)`.
    pub fn parse(text: &[u8]) -> Option<SequenceSet> {
        text.split(|&b| b == b',').map(SeqRange::parse).collect::<Option<_>>().map(SequenceSet)
    }

    /// The ranges as written.
    pub fn as_written(&self) -> &[SeqRange] {
        &self.0
    }

    /// The set in ascending order without overlaps, `*` being `last`. With `last` 0 (an empty mailbox) `*`
    /// stands for nothing. Numbers above `last` stay: UIDs may well be absent, sequence numbers must not (see
    /// [`SequenceSet::max`]).
    pub fn ranges(&self, last: u32) -> SmallVec<[RangeInclusive<u32>; 4]> {
        let mut sorted: SmallVec<[_; 4]> = self.0.iter().filter_map(|range| range.resolved(last)).collect();
        sorted.sort_unstable_by_key(|range| *range.start());
        let mut merged: SmallVec<[RangeInclusive<u32>; 4]> = SmallVec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(before) if *range.start() <= before.end().saturating_add(1) => {
                    *before = *before.start()..=*before.end().max(range.end());
                }
                _ => merged.push(range),
            }
        }
        merged
    }

    /// Whether `number` is in the set, `*` being `last`.
    pub fn contains(&self, number: u32, last: u32) -> bool {
        self.0.iter().filter_map(|range| range.resolved(last)).any(|range| range.contains(&number))
    }

    /// The largest number written, `*` being `last`: above the mailbox's size, sequence numbers are BAD.
    pub fn max(&self, last: u32) -> u32 {
        self.0.iter().map(|range| range.from.value(last).max(range.to.value(last))).max().unwrap_or(0)
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            range.from.fmt(f)?;
            if range.to != range.from {
                write!(f, ":{}", range.to)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> SequenceSet {
        SequenceSet::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn ranges_come_out_sorted_and_merged() {
        assert_eq!(
            set("5,3:2,*:8,4,4294967295").ranges(10).to_vec(),
            [2..=5, 8..=10, 4294967295..=4294967295]
        );
    }

    #[test]
    fn a_range_to_the_last_holds_the_last_even_when_it_begins_above() {
        assert_eq!(set("559:*").ranges(12).to_vec(), [12..=559]);
        assert!(set("559:*").contains(12, 12));
    }

    #[test]
    fn in_an_empty_mailbox_the_last_is_nothing() {
        assert!(set("*").ranges(0).is_empty());
        assert!(!set("*").contains(0, 0));
    }

    #[test]
    fn malformed_sets_are_refused() {
        for text in ["", "0", "1,", ",1", "1:", "1:2:3", "01", "4294967296", "1 2", "a", "+1"] {
            assert_eq!(SequenceSet::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn membership_agrees_with_the_ranges(text in "([1-9]|1[0-9]|\\*)(:([1-9]|\\*))?(,([1-9]|1[0-9]|\\*)(:([1-9]|\\*))?){0,4}", last in 0..12u32) {
            let set = set(&text);
            let ranges = set.ranges(last);
            for number in 1..25 {
                prop_assert_eq!(set.contains(number, last), ranges.iter().any(|range| range.contains(&number)));
            }
            prop_assert_eq!(SequenceSet::parse(set.to_string().as_bytes()), Some(set));
        }
    }
}
