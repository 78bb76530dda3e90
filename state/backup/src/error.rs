//! What keeps a backup from being taken, read or brought back.

use std::io;
use std::path::{Path, PathBuf};

use journal::JournalError;
use telemetry::Fault;
use thiserror::Error;

/// What keeps a backup from being taken, read or brought back. Damage of its files is none: that is a finding of a report.
#[derive(Debug, Error)]
pub enum BackupError {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes to the backup directory, or brings something back from it.
    #[error("{0}: another process is using this backup")]
    Locked(PathBuf),
    /// The directory has files of somebody else.
    #[error("{dir}: this is no backup, and not empty: it holds \"{name}\"", dir = .dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        name: String,
    },
    /// The directory holds no finished backup.
    #[error("{0}: there is no backup here")]
    Empty(PathBuf),
    /// No generation of this name.
    #[error("there is no generation {0}; --list names those that there are")]
    Unknown(String),
    /// A list of files that cannot be read.
    #[error("{path}: not a list of files: {why}", path = .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The generation has nothing of this store.
    #[error("the generation has no store {0}")]
    NoStore(String),
    /// A restore would overwrite what is there.
    #[error("{0}: there is something already; a restore wants an empty place")]
    Occupied(PathBuf),
    /// A journal could not be read at all.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl BackupError {
    /// An error of the file at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } | Self::Manifest { .. } | Self::Journal(_) => Fault::Local,
            Self::Locked(_) => Fault::Temporary,
            Self::Foreign { .. }
            | Self::Empty(_)
            | Self::Unknown(_)
            | Self::NoStore(_)
            | Self::Occupied(_) => Fault::Policy,
        }
    }
}

/// Whether an error says that a file is not there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// The folder that holds `path`.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
