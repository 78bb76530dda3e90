//! A gap: records that are not there any more, and must not be missed. A file named by its first record.
//!
//! ```text
//! name   00000000000000000001.gap
//!        0  8  magic "TARTANJG"
//!        8  2  format version, 1
//!       10  2  why: 1 compacted, 2 trimmed, 3 lost
//!       12  4  zero
//!       16  8  number of the first record
//!       24  8  number after the last record
//!       32  4  zero
//!       36  4  checksum: CRC-32C of the above
//! ```
//!
//! It is made under another name, synced and renamed before the segment that it stands for is removed. Where both are
//! found, the gap is right. Neighbours of one kind are one gap.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use disk::{Disk, OpenMode, read_exact_at};

use crate::error::JournalError;
use crate::frame::{u32_at, u64_at};
use crate::lsn::Lsn;
use crate::names::{self, Named};

const GAP_BYTES: usize = 40;
const MAGIC: [u8; 8] = *b"TARTANJG";
const VERSION: u16 = 1;

/// Why records are not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapKind {
    /// What was needed of them was said anew, in later records.
    Compacted = 1,
    /// Their owner had no need of them: nothing can be made from the start of this journal.
    Trimmed = 2,
    /// They were damaged, and salvage went around them.
    Lost = 3,
}

impl fmt::Display for GapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compacted => "compacted",
            Self::Trimmed => "trimmed",
            Self::Lost => "lost",
        })
    }
}

/// A range of records that are not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gap {
    /// The first.
    pub first: Lsn,
    /// The one after the last.
    pub next: Lsn,
    /// Why.
    pub kind: GapKind,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "records {} to {} {}", self.first, self.next.0 - 1, self.kind)
    }
}

impl Gap {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(GAP_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.kind as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.first.0.to_le_bytes());
        bytes.extend_from_slice(&self.next.0.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// None if the bytes are not as they were written.
    fn decode(bytes: &[u8]) -> Option<Result<Self, JournalError>> {
        let whole = bytes.len() == GAP_BYTES
            && bytes[..8] == MAGIC
            && crc32c::crc32c(&bytes[..36]) == u32_at(bytes, 36);
        if !whole {
            return None;
        }
        let kind = match u16::from_le_bytes([bytes[10], bytes[11]]) {
            1 => GapKind::Compacted,
            2 => GapKind::Trimmed,
            3 => GapKind::Lost,
            _ => return None,
        };
        Some(match u16::from_le_bytes([bytes[8], bytes[9]]) {
            VERSION => Ok(Self { first: Lsn(u64_at(bytes, 16)), next: Lsn(u64_at(bytes, 24)), kind }),
            version => Err(JournalError::Version(version)),
        })
    }

    /// Reads the gap that starts with `first`; none if it is damaged.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path, first: Lsn) -> Result<Option<Self>, JournalError> {
        let path = dir.join(names::gap(first));
        let read = || {
            let file = disk.open(&path, OpenMode::Read)?;
            let bytes = file.len()?.min(GAP_BYTES as u64 + 1) as usize;
            read_exact_at(&*file, bytes, 0)
        };
        let gap = Self::decode(&read().map_err(JournalError::io(&path))?).transpose()?;
        Ok(gap.filter(|gap| gap.first == first && gap.next > first))
    }

    /// Makes it durable under its name, in place of a shorter one that starts with the same record.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), JournalError> {
        let path = dir.join(names::gap(self.first));
        let temporary = dir.join(names::temporary(&names::gap(self.first)));
        let write = || {
            let file = disk.open(&temporary, OpenMode::Create)?;
            file.set_len(0)?;
            file.write_at(&self.encode(), 0)?;
            file.sync_data()?;
            disk.rename(&temporary, &path)?;
            disk.sync_dir(dir)
        };
        write().map_err(JournalError::io(&path))
    }
}

/// The gaps of a journal, none within another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps(BTreeMap<Lsn, Gap>);

