//! Whether a generation is what was copied, and whether what was copied was sound.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::Progress;
use crate::directory::Backup;
use crate::error::BackupError;
use crate::generation::GenerationDisk;
use crate::manifest::{FileEntry, Manifest};
use crate::pool::hash;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, by its path in the data directory.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

/// What verifying a generation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// The generation's name.
    pub generation: String,
    /// Files read.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// All that is wrong.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { path, what } in &self.findings {
            writeln!(f, "{path}: {what}")?;
        }
        let Self { generation, files, bytes, findings } = self;
        match findings.len() {
            0 => write!(f, "generation {generation}: {files} files, {bytes} bytes, all as they were written"),
            1 => write!(f, "generation {generation}: {files} files, 1 finding"),
            count => write!(f, "generation {generation}: {files} files, {count} findings"),
        }
    }
}

impl Backup {
    /// Reads all files of a generation: each must be as it was copied, and each journal must be sound in itself. Does not
    /// stop at the first finding.
    pub fn verify(&self, manifest: &Manifest, progress: Progress<'_>) -> Result<VerifyReport, BackupError> {
        let mut findings = Vec::new();
        let (mut done, all) = (0, manifest.bytes());
        for file in &manifest.files {
            if let Some(what) = self.file_fault(file) {
                findings.push(Finding { path: file.path.clone(), what });
            }
            done += file.bytes;
            progress(done, all);
        }
        findings.extend(self.journals_verify(manifest)?);
        let (generation, files) = (manifest.name(), manifest.files.len());
        Ok(VerifyReport { generation, files, bytes: all, findings })
    }

    /// What is wrong with a file of the pool.
    fn file_fault(&self, entry: &FileEntry) -> Option<String> {
        let pooled = self.pool().path(entry);
        match hash(&**self.disk(), &pooled, entry.bytes) {
            Ok(hash) if hash == entry.blake3 => None,
            Ok(_) => Some(format!("{} has not the bytes that were copied", pooled.display())),
            Err(error) => Some(format!("{} cannot be read: {error}", pooled.display())),
        }
    }

    /// Damage that was copied faithfully.
    fn journals_verify(&self, manifest: &Manifest) -> Result<Vec<Finding>, BackupError> {
        let disk = Arc::new(GenerationDisk::new(self, manifest));
        let mut findings = Vec::new();
        for dir in journals(manifest) {
            let report = journal::verify(disk.clone(), dir)?;
            if !report.is_sound() {
                findings.push(Finding { path: dir.display().to_string(), what: report.to_string() });
            }
        }
        Ok(findings)
    }
}

/// The folders that hold segments.
fn journals(manifest: &Manifest) -> BTreeSet<&Path> {
    let paths = manifest.files.iter().map(|file| Path::new(&file.path));
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .filter_map(Path::parent)
        .collect()
}
