//! Bringing a generation back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Progress;
use crate::directory::Backup;
use crate::error::{BackupError, folder, is_absent};
use crate::manifest::{FileEntry, Manifest};
use crate::pool::copy;
use crate::verify::Finding;

/// What was brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The generation's name.
    pub generation: String,
    /// Files written.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not as they were copied. They are brought back as they are, if they can be read: a journal knows what of
    /// it is damaged.
    pub findings: Vec<Finding>,
}

impl Backup {
    /// Writes the files of a generation, or of one of its stores, below `data`, where none of these stores may be.
    /// All of it is durable at the end.
    pub fn restore(
        &self,
        manifest: &Manifest,
        store: Option<&str>,
        data: &Path,
        progress: Progress<'_>,
    ) -> Result<Restored, BackupError> {
        let is_wanted = |file: &&FileEntry| store.is_none_or(|store| file.store() == store);
        let files: Vec<_> = manifest.files.iter().filter(is_wanted).collect();
        if files.is_empty() {
            return Err(BackupError::NoStore(store.unwrap_or("at all").to_owned()));
        }
        self.vacancy_check(&files, data)?;
        let _lock = self.lock_if_writable()?;
        let all = files.iter().map(|file| file.bytes).sum();
        let (mut done, mut findings, mut folders) = (0, Vec::new(), BTreeSet::new());
        for file in &files {
            let target = data.join(&file.path);
            let mut step = |bytes| {
                done += bytes;
                progress(done, all);
            };
            findings.extend(self.bring(file, &target, &mut step)?);
            folders.insert(folder(&target).to_owned());
        }
        self.folders_sync(folders)?;
        Ok(Restored { generation: manifest.name(), files: files.len(), bytes: all, findings })
    }

    fn vacancy_check(&self, files: &[&FileEntry], data: &Path) -> Result<(), BackupError> {
        let stores: BTreeSet<&str> = files.iter().map(|file| file.store()).collect();
        for dir in stores.into_iter().map(|store| data.join(store)) {
            let is_vacant = match self.disk().list(&dir) {
                Ok(names) => names.is_empty(),
                Err(error) if is_absent(&error) => true,
                Err(_) => false,
            };
            is_vacant.then_some(()).ok_or(BackupError::Occupied(dir))?;
        }
        Ok(())
    }

    /// Brings one file back; what is wrong with it is a finding.
    fn bring(
        &self,
        file: &FileEntry,
        target: &Path,
        step: &mut dyn FnMut(u64),
    ) -> Result<Option<Finding>, BackupError> {
        let disk = &**self.disk();
        disk.create_dir(folder(target)).map_err(BackupError::io(folder(target)))?;
        let source = self.pool().path(file);
        let finding = |what: String| Some(Finding { path: file.path.clone(), what });
        match copy(disk, &source, target, file.bytes, step) {
            Ok(hash) if hash == file.blake3 => Ok(None),
            Ok(_) => Ok(finding(format!("{} has not the bytes that were copied", source.display()))),
            Err(BackupError::Io { path, source: error }) if path == source => {
                Ok(finding(format!("{} cannot be read: {error}", source.display())))
            }
            Err(error) => Err(error),
        }
    }

    fn folders_sync(&self, folders: BTreeSet<PathBuf>) -> Result<(), BackupError> {
        for dir in folders {
            self.disk().sync_dir(&dir).map_err(BackupError::io(dir))?;
        }
        Ok(())
    }
}
