//! A backup directory: its generations, and what of the pool they need.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, FileLock, OpenMode, read_exact_at};
use jiff::{SignedDuration, Timestamp};

use crate::error::{BackupError, is_absent};
use crate::manifest::Manifest;
use crate::pool::Pool;

/// How the name of a folder begins in which a generation is laid out to be read: `restoring-4711`.
pub const SCRATCH: &str = "restoring-";
const LOCK: &str = "LOCK";
const GENERATIONS: &str = "generations";
const FILES: &str = "files";
const INCOMING: &str = "incoming";
const SUFFIX: &str = ".json";
/// What may be in a directory before the first generation is whole.
const OWN: [&str; 5] = [LOCK, GENERATIONS, FILES, INCOMING, "lost+found"];
/// Bytes of a list of files that is read: some ten million files.
const MANIFEST_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// A backup directory. Cheap to make: nothing is opened before it is needed.
#[derive(Debug, Clone)]
pub struct Backup {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl Backup {
    /// The backup in `dir`, which need not exist before the first is taken.
    pub fn new(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> Self {
        Self { disk, dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The generations, oldest first. One whose list cannot be read is an error: it may be the one that is needed.
    pub fn generations(&self) -> Result<Vec<Manifest>, BackupError> {
        let names = self.names()?;
        let mut found = names.iter().map(|name| self.read(name)).collect::<Result<Vec<_>, _>>()?;
        found.sort_by_key(|manifest| manifest.time);
        Ok(found)
    }

    /// The generation of this name, or the newest.
    pub fn generation(&self, name: Option<&str>) -> Result<Manifest, BackupError> {
        let mut found = self.generations()?;
        match name {
            None => found.pop().ok_or_else(|| BackupError::Empty(self.dir.clone())),
            Some(name) => {
                let wanted = found.into_iter().find(|manifest| manifest.name() == name);
                wanted.ok_or_else(|| BackupError::Unknown(name.to_owned()))
            }
        }
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn pool(&self) -> Pool<'_> {
        Pool { disk: &*self.disk, files: self.dir.join(FILES), incoming: self.dir.join(INCOMING) }
    }

    /// A directory that is to become a backup must be empty. What a backup has of its own may be there, and what a file system
    /// has at its root.
    pub(crate) fn foreign_check(&self) -> Result<(), BackupError> {
        let names = match self.disk.list(&self.dir) {
            Err(error) if is_absent(&error) => return Ok(()),
            names => names.map_err(BackupError::io(&self.dir))?,
        };
        let is_own = |name: &String| OWN.contains(&name.as_str());
        match names.into_iter().find(|name| !is_own(name) && !name.starts_with(SCRATCH)) {
            Some(name) if !self.is_begun()? => Err(BackupError::Foreign { dir: self.dir.clone(), name }),
            _ => Ok(()),
        }
    }

    /// Whether it has had a generation: what else somebody put beside it is his affair.
    fn is_begun(&self) -> Result<bool, BackupError> {
        Ok(!self.names()?.is_empty())
    }

    /// Held while it is written to, and while files are brought back that `keep` might remove.
    pub(crate) fn lock(&self) -> Result<Box<dyn FileLock>, BackupError> {
        self.disk.create_dir(&self.dir).map_err(BackupError::io(&self.dir))?;
        self.disk.lock(&self.dir.join(LOCK)).map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => BackupError::Locked(self.dir.clone()),
            _ => BackupError::io(self.dir.join(LOCK))(error),
        })
    }

    /// The same for who only reads: a backup that nobody can write to needs no lock.
    pub(crate) fn lock_if_writable(&self) -> Result<Option<Box<dyn FileLock>>, BackupError> {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match self.lock() {
            Err(BackupError::Io { source, .. })
                if [PermissionDenied, ReadOnlyFilesystem].contains(&source.kind()) =>
            {
                Ok(None)
            }
            lock => lock.map(Some),
        }
    }

    /// Removes what a backup that was cut off has left.
    pub(crate) fn incoming_empty(&self) -> Result<(), BackupError> {
        let incoming = self.dir.join(INCOMING);
        self.disk.create_dir(&incoming).map_err(BackupError::io(&incoming))?;
        for name in self.disk.list(&incoming).map_err(BackupError::io(&incoming))? {
            let path = incoming.join(name);
            self.disk.remove(&path).map_err(BackupError::io(&path))?;
        }
        Ok(())
    }

    /// `now` to the second, or the next second that no generation has.
    pub(crate) fn time_free(&self, now: Timestamp) -> Result<Timestamp, BackupError> {
        let names: HashSet<String> = self.names()?.into_iter().collect();
        let mut time = Timestamp::from_second(now.as_second()).unwrap_or(now);
        while names.contains(&file_name(time)) {
            time = time.saturating_add(SignedDuration::from_secs(1)).unwrap_or(time);
        }
        Ok(time)
    }

    /// Writes a generation: under another name first, so that it is there as a whole or not at all.
    pub(crate) fn manifest_write(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let (unfinished, folder) = (self.dir.join(INCOMING).join("generation"), self.dir.join(GENERATIONS));
        let target = folder.join(file_name(manifest.time));
        let bytes = serde_json::to_vec_pretty(manifest).expect("it is plain data with text for keys");
        self.disk.create_dir(&folder).map_err(BackupError::io(&folder))?;
        let written = (|| {
            let file = self.disk.open(&unfinished, OpenMode::CreateNew)?;
            file.write_at(&bytes, 0)?;
            file.sync_data()?;
            self.disk.rename(&unfinished, &target)?;
            self.disk.sync_dir(&folder)
        })();
        written.map_err(BackupError::io(target))
    }

    /// Gives up all generations but the newest `keep`, and what of the pool nobody names. Says how many of each.
    pub(crate) fn prune(&self, keep: Option<usize>) -> Result<(usize, usize), BackupError> {
        let Some(keep) = keep else { return Ok((0, 0)) };
        let mut kept = self.generations()?;
        let old = kept.drain(..kept.len().saturating_sub(keep.max(1))).collect::<Vec<_>>();
        let folder = self.dir.join(GENERATIONS);
        for manifest in &old {
            let path = folder.join(file_name(manifest.time));
            self.disk.remove(&path).map_err(BackupError::io(path))?;
        }
        self.disk.sync_dir(&folder).map_err(BackupError::io(folder))?;
        let named = kept.iter().flat_map(|manifest| &manifest.files);
        let named: HashSet<PathBuf> = named.map(|file| self.pool().path(file)).collect();
        let removed = self.sweep(&self.pool().files, &named)?;
        Ok((old.len(), removed))
    }

    /// Removes the files below `dir` that are not named.
    fn sweep(&self, dir: &Path, named: &HashSet<PathBuf>) -> Result<usize, BackupError> {
        let mut removed = 0;
        for name in self.disk.list(dir).map_err(BackupError::io(dir))? {
            let path = dir.join(name);
            if self.disk.list(&path).is_ok() {
                removed += self.sweep(&path, named)?;
            } else if !named.contains(&path) {
                self.disk.remove(&path).map_err(BackupError::io(&path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The names of the lists of files.
    fn names(&self) -> Result<Vec<String>, BackupError> {
        let folder = self.dir.join(GENERATIONS);
        let names = match self.disk.list(&folder) {
            Err(error) if is_absent(&error) => Vec::new(),
            names => names.map_err(BackupError::io(folder))?,
        };
        Ok(names.into_iter().filter(|name| name.ends_with(SUFFIX)).collect())
    }

    fn read(&self, name: &str) -> Result<Manifest, BackupError> {
        let path = self.dir.join(GENERATIONS).join(name);
        let bytes = (|| {
            let file = self.disk.open(&path, OpenMode::Read)?;
            read_exact_at(&*file, file.len()?.min(MANIFEST_BYTES_MAX) as usize, 0)
        })();
        let bytes = bytes.map_err(BackupError::io(&path))?;
        Manifest::decode(&bytes).map_err(|why| BackupError::Manifest { path, why })
    }
}

/// The name of a generation's list of files.
fn file_name(time: Timestamp) -> String {
    format!("{time}{SUFFIX}")
}
