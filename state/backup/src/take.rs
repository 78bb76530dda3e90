//! Taking a generation.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use journal::JournalFile;
use serde::Serialize;

use crate::Progress;
use crate::directory::Backup;
use crate::error::{BackupError, folder};
use crate::manifest::{FORMAT, FileEntry, Manifest};

/// A store to be copied.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, the first part of its files' paths: `mailstore`.
    pub store: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The files to copy, with names from `dir` on. They must stay in place meanwhile.
    pub files: Vec<JournalFile>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The generation's name.
    pub generation: String,
    /// Its files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those that the pool did not have.
    pub files_copied: usize,
    /// Their bytes.
    pub bytes_copied: u64,
    /// Generations that were given up.
    pub generations_removed: usize,
    /// Files of the pool that nobody names any more.
    pub files_removed: usize,
}

impl Backup {
    /// Copies what the pool does not have yet, and writes the generation when all of it is durable. Keeps the newest `keep`
    /// generations, if that is given, and of the pool what they name.
    ///
    /// Stores are copied in the order given: for mail under way to be in at least one of them, the spool comes before
    /// the mail store. Cut off at any point, it leaves the generations that were there, and the next one goes on with the
    /// files that it has copied.
    pub fn take(
        &self,
        sources: &[Source],
        hostname: &str,
        now: Timestamp,
        keep: Option<usize>,
        progress: Progress<'_>,
    ) -> Result<Taken, BackupError> {
        self.foreign_check()?;
        let _lock = self.lock()?;
        self.incoming_empty()?;
        let mut copier = Copier::new(self, sources, progress)?;
        for source in sources {
            copier.store(source)?;
        }
        let (files, files_copied, bytes_copied) = copier.finish()?;
        let time = self.time_free(now)?;
        let manifest = Manifest { format: FORMAT, time, hostname: hostname.to_owned(), files };
        self.manifest_write(&manifest)?;
        let (generations_removed, files_removed) = self.prune(keep)?;
        Ok(Taken {
            generation: manifest.name(),
            files: manifest.files.len(),
            bytes: manifest.bytes(),
            files_copied,
            bytes_copied,
            generations_removed,
            files_removed,
        })
    }
}

/// Copies files into the pool.
struct Copier<'a> {
    backup: &'a Backup,
    /// Files of the newest generation by path.
    known: HashMap<String, FileEntry>,
    /// Names in the folders of the pool, of those that were asked for.
    pooled: HashMap<PathBuf, BTreeSet<String>>,
    taken: Vec<FileEntry>,
    folders: BTreeSet<PathBuf>,
    files_copied: usize,
    bytes_copied: u64,
    bytes_done: u64,
    bytes_all: u64,
    progress: Progress<'a>,
}

impl<'a> Copier<'a> {
    fn new(backup: &'a Backup, sources: &[Source], progress: Progress<'a>) -> Result<Self, BackupError> {
        let newest = match backup.generation(None) {
            Err(BackupError::Empty(_)) => Vec::new(),
            newest => newest?.files,
        };
        Ok(Self {
            backup,
            known: newest.into_iter().map(|file| (file.path.clone(), file)).collect(),
            pooled: HashMap::new(),
            taken: Vec::new(),
            folders: BTreeSet::new(),
            files_copied: 0,
            bytes_copied: 0,
            bytes_done: 0,
            bytes_all: sources.iter().flat_map(|source| &source.files).map(|file| file.bytes).sum(),
            progress,
        })
    }

    fn store(&mut self, source: &Source) -> Result<(), BackupError> {
        for file in &source.files {
            let path = format!("{}/{}", source.store, file.name);
            let entry = self.file(&source.dir.join(&file.name), &path, file)?;
            self.taken.push(entry);
        }
        Ok(())
    }

    fn file(&mut self, source: &Path, path: &str, file: &JournalFile) -> Result<FileEntry, BackupError> {
        if file.is_sealed
            && let Some(known) = self.known_as(source, path, file.bytes).map_err(BackupError::io(source))?
        {
            self.folders.insert(folder(&self.backup.pool().path(&known)).to_owned());
            self.advance(file.bytes);
            return Ok(known);
        }
        let (mut done, all, progress) = (self.bytes_done, self.bytes_all, self.progress);
        let entry = self.backup.pool().add(source, path, file.bytes, file.is_sealed, &mut |bytes| {
            done += bytes;
            progress(done, all);
        })?;
        self.folders.insert(folder(&self.backup.pool().path(&entry)).to_owned());
        self.files_copied += 1;
        self.bytes_copied += file.bytes;
        self.bytes_done += file.bytes;
        Ok(entry)
    }

    /// A sealed file that the pool has: from the newest generation, or from a backup that was cut off.
    fn known_as(&mut self, source: &Path, path: &str, bytes: u64) -> io::Result<Option<FileEntry>> {
        let pool = self.backup.pool();
        if let Some(known) = self.known.get(path).filter(|known| known.sealed && known.bytes == bytes)
            && pool.has_as(known, source)?
        {
            return Ok(Some(known.clone()));
        }
        let names = match self.pooled.entry(folder(Path::new(path)).to_owned()) {
            Entry::Occupied(names) => names.into_mut(),
            Entry::Vacant(empty) => {
                let names = pool.names(empty.key())?;
                empty.insert(names)
            }
        };
        pool.left_behind(names, path, bytes, source)
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes_done += bytes;
        (self.progress)(self.bytes_done, self.bytes_all);
    }

    /// Makes the names durable.
    fn finish(self) -> Result<(Vec<FileEntry>, usize, u64), BackupError> {
        for folder in &self.folders {
            self.backup.disk().sync_dir(folder).map_err(BackupError::io(folder))?;
        }
        Ok((self.taken, self.files_copied, self.bytes_copied))
    }
}
