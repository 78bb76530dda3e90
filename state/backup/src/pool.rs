//! The files of all generations: reading, hashing, and copying that is durable before it has a name.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use disk::{Disk, File, OpenMode};

use crate::error::{BackupError, folder, is_absent};
use crate::manifest::FileEntry;

/// Bytes that are read and written at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Bytes at the end of a file by which two are told apart; with the head, that holds the salt, they are enough.
const END_BYTES: usize = 4_096;
/// Bytes at its start.
const START_BYTES: usize = 64;

/// Reads the first `bytes` bytes of a file, chunk by chunk; `UnexpectedEof` if there are fewer.
pub(crate) fn read_chunks(
    file: &dyn File,
    bytes: u64,
    mut chunk: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(bytes).unwrap_or(CHUNK_BYTES))];
    let mut at = 0;
    while at < bytes {
        let wanted = usize::try_from(bytes - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let read = file.read_at(&mut buffer[..wanted], at)?;
        if read < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        chunk(&buffer[..read])?;
        at += read as u64;
    }
    Ok(())
}

/// BLAKE3 of the first `bytes` bytes of a file, in hexadecimal.
pub(crate) fn hash(disk: &dyn Disk, path: &Path, bytes: u64) -> io::Result<String> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut hasher = blake3::Hasher::new();
    read_chunks(&*file, bytes, |chunk| {
        hasher.update(chunk);
        Ok(())
    })?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Copies the first `bytes` bytes of `from` to `to`, which must not exist, and syncs them. Gives their BLAKE3.
pub(crate) fn copy(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    bytes: u64,
    done: &mut dyn FnMut(u64),
) -> Result<String, BackupError> {
    let source = disk.open(from, OpenMode::Read).map_err(BackupError::io(from))?;
    let target = disk.open(to, OpenMode::CreateNew).map_err(BackupError::io(to))?;
    let (mut hasher, mut at, mut failed_write) = (blake3::Hasher::new(), 0, false);
    let copied = read_chunks(&*source, bytes, |chunk| {
        hasher.update(chunk);
        target.write_at(chunk, at).inspect_err(|_| failed_write = true)?;
        at += chunk.len() as u64;
        done(chunk.len() as u64);
        Ok(())
    });
    copied.map_err(BackupError::io(if failed_write { to } else { from }))?;
    target.sync_data().map_err(BackupError::io(to))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The pool of a backup directory.
pub(crate) struct Pool<'a> {
    pub disk: &'a dyn Disk,
    pub files: PathBuf,
    pub incoming: PathBuf,
}

impl Pool<'_> {
    pub fn path(&self, file: &FileEntry) -> PathBuf {
        self.files.join(file.pooled())
    }

    /// Whether the pool has the file that `entry` of an earlier generation names, and the one at `source` looks the same.
    pub fn has_as(&self, entry: &FileEntry, source: &Path) -> io::Result<bool> {
        self.looks_same(&self.path(entry), entry.bytes, source)
    }

    /// By length, start and end. A journal that was brought back from a backup and went on has the names of before.
    fn looks_same(&self, pooled: &Path, bytes: u64, source: &Path) -> io::Result<bool> {
        let found = match self.disk.open(pooled, OpenMode::Read) {
            Err(error) if is_absent(&error) => return Ok(false),
            found => found?,
        };
        let source = self.disk.open(source, OpenMode::Read)?;
        if found.len()? != bytes || source.len()? != bytes {
            return Ok(false);
        }
        Ok(ends(&*found, bytes)? == ends(&*source, bytes)?)
    }

    /// The names in a folder of the pool, `folder` from the pool on.
    pub fn names(&self, folder: &Path) -> io::Result<BTreeSet<String>> {
        match self.disk.list(&self.files.join(folder)) {
            Err(error) if is_absent(&error) => Ok(BTreeSet::new()),
            names => Ok(names?.into_iter().collect()),
        }
    }

    /// The sealed file `path`, if one of `names` in its folder is a copy of it that a backup made which was cut off. It is read
    /// whole: no generation says its hash.
    pub fn left_behind(
        &self,
        names: &BTreeSet<String>,
        path: &str,
        bytes: u64,
        source: &Path,
    ) -> io::Result<Option<FileEntry>> {
        let start = format!("{}.", path.rsplit('/').next().unwrap_or_default());
        let same = names.range(start.clone()..).take_while(|name| name.starts_with(&start));
        for name in same {
            let pooled = self.files.join(path).with_file_name(name);
            if self.looks_same(&pooled, bytes, source)? {
                let blake3 = hash(self.disk, &pooled, bytes)?;
                let entry = FileEntry { path: path.to_owned(), bytes, blake3, sealed: true };
                if self.path(&entry) == pooled {
                    return Ok(Some(entry));
                }
            }
        }
        Ok(None)
    }

    /// Takes the first `bytes` bytes of `source` in as `path`. The folders are to be synced by the caller.
    pub fn add(
        &self,
        source: &Path,
        path: &str,
        bytes: u64,
        sealed: bool,
        done: &mut dyn FnMut(u64),
    ) -> Result<FileEntry, BackupError> {
        let unfinished = self.incoming.join("file");
        let blake3 = match copy(self.disk, source, &unfinished, bytes, done) {
            Err(error) => {
                // What cannot be removed now is removed when the next backup begins.
                let _ = self.disk.remove(&unfinished);
                return Err(error);
            }
            blake3 => blake3?,
        };
        let entry = FileEntry { path: path.to_owned(), bytes, blake3, sealed };
        let target = self.path(&entry);
        self.disk.create_dir(folder(&target)).map_err(BackupError::io(folder(&target)))?;
        self.disk.rename(&unfinished, &target).map_err(BackupError::io(&target))?;
        Ok(entry)
    }
}

/// Its first and its last bytes.
fn ends(file: &dyn File, bytes: u64) -> io::Result<Vec<u8>> {
    let mut found = vec![0; START_BYTES + END_BYTES];
    let start = file.read_at(&mut found[..START_BYTES], 0)?;
    let end = file.read_at(&mut found[START_BYTES..], bytes.saturating_sub(END_BYTES as u64))?;
    found.extend_from_slice(&[start as u8, (end >> 8) as u8, end as u8]);
    Ok(found)
}
