//! One generation as a disk that can only be read, so that whatever reads a journal reads a backup too.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, File, FileLock, OpenMode};

use crate::directory::Backup;
use crate::manifest::Manifest;

/// The files of a generation by their paths from the data directory on.
#[derive(Debug)]
pub(crate) struct GenerationDisk {
    disk: Arc<dyn Disk>,
    files: BTreeMap<PathBuf, Pooled>,
}

#[derive(Debug, Clone)]
struct Pooled {
    path: PathBuf,
    bytes: u64,
}

/// A file of the pool, as long as the generation says.
#[derive(Debug)]
struct PooledFile {
    file: Box<dyn File>,
    bytes: u64,
}

impl GenerationDisk {
    pub fn new(backup: &Backup, manifest: &Manifest) -> Self {
        let pooled = |file| Pooled { path: backup.pool().path(file), bytes: file.bytes };
        let files = manifest.files.iter().map(|file| (PathBuf::from(&file.path), pooled(file))).collect();
        Self { disk: backup.disk().clone(), files }
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a backup is not changed")
}

impl Disk for GenerationDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        if mode != OpenMode::Read {
            return Err(read_only());
        }
        let pooled = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        let file = self.disk.open(&pooled.path, OpenMode::Read)?;
        Ok(Box::new(PooledFile { file, bytes: pooled.bytes }))
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let below = self.files.keys().filter_map(|path| path.strip_prefix(dir).ok());
        let first = below.filter_map(|rest| rest.components().next());
        let names: BTreeSet<_> = first.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names.into_iter().collect()) }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.files.keys().any(|file| file.starts_with(path)))
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn FileLock>> {
        Err(read_only())
    }

    fn space_free(&self, _: &Path) -> io::Result<u64> {
        Ok(0)
    }
}

impl File for PooledFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        self.file.read_at(&mut buffer[..wanted], offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(read_only())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.min(self.bytes))
    }
}
