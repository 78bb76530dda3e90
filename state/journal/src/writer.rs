//! The owner's side: appending frames.

use std::io;
use std::sync::Arc;

use disk::FileLock;
use tokio::sync::watch;

use crate::Synced;
use crate::error::JournalError;
use crate::files::Files;
use crate::frame::{self, Heading};
use crate::local::JournalSettings;
use crate::lsn::{Epoch, Lsn, Place};
use crate::record::Record;
use crate::scan::Scan;
use crate::segment::{SEGMENT_HEAD_BYTES, Segment};
use crate::space::Space;

/// Bytes of a frame that is still written and read in one piece.
const FRAME_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// What the owner needs to append.
pub(crate) struct Writer {
    pub segment: Arc<Segment>,
    pub offset: u64,
    pub lsn_next: Lsn,
    pub epoch: Epoch,
    pub state: State,
    settings: JournalSettings,
    buffer: Vec<u8>,
    /// Up to where the segment was written, with zeros behind its frames.
    written: u64,
    /// Whether zeros are written ahead: not on a disk that is full.
    is_ahead: bool,
    /// Gone after the end, so that those who follow see it.
    pub synced: Option<watch::Sender<Lsn>>,
    lock: Option<Box<dyn FileLock>>,
}

pub(crate) enum State {
    Open,
    /// The term has not begun, because the disk is full; the last good frame starts there.
    Unbegun(u64),
    Refusing(JournalError),
}

/// Why nothing was written.
enum Failed {
    /// The disk has no room, and all is as it was or can be made so.
    NoRoom,
    Other(JournalError),
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        Self::Other(error)
    }
}

/// An error of a write, which leaves nothing in doubt if there was no room.
fn failed(segment: &Segment, error: io::Error) -> Failed {
    match disk::is_no_space(&error) {
        true => Failed::NoRoom,
        false => Failed::Other(JournalError::io(&segment.path)(error)),
    }
}

impl Writer {
    pub fn new(
        settings: JournalSettings,
        segment: Arc<Segment>,
        scan: &Scan,
        lock: Box<dyn FileLock>,
    ) -> Self {
        Self {
            segment,
            offset: scan.end,
            lsn_next: scan.lsn_next,
            epoch: scan.epoch,
            state: State::Unbegun(scan.last),
            written: scan.end,
            is_ahead: settings.ahead_bytes > 0,
            settings,
            buffer: Vec::new(),
            synced: None,
            lock: Some(lock),
        }
    }

    /// Begins a term, from the reserve if the disk is full. If there is no room even so, the term is left to begin later.
    pub fn begin(&mut self, files: &Files, space: &Space) -> Result<(), JournalError> {
        let State::Unbegun(last) = self.state else { return Ok(()) };
        self.epoch.0 += 1;
        match self.begin_now(files, space, last) {
            Err(JournalError::NoSpace) => {
                tracing::error!(store = self.settings.store, "the disk is full: the store can only be read");
                Ok(())
            }
            begun => begun,
        }
    }

    /// Tries again to begin a term for which the disk was too full; nothing happens if it has begun or can never.
    pub fn begin_again(&mut self, files: &Files, space: &Space) -> Result<(), JournalError> {
        match self.state {
            State::Unbegun(last) => self.begin_now(files, space, last),
            _ => Ok(()),
        }
    }

    fn begin_now(&mut self, files: &Files, space: &Space, last: u64) -> Result<(), JournalError> {
        let begun = self.with_room(space, |writer| {
            writer.tail_rewrite(files, last)?;
            writer.write(&[], space).map(drop)
        });
        begun?;
        self.state = State::Open;
        Ok(())
    }

    /// Cuts off a torn tail and writes the frame at `last` once more, because a failed sync may have left it in the cache
    /// alone. The mark that follows says by its presence that all before it is on the disk.
    fn tail_rewrite(&self, files: &Files, last: u64) -> Result<(), Failed> {
        let Self { segment, offset, .. } = self;
        let rewrite = || {
            segment.file.set_len(*offset)?;
            segment.file.write_at(&segment.bytes(last, *offset)?, last)?;
            segment.head_write()?;
            files.disk.sync_dir(&files.dir)
        };
        rewrite().map_err(|error| failed(segment, error))
    }

    pub fn check(&self, expected: Epoch) -> Result<(), JournalError> {
        match &self.state {
            State::Refusing(error) => Err(error.clone()),
            _ if expected != self.epoch => Err(JournalError::Fenced { at: self.epoch, writer: expected }),
            State::Open | State::Unbegun(_) => Ok(()),
        }
    }

    pub fn append(
        &mut self,
        files: &Files,
        space: &Space,
        records: &[Record],
    ) -> Result<Synced, JournalError> {
        let bytes = frame::encoded_bytes(records);
        if bytes > FRAME_BYTES_MAX {
            return Err(JournalError::TooLarge(bytes));
        }
        let written = self.begin_again(files, space).and_then(|()| {
            self.with_room(space, |writer| {
                writer.rotate(files, bytes as u64)?;
                writer.write(records, space)
            })
        });
        written.inspect_err(|error| {
            if !matches!(error, JournalError::NoSpace) {
                self.state = State::Refusing(JournalError::Poisoned(error.to_string()));
            }
        })
    }

