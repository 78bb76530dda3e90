//! A real disk that counts what passes.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disk::{Disk, File, FileLock, OpenMode, RealDisk};

/// What has been read and written of all files of one kind.
#[derive(Debug, Default)]
pub struct Counts {
    pub read_bytes: AtomicU64,
    pub read_bytes_at_once_max: AtomicU64,
    pub written_bytes: AtomicU64,
    pub written_bytes_at_once_max: AtomicU64,
}

impl Counts {
    pub fn read(&self) -> u64 {
        self.read_bytes.load(Ordering::SeqCst)
    }

    pub fn read_at_once_max(&self) -> u64 {
        self.read_bytes_at_once_max.load(Ordering::SeqCst)
    }

    pub fn written(&self) -> u64 {
        self.written_bytes.load(Ordering::SeqCst)
    }

    pub fn written_at_once_max(&self) -> u64 {
        self.written_bytes_at_once_max.load(Ordering::SeqCst)
    }
}

/// Counts all files opened through it.
#[derive(Debug)]
pub struct CountingDisk {
    disk: RealDisk,
    pub counts: Arc<Counts>,
}

impl CountingDisk {
    pub fn new() -> Self {
        Self { disk: RealDisk, counts: Arc::default() }
    }
}

#[derive(Debug)]
struct CountingFile {
    file: Box<dyn File>,
    counts: Arc<Counts>,
}

impl Disk for CountingDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let file = self.disk.open(path, mode)?;
        Ok(Box::new(CountingFile { file, counts: self.counts.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        self.disk.lock(path)
    }

    fn space_free(&self, path: &Path) -> io::Result<u64> {
        self.disk.space_free(path)
    }
}

impl File for CountingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = self.file.read_at(buffer, offset)?;
        self.counts.read_bytes.fetch_add(count as u64, Ordering::SeqCst);
        self.counts.read_bytes_at_once_max.fetch_max(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)?;
        self.counts.written_bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        self.counts.written_bytes_at_once_max.fetch_max(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}
