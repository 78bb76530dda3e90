//! Files, for everything that keeps state; and message bodies on their way through.
//!
//! All state crates reach files through [`Disk`] and [`File`], so that a test can put [`FaultDisk`] under them: a disk
//! that fails the n-th operation, loses what was not synced and tears what was half written. [`RealDisk`] is the
//! real one. A [`Body`] is a message body between receiving and storing: in memory while it is small, in a file of its
//! own above a limit, with header fields put in front without copying.
//!
//! It refuses to map files into memory (an I/O error would be a signal, not a value), to cache, and to hide a sync:
//! nothing is durable until its caller has asked for that by name.

mod body;
mod budget;
mod fault;
pub mod faults;
mod real;
mod writer;

use std::fmt::Debug;
use std::io;
use std::path::Path;

pub use body::{Body, BodyFile, Chunks};
pub use budget::MemoryBudget;
pub use fault::{Crash, FaultDisk};
pub use real::RealDisk;
pub use writer::{BodyWriter, temporary_sweep};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; made, empty, if it does not exist.
    Create,
    /// For reading and writing; it must not exist.
    CreateNew,
}

/// A file system as the state crates see it. Paths are as the caller gives them; names are UTF-8.
///
/// A change of a directory (create, rename, remove) is durable after [`Disk::sync_dir`] on it; a change of a file's
/// bytes after [`File::sync_data`].
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>>;
    /// Renames a file, replacing what was there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory (files and directories), sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Whether a file or directory is there.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Makes a directory and those above it, durably; nothing happens if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes durable which names a directory holds.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes a file's exclusive lock, making the file if needed; `WouldBlock` if another holds it. Released on drop.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
    /// Bytes free for us on the file system that holds `path`.
    fn space_free(&self, path: &Path) -> io::Result<u64>;
}

/// An open file. Offsets are from its start; there is no cursor, so reads and writes may run side by side.
pub trait File: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes`. After an error an unknown part of them is in the file.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the bytes and the length durable (`fdatasync`). After an error what was written since the last success may
    /// never become durable, even if a later call succeeds; only writing it again helps.
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts or extends (with zeros) to `bytes`.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Makes the file at least `bytes` long, with room on the disk for all of it, so that writing there later finds the disk
    /// full never. Not durable.
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        zeros_write(self, bytes)
    }
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// A held lock ([`Disk::lock`]); dropping it lets go.
pub trait FileLock: Send + Sync + Debug {}

/// Room in a file by way of zeros, where the file system has no other.
fn zeros_write<F: File + ?Sized>(file: &F, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; limits::BODY_CHUNK_BYTES];
    let mut end = file.len()?;
    while end < bytes {
        let count = (bytes - end).min(zeros.len() as u64);
        file.write_at(&zeros[..count as usize], end)?;
        end += count;
    }
    Ok(())
}

/// Whether an error says that the disk has no room, for all or for us.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Reads exactly `bytes` bytes at `offset`; `UnexpectedEof` if the file ends before.
pub fn read_exact_at(file: &dyn File, bytes: usize, offset: u64) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let read = file.read_at(&mut buffer, offset)?;
    if read == bytes { Ok(buffer) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
