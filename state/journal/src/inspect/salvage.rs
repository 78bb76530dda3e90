//! Saving what can be read of a damaged journal into another.
//!
//! Frames are copied byte for byte, under segment heads with the salt that they were written under: a damaged body stays
//! one that is known to be damaged. Records keep their numbers. Where frames are lost a new segment begins, and a gap of
//! the kind `Lost` stands for what is missing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, OpenMode};

use super::headless;
use super::verify::{Opened, open};
use crate::error::{Damage, JournalError};
use crate::files::Files;
use crate::gap::{Gap, GapKind};
use crate::lsn::{Epoch, Lsn};
use crate::names;
use crate::scan::{Piece, Pieces};
use crate::segment::{HeadAt, SEGMENT_HEAD_BYTES, Segment};

/// What was saved, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SalvageReport {
    /// Segments that were written.
    pub segments: usize,
    /// Frames that were saved.
    pub frames: u64,
    /// Records that were saved.
    pub records: u64,
    /// Bytes of the frames.
    pub bytes: u64,
    /// Records that are lost, in order.
    pub lost: Vec<Lost>,
    /// Message bodies that were saved as damaged as they are: each costs its message.
    pub bodies_damaged: Vec<Damage>,
    /// Segments of which nothing could be read.
    pub unreadable: Vec<PathBuf>,
    /// Bytes behind the last frame that are none: cut short by a crash, or lost.
    pub tail: Option<(PathBuf, u64)>,
}

/// Records that could not be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The first.
    pub first: Lsn,
    /// The one after the last.
    pub next: Lsn,
    /// The file behind whose damage they stood, or before which they are missing.
    pub segment: PathBuf,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "records {} to {} are lost, in or before {}",
            self.first,
            self.next.0 - 1,
            self.segment.display()
        )
    }
}

impl SalvageReport {
    /// Whether all records were saved whole.
    pub fn is_complete(&self) -> bool {
        self.lost.is_empty() && self.bodies_damaged.is_empty() && self.unreadable.is_empty()
    }
}

impl fmt::Display for SalvageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, frames, records, bytes, .. } = self;
        writeln!(f, "saved {records} records in {frames} frames, {bytes} bytes, {segments} segments")?;
        self.lost.iter().try_for_each(|lost| writeln!(f, "{lost}"))?;
        self.bodies_damaged.iter().try_for_each(|damage| writeln!(f, "{damage}"))?;
        let unreadable = |path: &PathBuf| writeln!(f, "nothing could be read of {}", path.display());
        self.unreadable.iter().try_for_each(unreadable)?;
        if let Some((segment, bytes)) = &self.tail {
            let segment = segment.display();
            writeln!(
                f,
                "{segment} ends with {bytes} bytes that are no frame: cut short by a crash, or lost"
            )?;
        }
        match (self.lost.len(), self.bodies_damaged.len()) {
            _ if self.is_complete() => f.write_str("nothing is lost"),
            (lost, bodies) => write!(f, "{lost} ranges of records and {bodies} bodies are lost"),
        }
    }
}

/// Saves what can be read of the journal in `from`, which nobody may own, into the directory `into`, which must be
/// empty or not exist.
pub fn salvage(disk: Arc<dyn Disk>, from: &Path, into: &Path) -> Result<SalvageReport, JournalError> {
    let _lock = crate::local::lock(&*disk, from)?;
    disk.create_dir(into).map_err(JournalError::io(into))?;
    if !disk.list(into).map_err(JournalError::io(into))?.is_empty() {
        return Err(JournalError::Occupied(into.to_path_buf()));
    }
    let files = Files::list(disk, from, OpenMode::Read)?;
    let mut rescue =
        Rescue { files: &files, into, expected: Lsn::FIRST, segment: None, report: SalvageReport::default() };
    for first in files.firsts(Lsn::ZERO, Lsn(u64::MAX)) {
        match open(&files, first)? {
            Opened::Segment(segment) => rescue.segment(&segment)?,
            Opened::Headless(damage) => rescue.headless(first, damage)?,
            // What stood in it is missed when the next frame is found.
            Opened::Gone => {}
        }
    }
    rescue.finish()
}

/// A rescue under way.
struct Rescue<'a> {
    files: &'a Files,
    into: &'a Path,
    /// The record that should come next.
    expected: Lsn,
    /// The segment that is being written.
    segment: Option<Written>,
    report: SalvageReport,
}

/// A segment being written, with the salt of the one that its frames are from.
struct Written {
    segment: Segment,
    end: u64,
    records: u64,
}

