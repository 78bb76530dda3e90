//! A segment: a file of frames, named by its first record.
//!
//! ```text
//! name   00000000000000000001.seg
//! head   0  8  magic "TARTANJL"
//!        8  2  format version, 1
//!       10  2  zero
//!       12  4  salt: random, begins the checksums of its frames
//!       16  8  number of its first record
//!       24  8  epoch in which it was begun
//!       32  4  zero
//!       36  4  checksum: CRC-32C of the head up to here
//! frames from byte 40 on, without gaps
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Disk, File, OpenMode, read_exact_at};

use crate::error::JournalError;
use crate::frame::{self, Entry, HEAD_BYTES, Head, u32_at, u64_at};
use crate::lsn::{Epoch, Lsn, Place};
use crate::names;
use crate::record::{Class, StoredRecord};

pub(crate) const SEGMENT_HEAD_BYTES: usize = 40;
const MAGIC: [u8; 8] = *b"TARTANJL";
const VERSION: u16 = 1;

/// One segment, open.
#[derive(Debug)]
pub(crate) struct Segment {
    pub first: Lsn,
    pub epoch: Epoch,
    pub salt: u32,
    pub path: PathBuf,
    pub file: Box<dyn File>,
}

impl Segment {
    /// Makes a new, empty, durable segment.
    pub fn create(disk: &dyn Disk, dir: &Path, first: Lsn, epoch: Epoch) -> Result<Self, JournalError> {
        let salt = getrandom::u32().map_err(io::Error::other).map_err(JournalError::io(dir))?;
        Self::create_with(disk, dir, first, epoch, salt)
    }

    /// The same for frames that were written with this salt.
    pub fn create_with(
        disk: &dyn Disk,
        dir: &Path,
        first: Lsn,
        epoch: Epoch,
        salt: u32,
    ) -> Result<Self, JournalError> {
        let path = dir.join(names::segment(first));
        let file = disk.open(&path, OpenMode::CreateNew).map_err(JournalError::io(&path))?;
        let segment = Self { first, epoch, salt, path, file };
        let made = segment.head_write().and_then(|()| disk.sync_dir(dir));
        if let Err(error) = made {
            // It must not come back by a crash when frames have gone elsewhere.
            let undone = disk.remove(&segment.path).and_then(|()| disk.sync_dir(dir));
            undone.map_err(JournalError::io(&segment.path))?;
            return Err(JournalError::io(&segment.path)(error));
        }
        Ok(segment)
    }

    /// Opens a segment; none if it has no whole head, as a crash while it was made leaves it.
    pub fn open(
        disk: &dyn Disk,
        dir: &Path,
        first: Lsn,
        mode: OpenMode,
    ) -> Result<Option<Self>, JournalError> {
        let path = dir.join(names::segment(first));
        let file = disk.open(&path, mode).map_err(JournalError::io(&path))?;
        let mut head = [0; SEGMENT_HEAD_BYTES];
        let read = file.read_at(&mut head, 0).map_err(JournalError::io(&path))?;
        let whole =
            read == head.len() && head[..8] == MAGIC && crc32c::crc32c(&head[..36]) == u32_at(&head, 36);
        if !whole || u64_at(&head, 16) != first.0 {
            return Ok(None);
        }
        let (epoch, salt) = (Epoch(u64_at(&head, 24)), u32_at(&head, 12));
        match u16::from_le_bytes([head[8], head[9]]) {
            VERSION => Ok(Some(Self { first, epoch, salt, path, file })),
            version => Err(JournalError::Version(version)),
        }
    }

    /// Opens a segment whose head is damaged, to stand for the end of what can be read.
    pub fn open_headless(disk: &dyn Disk, dir: &Path, first: Lsn) -> Result<Self, JournalError> {
        let path = dir.join(names::segment(first));
        let file = disk.open(&path, OpenMode::Read).map_err(JournalError::io(&path))?;
        Ok(Self { first, epoch: Epoch(0), salt: 0, path, file })
    }

    /// Writes the head and syncs all of the file.
    pub fn head_write(&self) -> io::Result<()> {
        let mut head = Vec::with_capacity(SEGMENT_HEAD_BYTES);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&[0; 2]);
        head.extend_from_slice(&self.salt.to_le_bytes());
        head.extend_from_slice(&self.first.0.to_le_bytes());
        head.extend_from_slice(&self.epoch.0.to_le_bytes());
        head.extend_from_slice(&[0; 4]);
        let checksum = crc32c::crc32c(&head);
        head.extend_from_slice(&checksum.to_le_bytes());
        self.file.write_at(&head, 0)?;
        self.file.sync_data()
    }

    /// The bytes from `start` to `end`.
    pub fn bytes(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        read_exact_at(&*self.file, (end - start) as usize, start)
    }
}

/// Bytes read from a segment at a time, and searched at a time.
const WINDOW_BYTES: usize = 256 * 1024;

/// A frame's head and table, at their place.
#[derive(Debug, Clone)]
pub(crate) struct HeadAt {
    pub head: Head,
    pub offset: u64,
    entries: Vec<Entry>,
}

impl HeadAt {
    /// Where the next frame starts.
    pub fn end(&self) -> u64 {
        self.offset + self.head.frame_bytes()
    }

