//! A message body between receiving and storing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};

use crate::{Disk, File, OpenMode, read_exact_at};

/// A message as received or stored: header and body in wire form. Cheap to clone; never changes.
///
/// Small ones are in memory, large ones in a file. A few header fields (`Received`, `Return-Path`) may stand in front.
#[derive(Debug, Clone)]
pub struct Body {
    prefix: Bytes,
    base: Base,
}

#[derive(Debug, Clone)]
enum Base {
    Memory(Bytes),
    /// The file from this offset on.
    File(Arc<BodyFile>, u64),
}

impl Body {
    /// A body in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self { prefix: Bytes::new(), base: Base::Memory(bytes.into()) }
    }

    /// A body in a file.
    pub fn from_file(file: Arc<BodyFile>) -> Self {
        Self { prefix: Bytes::new(), base: Base::File(file, 0) }
    }

    /// The same body with `header` in front. Copies only what was put in front before.
    pub fn prefixed(header: Bytes, body: Self) -> Self {
        let prefix = match body.prefix.is_empty() {
            true => header,
            false => Bytes::from([header, body.prefix].concat()),
        };
        Self { prefix, base: body.base }
    }

    /// The same body without its first `bytes` bytes. Copies nothing.
    pub fn without_front(self, bytes: u64) -> Self {
        let from_prefix = bytes.min(self.prefix.len() as u64);
        let prefix = self.prefix.slice(from_prefix as usize..);
        let from_base = (bytes - from_prefix).min(self.base.len());
        let base = match self.base {
            Base::Memory(whole) => Base::Memory(whole.slice(from_base as usize..)),
            Base::File(file, start) => Base::File(file, start + from_base),
        };
        Self { prefix, base }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.prefix.len() as u64 + self.base.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether most of it is in a file, so that reading it all at once would be unkind.
    pub fn is_file(&self) -> bool {
        matches!(self.base, Base::File(..))
    }

    /// Up to `bytes` bytes at `offset`; fewer only at the end. Bytes in memory are shared, not copied, unless the range
    /// spans the fields in front and the rest.
    pub fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        let bytes = (self.len().saturating_sub(offset)).min(bytes as u64) as usize;
        let front = self.prefix.len() as u64;
        if offset >= front {
            return self.base.read_at(offset - front, bytes);
        }
        let head = self.prefix.slice(offset as usize..self.prefix.len().min(offset as usize + bytes));
        if head.len() == bytes {
            return Ok(head);
        }
        let mut whole = BytesMut::with_capacity(bytes);
        whole.extend_from_slice(&head);
        whole.extend_from_slice(&self.base.read_at(0, bytes - head.len())?);
        Ok(whole.freeze())
    }

    /// All of it, for bodies known to be small.
    pub fn read_all(&self) -> io::Result<Bytes> {
        self.read_at(0, usize::try_from(self.len()).map_err(io::Error::other)?)
    }

    /// All of it in pieces of at most `bytes` bytes (`limits::BODY_CHUNK_BYTES` is a good size).
    pub fn chunks(&self, bytes: usize) -> Chunks {
        Chunks { body: self.clone(), offset: 0, bytes: bytes.max(1) }
    }

    /// Writes it to a new file, durably: the bytes, then the name. Returns its length. After an error no file is left.
    pub fn save(&self, disk: &dyn Disk, path: &Path) -> io::Result<u64> {
        let file = disk.open(path, OpenMode::CreateNew)?;
        let saved = self.save_to(&*file, disk, path);
        // The file is nobody's yet; an error is told once, the first one.
        saved.inspect_err(|_| drop(disk.remove(path)))
    }

    fn save_to(&self, file: &dyn File, disk: &dyn Disk, path: &Path) -> io::Result<u64> {
        let mut offset = 0;
        for chunk in self.chunks(limits::BODY_CHUNK_BYTES) {
            let chunk = chunk?;
            file.write_at(&chunk, offset)?;
            offset += chunk.len() as u64;
        }
        file.sync_data()?;
        disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(offset)
    }
}

impl Base {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file, start) => file.len() - start,
        }
    }

    /// Exactly `bytes` bytes at `offset`; the caller has checked that they are there.
    fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        match self {
            Self::Memory(whole) if bytes == 0 => Ok(whole.slice(0..0)),
            Self::Memory(whole) => Ok(whole.slice(offset as usize..offset as usize + bytes)),
            Self::File(file, start) => file.read_at(start + offset, bytes),
        }
    }
}

/// Pieces of a body in order ([`Body::chunks`]); ends after an error.
#[derive(Debug)]
pub struct Chunks {
    body: Body,
    offset: u64,
    bytes: usize,
}

impl Iterator for Chunks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.body.len() {
            return None;
        }
        let chunk = self.body.read_at(self.offset, self.bytes);
        self.offset = match &chunk {
            Ok(chunk) => self.offset + chunk.len() as u64,
            Err(_) => u64::MAX,
        };
        Some(chunk)
    }
}

/// A file that holds a body. A temporary one is removed when the last handle goes.
#[derive(Debug)]
pub struct BodyFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn File>,
    bytes: u64,
    temporary: AtomicBool,
}

impl BodyFile {
    /// Opens a stored body; it stays when the handle goes.
    pub fn open(disk: Arc<dyn Disk>, path: PathBuf) -> io::Result<Arc<Self>> {
        let file = disk.open(&path, OpenMode::Read)?;
        let bytes = file.len()?;
        Ok(Arc::new(Self { disk, path, file, bytes, temporary: AtomicBool::new(false) }))
    }

    /// Takes a file just written, to be removed when the last handle goes.
    pub(crate) fn temporary(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        file: Box<dyn File>,
        bytes: u64,
    ) -> Arc<Self> {
        Arc::new(Self { disk, path, file, bytes, temporary: AtomicBool::new(true) })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file stays when the last handle goes; not yet durable.
    pub fn keep(&self) {
        self.temporary.store(false, Ordering::Relaxed);
    }

    /// Exactly `bytes` bytes at `offset`.
    pub fn read_at(&self, offset: u64, bytes: usize) -> io::Result<Bytes> {
        Ok(read_exact_at(&*self.file, bytes, offset)?.into())
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        if self.temporary.load(Ordering::Relaxed) {
            // What stays behind is swept at the next start (`temporary_sweep`).
            let _ = self.disk.remove(&self.path);
        }
    }
}
