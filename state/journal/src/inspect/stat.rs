//! What there is, without reading more than heads.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use disk::{Disk, OpenMode};

use super::verify::{Opened, open};
use crate::error::JournalError;
use crate::files::Files;
use crate::gap::Gap;
use crate::lsn::{Epoch, Lsn};
use crate::record::Class;
use crate::segment::{SEGMENT_HEAD_BYTES, Segment, SegmentReader};

/// What a journal's directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatReport {
    /// The segments that can be read, in order.
    pub segments: Vec<SegmentStat>,
    /// Records that are not there any more.
    pub gaps: Vec<Gap>,
    /// Segments with a damaged head.
    pub headless: usize,
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentStat {
    /// Its first record.
    pub first: Lsn,
    /// The number after its last record, as far as heads can be read.
    pub next: Lsn,
    /// The term of its last frame.
    pub epoch: Epoch,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its records, by class and the store's kind.
    pub records: BTreeMap<(Class, u16), Tally>,
}

/// Records counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl StatReport {
    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// All records, by class and the store's kind.
    pub fn records(&self) -> BTreeMap<(Class, u16), Tally> {
        let mut records: BTreeMap<_, Tally> = BTreeMap::new();
        for (kind, tally) in self.segments.iter().flat_map(|segment| &segment.records) {
            let sum = records.entry(*kind).or_default();
            sum.records += tally.records;
            sum.bytes += tally.bytes;
        }
        records
    }
}

impl fmt::Display for StatReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, next) = match (self.segments.first(), self.segments.last()) {
            (Some(first), Some(last)) => (first.first, last.next),
            _ => return f.write_str("no segments"),
        };
        writeln!(
            f,
            "{} segments, {} bytes, records {first} up to {next}",
            self.segments.len(),
            self.bytes()
        )?;
        if self.headless > 0 {
            writeln!(f, "{} more with a damaged head", self.headless)?;
        }
        self.gaps.iter().try_for_each(|gap| writeln!(f, "{gap}"))?;
        for ((class, kind), Tally { records, bytes }) in self.records() {
            let class = if class == Class::Body { "body" } else { "state" };
            writeln!(f, "{class} records of kind {kind}: {records}, {bytes} bytes")?;
        }
        let last = self.segments.last().map_or(Epoch(0), |segment| segment.epoch);
        write!(f, "epoch {last}")
    }
}

/// Counts what the journal in `dir` holds.
pub fn stat(disk: Arc<dyn Disk>, dir: &Path) -> Result<StatReport, JournalError> {
    let files = Files::list(disk, dir, OpenMode::Read)?;
    let mut report = StatReport { gaps: files.gaps(), ..StatReport::default() };
    for first in files.firsts(Lsn::ZERO, Lsn(u64::MAX)) {
        match open(&files, first)? {
            Opened::Segment(segment) => report.segments.push(count(segment)?),
            Opened::Headless(_) => report.headless += 1,
            Opened::Gone => {}
        }
    }
    Ok(report)
}

fn count(segment: Arc<Segment>) -> Result<SegmentStat, JournalError> {
    let io = || JournalError::io(&segment.path);
    let (first, epoch, bytes) = (segment.first, segment.epoch, segment.file.len().map_err(io())?);
    let mut stat = SegmentStat { first, next: first, epoch, bytes, records: BTreeMap::new() };
    let (mut reader, mut offset) = (SegmentReader::new(segment.clone()), SEGMENT_HEAD_BYTES as u64);
    while let Some(at) = reader.head_at(offset).map_err(io())? {
        for (class, kind, len) in at.kinds() {
            let tally = stat.records.entry((class, kind)).or_default();
            tally.records += 1;
            tally.bytes += u64::from(len);
        }
        (stat.next, stat.epoch, offset) = (at.head.lsn_next(), at.head.epoch, at.end());
    }
    Ok(stat)
}