    /// Does some writing; if the disk is full, takes back what was written in part and tries once more with the reserve.
    fn with_room<T>(
        &mut self,
        space: &Space,
        work: impl Fn(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, JournalError> {
        match work(self) {
            Ok(done) => return Ok(done),
            Err(Failed::Other(error)) => return Err(error),
            Err(Failed::NoRoom) => self.cut()?,
        }
        space.release();
        self.is_ahead = false;
        match work(self) {
            Ok(done) => Ok(done),
            Err(Failed::Other(error)) => Err(error),
            Err(Failed::NoRoom) => {
                self.cut()?;
                Err(JournalError::NoSpace)
            }
        }
    }

    /// Takes back what stands behind the last frame: one that was written in part, or zeros.
    fn cut(&mut self) -> Result<(), JournalError> {
        let cut = || {
            self.segment.file.set_len(self.offset)?;
            self.segment.file.sync_data()
        };
        cut().map_err(JournalError::io(&self.segment.path))?;
        self.written = self.offset;
        Ok(())
    }

    /// Begins the next segment if a frame of `bytes` would make this one too large.
    fn rotate(&mut self, files: &Files, bytes: u64) -> Result<(), Failed> {
        let is_empty = self.segment.first == self.lsn_next;
        if is_empty || self.offset + bytes <= self.settings.segment_bytes {
            return Ok(());
        }
        if self.written > self.offset {
            self.cut()?;
        }
        self.segment =
            files.create(self.lsn_next, self.epoch).map_err(|error| match error.is_no_space() {
                true => Failed::NoRoom,
                false => Failed::Other(error),
            })?;
        self.offset = SEGMENT_HEAD_BYTES as u64;
        self.written = self.offset;
        self.is_ahead = self.settings.ahead_bytes > 0;
        Ok(())
    }

    /// Adds zeros to a frame in the buffer that makes the file longer, so that the next ones do not: a sync of bytes in
    /// blocks that were written before has the file system's own journal wait for nothing. Gives where the file then ends.
    fn zeros_add(&mut self) -> u64 {
        let end = self.offset + self.buffer.len() as u64;
        let ahead = self.settings.ahead_bytes;
        if end <= self.written || !self.is_ahead || self.buffer.len() as u64 >= ahead {
            return end.max(self.written);
        }
        let full = end.next_multiple_of(ahead).min(self.settings.segment_bytes).max(end);
        self.buffer.resize(self.buffer.len() + (full - end) as usize, 0);
        full
    }

    /// Writes one frame and syncs it.
    fn write(&mut self, records: &[Record], space: &Space) -> Result<Synced, Failed> {
        let heading = Heading {
            salt: self.segment.salt,
            epoch: self.epoch,
            first: self.lsn_next,
            synced: self.lsn_next,
            segment: self.segment.first,
            offset: self.offset,
        };
        let places = frame::encode(&heading, records, &mut self.buffer);
        let frame_bytes = self.buffer.len() as u64;
        let written = self.zeros_add();
        let file = &self.segment.file;
        file.write_at(&self.buffer, self.offset).map_err(|error| failed(&self.segment, error))?;
        let began = std::time::Instant::now();
        // Whatever the reason: after a failed sync nobody knows what is on the disk.
        file.sync_data().map_err(JournalError::io(&self.segment.path))?;
        self.measure(began.elapsed(), records.len(), frame_bytes);
        space.appended(frame_bytes);
        (self.offset, self.written) = (self.offset + frame_bytes, written);
        self.buffer.shrink_to(limits::BODY_MEMORY_BYTES_MAX);
        Ok(self.proof(places))
    }

    pub fn proof(&mut self, places: Vec<Place>) -> Synced {
        self.lsn_next = Lsn(self.lsn_next.0 + places.len() as u64);
        if let Some(synced) = &self.synced {
            synced.send_replace(self.lsn_next);
        }
        Synced { places, lsn_next: self.lsn_next, epoch: self.epoch }
    }

    fn measure(&self, sync: std::time::Duration, records: usize, bytes: u64) {
        let store = self.settings.store;
        metrics::counter!("tartan_journal_syncs_total", "store" => store).increment(1);
        metrics::counter!("tartan_journal_records_total", "store" => store).increment(records as u64);
        metrics::counter!("tartan_journal_bytes_total", "store" => store).increment(bytes);
        metrics::histogram!("tartan_journal_sync_seconds", "store" => store).record(sync.as_secs_f64());
    }

    /// Writes the mark with which a term ends, as the last of the file.
    fn mark_last(&mut self, space: &Space) -> Result<(), JournalError> {
        self.is_ahead = false;
        if self.written > self.offset {
            self.segment.file.set_len(self.offset).map_err(JournalError::io(&self.segment.path))?;
            self.written = self.offset;
        }
        self.with_room(space, |writer| writer.write(&[], space).map(drop))
    }

    /// Ends the term with a mark.
    pub fn close(&mut self, space: &Space) -> Result<(), JournalError> {
        let mark = match self.state {
            State::Open => self.mark_last(space),
            State::Unbegun(_) | State::Refusing(_) => Ok(()),
        };
        self.state = State::Refusing(JournalError::Closed);
        (self.synced, self.lock) = (None, None);
        // A term that ends without its mark, for want of room, ends as after a crash.
        mark.or_else(|error| if matches!(error, JournalError::NoSpace) { Ok(()) } else { Err(error) })
    }
}
