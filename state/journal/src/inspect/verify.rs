//! Reading everything, to find out what is not as it was written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, OpenMode};

use crate::error::{Damage, JournalError};
use crate::files::Files;
use crate::gap::Gap;
use crate::lsn::Lsn;
use crate::scan::{self, Verified};
use crate::segment::Segment;

/// What a journal's files are like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments that were read.
    pub segments: usize,
    /// Whole frames in them.
    pub frames: u64,
    /// Records in those.
    pub records: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Records that are not there any more, as it should be.
    pub gaps: Vec<Gap>,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
    /// Bytes at the end of the last segment that are no whole frame: the owner is writing them, or a crash cut them short.
    /// They were never acknowledged, and are cut off when the journal is opened.
    pub tail: Option<(PathBuf, u64)>,
}

impl VerifyReport {
    /// Whether all is as it was written.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, frames, records, bytes, .. } = self;
        writeln!(f, "{segments} segments, {frames} frames, {records} records, {bytes} bytes")?;
        self.gaps.iter().try_for_each(|gap| writeln!(f, "{gap}"))?;
        if let Some((segment, bytes)) = &self.tail {
            let segment = segment.display();
            writeln!(
                f,
                "{segment} ends with {bytes} bytes of a frame that is being written or was cut short"
            )?;
        }
        self.damage.iter().try_for_each(|damage| writeln!(f, "{damage}"))?;
        match self.damage.len() {
            0 => f.write_str("all is as it was written"),
            count => write!(f, "{count} damaged"),
        }
    }
}

/// Reads all of the journal in `dir` and says what is not as it was written. Does not stop at the first damage.
pub fn verify(disk: Arc<dyn Disk>, dir: &Path) -> Result<VerifyReport, JournalError> {
    let files = Files::list(disk, dir, OpenMode::Read)?;
    let mut report = VerifyReport { gaps: files.gaps(), ..VerifyReport::default() };
    report.damage = files.gaps_damaged().to_vec();
    report.damage.extend(files.front_missing());
    let firsts = files.firsts(Lsn::ZERO, Lsn(u64::MAX));
    let mut expected = None;
    for (index, first) in firsts.iter().enumerate() {
        let is_last = index + 1 == firsts.len();
        expected = match open(&files, *first)? {
            Opened::Segment(segment) => report.add(&files, &segment, expected, is_last)?,
            Opened::Headless(damage) => {
                report.damage.push(damage);
                None
            }
            Opened::Gone => None,
        };
    }
    Ok(report)
}

impl VerifyReport {
    /// Takes in a segment. Gives the number after its last record, if that can be told.
    fn add(
        &mut self,
        files: &Files,
        segment: &Arc<Segment>,
        expected: Option<Lsn>,
        is_last: bool,
    ) -> Result<Option<Lsn>, JournalError> {
        self.damage.extend(files.missing_before(segment, expected));
        let io = || JournalError::io(&segment.path);
        let end = segment.file.len().map_err(io())?;
        let Verified { damage, next, frames, records, tail } = scan::verify(segment, end).map_err(io())?;
        self.damage.extend(damage);
        match tail {
            Some(bytes) if is_last => self.tail = Some((segment.path.clone(), bytes)),
            Some(bytes) => self.damage.push(scan::missing_from(segment, end - bytes, next)),
            None => {}
        }
        self.segments += 1;
        self.frames += frames;
        self.records += records;
        self.bytes += end;
        Ok(tail.is_none().then_some(next))
    }
}

/// A segment of which only the name was known.
pub(super) enum Opened {
    Segment(Arc<Segment>),
    /// Its head is damaged.
    Headless(Damage),
    /// Compacted since it was listed.
    Gone,
}

pub(super) fn open(files: &Files, first: Lsn) -> Result<Opened, JournalError> {
    match files.segment(first) {
        Ok(segment) => Ok(Opened::Segment(segment)),
        Err(JournalError::Damaged(damage)) => Ok(Opened::Headless(damage)),
        Err(JournalError::Compacted(_)) => Ok(Opened::Gone),
        Err(JournalError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(Opened::Gone),
        Err(error) => Err(error),
    }
}

/// All damage of an open journal. `current` is the segment that is written to, and where its whole frames end.
pub(crate) fn damage(files: &Files, current: Option<(Lsn, u64)>) -> Result<Vec<Damage>, JournalError> {
    let mut damage = files.gaps_damaged().to_vec();
    damage.extend(files.front_missing());
    let mut expected: Option<Lsn> = None;
    for first in files.firsts(Lsn::ZERO, Lsn(u64::MAX)) {
        let segment = match open(files, first)? {
            Opened::Segment(segment) => segment,
            Opened::Headless(headless) => {
                damage.push(headless);
                expected = None;
                continue;
            }
            // A gap stands for it by now.
            Opened::Gone => continue,
        };
        damage.extend(files.missing_before(&segment, expected));
        let end = current.filter(|(written, _)| *written == first).map(|(_, end)| Ok(end));
        let end = end.unwrap_or_else(|| segment.file.len()).map_err(JournalError::io(&segment.path))?;
        let found = scan::verify(&segment, end).map_err(JournalError::io(&segment.path))?;
        damage.extend(found.damage);
        damage.extend(found.tail.map(|bytes| scan::missing_from(&segment, end - bytes, found.next)));
        expected = found.tail.is_none().then_some(found.next);
    }
    Ok(damage)
}