    /// The kind and class of each record, and its length in bytes.
    pub fn kinds(&self) -> impl Iterator<Item = (Class, u16, u32)> {
        self.entries.iter().map(|entry| (entry.class, entry.kind, entry.len))
    }

    fn data_offset(&self) -> u64 {
        self.offset + (HEAD_BYTES + self.head.table_bytes()) as u64
    }
}

/// Data that was passed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data {
    pub kind: u16,
    pub place: Place,
}

/// A record of state, and the data right before it.
#[derive(Debug)]
pub(crate) struct State {
    pub stored: StoredRecord,
    pub data: Option<Data>,
}

/// Reads a segment's frames through a buffer.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    segment: Arc<Segment>,
    buffer: Bytes,
    buffer_offset: u64,
}

impl SegmentReader {
    pub fn new(segment: Arc<Segment>) -> Self {
        Self { segment, buffer: Bytes::new(), buffer_offset: 0 }
    }

    pub fn segment(&self) -> &Segment {
        &self.segment
    }

    pub fn len(&self) -> io::Result<u64> {
        self.segment.file.len()
    }

    /// The head and table at `offset`, if they are whole.
    pub fn head_at(&mut self, offset: u64) -> io::Result<Option<HeadAt>> {
        let Some(head_bytes) = self.read(offset, HEAD_BYTES)? else { return Ok(None) };
        let Some(head) = Head::decode(&head_bytes) else { return Ok(None) };
        let Some(table) = self.read(offset + HEAD_BYTES as u64, head.table_bytes())? else { return Ok(None) };
        let entries = frame::table_decode(self.segment.salt, &head_bytes, &head, &table);
        Ok(entries.map(|entries| HeadAt { head, offset, entries }))
    }

    /// The records of a frame; none if the file ends before they do.
    pub fn records(&mut self, at: &HeadAt) -> io::Result<Option<Vec<StoredRecord>>> {
        let data = self.read(at.data_offset(), at.head.data_bytes as usize)?;
        Ok(data.map(|data| frame::records_decode(&at.entries, &self.places(at), &data)))
    }

    fn places(&self, at: &HeadAt) -> Vec<Place> {
        frame::places_of(&at.head, &at.entries, self.segment.first, at.offset)
    }

    /// The records of state of a frame, each with the data right before it, which is not read; none if the file ends
    /// before they do.
    pub fn states(&mut self, at: &HeadAt) -> io::Result<Option<Vec<State>>> {
        let (mut states, mut data) = (Vec::new(), None);
        for (entry, place) in at.entries.iter().zip(self.places(at)) {
            if entry.class == Class::Body {
                data = Some(Data { kind: entry.kind, place });
                continue;
            }
            let Some(bytes) = self.read(place.offset, place.len as usize)? else { return Ok(None) };
            states.push(State { stored: frame::record_decode(entry, place, bytes), data: data.take() });
        }
        Ok(Some(states))
    }

    /// Whether nothing but zeros follows: they are written ahead of frames, and cut off when a segment is full, unless a
    /// crash comes before. That no frame is missing there is seen by the number of the next.
    pub fn is_zero_from(&mut self, mut offset: u64) -> io::Result<bool> {
        let end = self.len()?;
        while offset < end {
            let bytes = WINDOW_BYTES.min((end - offset) as usize);
            let zeros = self.read(offset, bytes)?;
            if zeros.is_none_or(|zeros| zeros.iter().any(|byte| *byte != 0)) {
                return Ok(false);
            }
            offset += bytes as u64;
        }
        Ok(true)
    }

    /// Where the next whole head lies at or after `offset`.
    pub fn head_find(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        let magic = memchr::memmem::Finder::new(&frame::MAGIC);
        let end = self.len()?;
        while offset + (HEAD_BYTES as u64) <= end {
            let bytes = WINDOW_BYTES.min((end - offset) as usize);
            let Some(window) = self.read(offset, bytes)? else { return Ok(None) };
            for found in magic.find_iter(&window) {
                if self.head_at(offset + found as u64)?.is_some() {
                    return Ok(Some(offset + found as u64));
                }
            }
            // The magic may lie across the edge of two windows.
            offset += (bytes - frame::MAGIC.len() + 1) as u64;
        }
        Ok(None)
    }

    /// `bytes` bytes at `offset`; none if the file ends before, so that no length found in it makes us allocate more.
    fn read(&mut self, offset: u64, bytes: usize) -> io::Result<Option<Bytes>> {
        if let Some(held) = self.held(offset, bytes) {
            return Ok(Some(held));
        }
        let mut fresh = vec![0; bytes.max(WINDOW_BYTES).min((self.len()?.saturating_sub(offset)) as usize)];
        let read = self.segment.file.read_at(&mut fresh, offset)?;
        fresh.truncate(read);
        (self.buffer, self.buffer_offset) = (fresh.into(), offset);
        Ok(self.held(offset, bytes))
    }

    fn held(&self, offset: u64, bytes: usize) -> Option<Bytes> {
        let from = usize::try_from(offset.checked_sub(self.buffer_offset)?).ok()?;
        let to = from.checked_add(bytes)?;
        (to <= self.buffer.len()).then(|| self.buffer.slice(from..to))
    }
}
