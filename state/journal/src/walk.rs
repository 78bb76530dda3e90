//! Walking through a local journal, frame by frame.

use std::io;
use std::sync::Arc;
use std::vec;

use crate::error::{Damage, JournalError};
use crate::files::Files;
use crate::gap::GapKind;
use crate::lsn::Lsn;
use crate::read::Frame;
use crate::record::Class;
use crate::scan::damage_of;
use crate::segment::{HeadAt, SEGMENT_HEAD_BYTES, SegmentReader};

/// The frames that hold the records from one number up to another. Damaged state ends it with an error.
pub(crate) struct Walk {
    files: Arc<Files>,
    segments: vec::IntoIter<Lsn>,
    reader: Option<SegmentReader>,
    offset: u64,
    from: Lsn,
    expected: Option<Lsn>,
    limit: Lsn,
    /// What stands at `limit`, if that is where the journal broke.
    broken: Option<Damage>,
    done: bool,
}

impl Walk {
    pub fn new(
        files: Arc<Files>,
        from: Lsn,
        limit: Lsn,
        broken: Option<Damage>,
    ) -> Result<Self, JournalError> {
        let firsts = files.firsts(from, limit);
        start_check(&files, from, firsts.first().copied())?;
        let segments = firsts.into_iter();
        Ok(Self {
            files,
            segments,
            reader: None,
            offset: 0,
            from,
            expected: None,
            limit,
            broken,
            done: false,
        })
    }

    /// The next frame; none at the end.
    fn step(&mut self) -> Result<Option<Frame>, JournalError> {
        loop {
            if self.expected.is_some_and(|expected| expected >= self.limit) || !self.segment_ready()? {
                return self.broken.take().map_or(Ok(None), |damage| Err(JournalError::Damaged(damage)));
            }
            let Some(at) = self.head()? else { continue };
            self.offset = at.end();
            self.expected = Some(at.head.lsn_next());
            if at.head.lsn_next() > self.from && at.head.count > 0 {
                return self.frame(&at).map(Some);
            }
        }
    }

    /// Moves to the next segment if none is open; false at the end.
    fn segment_ready(&mut self) -> Result<bool, JournalError> {
        if self.reader.is_some() {
            return Ok(true);
        }
        let Some(first) = self.segments.next() else { return Ok(false) };
        let segment = self.files.segment(first)?;
        let lost =
            self.expected.map(|expected| self.files.skip(expected)).filter(|expected| *expected != first);
        (self.expected, self.offset) = (Some(first), SEGMENT_HEAD_BYTES as u64);
        self.reader = Some(SegmentReader::new(segment));
        match lost {
            Some(lsn) => Err(self.damaged(lsn)),
            None => Ok(true),
        }
    }

    /// The head at the current place; none at the end of a segment, which is then left.
    fn head(&mut self) -> Result<Option<HeadAt>, JournalError> {
        let expected = self.expected.unwrap_or_default();
        let offset = self.offset;
        if offset >= self.read(|reader| reader.len())? {
            self.reader = None;
            return Ok(None);
        }
        let at = self.read(|reader| reader.head_at(offset))?;
        match at.filter(|at| at.head.first == expected) {
            Some(at) => Ok(Some(at)),
            None if self.read(|reader| reader.is_zero_from(offset))? => {
                self.reader = None;
                Ok(None)
            }
            None => Err(self.damaged(expected)),
        }
    }

    fn frame(&mut self, at: &HeadAt) -> Result<Frame, JournalError> {
        let Some(records) = self.read(|reader| reader.records(at))? else {
            return Err(self.damaged(at.head.first));
        };
        let segment = self.reader.as_ref().expect("a frame was just read from it").segment();
        let damage = records.iter().filter_map(|record| damage_of(segment, record));
        for damage in damage {
            if damage.class == Class::State {
                return Err(JournalError::Damaged(damage));
            }
            tracing::error!(%damage, "a message body is damaged");
        }
        Ok(Frame { epoch: at.head.epoch, first: at.head.first, synced: at.head.synced, records })
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut SegmentReader) -> io::Result<T>) -> Result<T, JournalError> {
        let reader = self.reader.as_mut().expect("a segment is open while its frames are read");
        read(reader).map_err(JournalError::io(&reader.segment().path))
    }

    fn damaged(&self, lsn: Lsn) -> JournalError {
        let segment = self.reader.as_ref().map(|reader| reader.segment().path.clone()).unwrap_or_default();
        JournalError::Damaged(Damage { segment, offset: self.offset, lsn, class: Class::State })
    }
}

/// Whether a walk may start with `from`, when `first` is the first segment that it finds.
fn start_check(files: &Files, from: Lsn, first: Option<Lsn>) -> Result<(), JournalError> {
    let from = from.max(Lsn::FIRST);
    if files.gaps().iter().any(|gap| gap.kind == GapKind::Trimmed && gap.next > from) {
        return Err(JournalError::Trimmed(from));
    }
    if from > Lsn::FIRST && files.gaps_reach(from) {
        return Err(JournalError::Compacted(from));
    }
    match first {
        Some(first) if first > files.skip(from) => Err(JournalError::Trimmed(from)),
        _ => Ok(()),
    }
}

impl Iterator for Walk {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let step = self.step().transpose();
        self.done = !matches!(step, Some(Ok(_)));
        step
    }
}