impl Rescue<'_> {
    /// Copies the frames of a segment.
    fn segment(&mut self, from: &Arc<Segment>) -> Result<(), JournalError> {
        let io = || JournalError::io(&from.path);
        self.end()?;
        let mut pieces = Pieces::new(from, from.file.len().map_err(io())?);
        while let Some(piece) = pieces.step().map_err(io())? {
            match piece {
                Piece::Frame(at, damaged) => {
                    self.report.bodies_damaged.extend(damaged);
                    self.frame(from, &at)?;
                }
                Piece::Broken(_) => {}
                Piece::Tail(bytes) => self.report.tail = Some((from.path.clone(), bytes)),
            }
        }
        Ok(())
    }

    /// Copies the frames of a segment whose head is damaged. If that cannot be done, what stood in it is missed when the
    /// next frame is found.
    fn headless(&mut self, first: Lsn, damage: Damage) -> Result<(), JournalError> {
        let opened = headless::open(&*self.files.disk, &self.files.dir, first);
        match opened.map_err(JournalError::io(&damage.segment))? {
            Some(segment) => self.segment(&segment),
            None => {
                self.report.unreadable.push(damage.segment);
                Ok(())
            }
        }
    }

    /// Copies a frame, behind a gap if records before it are missing.
    fn frame(&mut self, from: &Segment, at: &HeadAt) -> Result<(), JournalError> {
        if self.expected != at.head.first || self.segment.is_none() {
            self.end()?;
            self.missing(at.head.first, &from.path)?;
            self.begin(from, at.head.first)?;
        }
        let bytes = from.bytes(at.offset, at.end()).map_err(JournalError::io(&from.path))?;
        let written = self.segment.as_mut().expect("begun above");
        written
            .segment
            .file
            .write_at(&bytes, written.end)
            .map_err(JournalError::io(&written.segment.path))?;
        written.end += bytes.len() as u64;
        written.records += u64::from(at.head.count);
        self.expected = at.head.lsn_next();
        self.report.frames += 1;
        self.report.records += u64::from(at.head.count);
        self.report.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Records up to `found` are not there: gaps of the old journal, and between them what is lost.
    fn missing(&mut self, found: Lsn, path: &Path) -> Result<(), JournalError> {
        let known: Vec<_> = self
            .files
            .gaps()
            .into_iter()
            .filter(|gap| gap.next > self.expected && gap.first < found)
            .collect();
        for gap in known {
            self.lost(gap.first, path)?;
            gap.write(&*self.files.disk, self.into)?;
            self.expected = gap.next;
        }
        self.lost(found, path)
    }

    fn lost(&mut self, next: Lsn, path: &Path) -> Result<(), JournalError> {
        let first = self.expected;
        if first >= next {
            return Ok(());
        }
        Gap { first, next, kind: GapKind::Lost }.write(&*self.files.disk, self.into)?;
        self.report.lost.push(Lost { first, next, segment: path.to_path_buf() });
        self.expected = next;
        Ok(())
    }

    fn begin(&mut self, like: &Segment, first: Lsn) -> Result<(), JournalError> {
        let segment = Segment::create_with(&*self.files.disk, self.into, first, like.epoch, like.salt)?;
        self.segment = Some(Written { segment, end: SEGMENT_HEAD_BYTES as u64, records: 0 });
        Ok(())
    }

    /// Ends the segment that is being written. One without records would have the name of what comes behind it.
    fn end(&mut self) -> Result<(), JournalError> {
        let Some(Written { segment, records, .. }) = self.segment.take() else { return Ok(()) };
        let disk = &self.files.disk;
        let ended = if records > 0 { segment.file.sync_data() } else { disk.remove(&segment.path) };
        self.report.segments += usize::from(records > 0);
        ended.map_err(JournalError::io(&segment.path))
    }

    /// Sees to it that there is a last segment to go on with.
    fn finish(mut self) -> Result<SalvageReport, JournalError> {
        self.end()?;
        let firsts = self.files.firsts(Lsn::ZERO, Lsn(u64::MAX));
        let last = firsts.last().copied().unwrap_or(Lsn::FIRST);
        let path = self.files.dir.join(names::segment(last));
        // A segment of which nothing was read held at least the record that it is named by.
        let unread =
            (last > self.expected).then_some(last.next()).or((last == self.expected).then_some(last));
        self.missing(unread.unwrap_or(self.expected), &path)?;
        Segment::create(&*self.files.disk, self.into, self.expected, Epoch(0))?;
        self.report.segments += 1;
        let disk = &self.files.disk;
        disk.sync_dir(self.into).map_err(JournalError::io(self.into))?;
        Ok(self.report)
    }
}