impl Gaps {
    /// Takes gaps as they are found: those within another are left out.
    pub fn new(found: impl IntoIterator<Item = Gap>) -> Self {
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|gap| (gap.first, std::cmp::Reverse(gap.next)));
        let mut end = Lsn::ZERO;
        found.retain(|gap| {
            let is_new = gap.next > end;
            end = end.max(gap.next);
            is_new
        });
        Self(found.into_iter().map(|gap| (gap.first, gap)).collect())
    }

    /// In ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Gap> {
        self.0.values()
    }

    /// Whether there is one that starts with this record.
    pub fn starts(&self, first: Lsn) -> bool {
        self.0.contains_key(&first)
    }

    /// The gap that holds a record.
    pub fn holding(&self, lsn: Lsn) -> Option<&Gap> {
        self.0.range(..=lsn).next_back().map(|(_, gap)| gap).filter(|gap| lsn < gap.next)
    }

    /// Where records go on at or after `lsn`.
    pub fn skip(&self, mut lsn: Lsn) -> Lsn {
        while let Some(gap) = self.holding(lsn) {
            lsn = gap.next;
        }
        lsn
    }

    /// Whether records at or above `lsn` are not there any more.
    pub fn reach(&self, lsn: Lsn) -> bool {
        self.0.values().next_back().is_some_and(|gap| gap.next > lsn)
    }

    /// The first record at or after `lsn` that is not there any more.
    pub fn first_from(&self, lsn: Lsn) -> Option<Lsn> {
        self.0.range(lsn..).next().map(|(first, _)| *first)
    }

    /// Adds a gap and takes its neighbours of the same kind into it. Gives it, and those that it swallowed.
    pub fn join(&self, gap: Gap) -> (Gap, Vec<Gap>) {
        let before = self.0.values().find(|old| old.next == gap.first && old.kind == gap.kind);
        let behind = self.0.get(&gap.next).filter(|old| old.kind == gap.kind);
        let first = before.map_or(gap.first, |old| old.first);
        let next = behind.map_or(gap.next, |old| old.next);
        (Gap { first, next, kind: gap.kind }, before.into_iter().chain(behind).copied().collect())
    }

    /// Takes a gap in, instead of all within it.
    pub fn insert(&mut self, gap: Gap) {
        self.0.retain(|_, old| old.first < gap.first || old.next > gap.next);
        self.0.insert(gap.first, gap);
    }
}

/// Reads the gaps among the names of a directory: those that are whole, and the first records of those that are damaged.
pub(crate) fn read_all(
    disk: &dyn Disk,
    dir: &Path,
    named: &[Named],
) -> Result<(Vec<Gap>, Vec<Lsn>), JournalError> {
    let (mut whole, mut damaged) = (Vec::new(), Vec::new());
    for named in named {
        let Named::Gap(first) = named else { continue };
        match Gap::read(disk, dir, *first)? {
            Some(gap) => whole.push(gap),
            None => damaged.push(*first),
        }
    }
    Ok((whole, damaged))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(first: u64, next: u64) -> Gap {
        Gap { first: Lsn(first), next: Lsn(next), kind: GapKind::Compacted }
    }

    #[test]
    fn gaps_round_trip_and_any_flipped_bit_is_noticed() {
        let gap = gap(10, 20);
        let bytes = gap.encode();
        assert_eq!(Gap::decode(&bytes).unwrap().unwrap(), gap);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Gap::decode(&damaged).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn gaps_within_others_are_left_out_and_neighbours_are_skipped_together() {
        let gaps = Gaps::new([gap(1, 10), gap(1, 5), gap(5, 10), gap(10, 12), gap(20, 30)]);
        assert_eq!(gaps.iter().copied().collect::<Vec<_>>(), [gap(1, 10), gap(10, 12), gap(20, 30)]);
        assert_eq!((gaps.skip(Lsn(1)), gaps.skip(Lsn(15))), (Lsn(12), Lsn(15)));
        assert!(gaps.reach(Lsn(29)) && !gaps.reach(Lsn(30)));
    }

    #[test]
    fn a_gap_takes_in_its_neighbours_but_not_those_of_another_kind() {
        let lost = Gap { kind: GapKind::Lost, ..gap(12, 15) };
        let mut gaps = Gaps::new([gap(1, 10), lost, gap(20, 30)]);
        let (joined, swallowed) = gaps.join(gap(10, 12));
        assert_eq!((joined, swallowed), (gap(1, 12), vec![gap(1, 10)]));
        gaps.insert(joined);
        let (joined, swallowed) = gaps.join(gap(15, 20));
        assert_eq!((joined, swallowed), (gap(15, 30), vec![gap(20, 30)]));
        gaps.insert(joined);
        assert_eq!(gaps.iter().copied().collect::<Vec<_>>(), [gap(1, 12), lost, gap(15, 30)]);
    }
}
