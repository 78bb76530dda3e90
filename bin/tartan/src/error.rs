//! Why a command failed, and its exit status.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A command that failed. Its text is what the user reads.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Every mistake in the configuration.
    #[error("{0}")]
    Config(#[from] config::ConfigErrors),
    /// The command cannot mean anything as given.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system says no, or failed.
    #[error("{0}")]
    Failed(String),
    /// The running system cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

impl CliError {
    /// For `map_err` on an operation on `path`.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// For `map_err` on anything that explains itself.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// The status that the process ends with, as the help says.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) | Self::File { .. } => ExitCode::from(1),
            Self::Config(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Unreachable(_) => ExitCode::from(3),
        }
    }
}

impl From<backup::BackupError> for CliError {
    fn from(error: backup::BackupError) -> Self {
        match error {
            backup::BackupError::Foreign { .. } => Self::Usage(error.to_string()),
            _ => Self::failed(error),
        }
    }
}

impl From<io::Error> for CliError {
    /// Of standard output, the only stream that is used without naming a file.
    fn from(source: io::Error) -> Self {
        Self::File { path: PathBuf::from("standard output"), source }
    }
}
