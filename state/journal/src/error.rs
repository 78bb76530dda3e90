//! What can go wrong, and whose fault it is.

use std::fmt;
use std::io;
use std::path::PathBuf;

use telemetry::Fault;
use thiserror::Error;

use crate::codec::DecodeError;
use crate::lsn::{Epoch, Lsn, Place};
use crate::record::Class;

/// One place of a journal that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub segment: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// The record, or the first that cannot be read.
    pub lsn: Lsn,
    /// What is lost: one message, or the trust in all that follows.
    pub class: Class,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.class == Class::Body { "a message body" } else { "state" };
        write!(
            f,
            "{} damaged in {} at byte {}, record {}",
            what,
            self.segment.display(),
            self.offset,
            self.lsn
        )
    }
}

/// A journal cannot do what it was asked for.
#[derive(Debug, Clone, Error)]
pub enum JournalError {
    /// Another process owns it.
    #[error("journal {0} is owned by another process")]
    Owned(PathBuf),
    /// A directory that should be empty is not.
    #[error("{0} is not empty")]
    Occupied(PathBuf),
    /// A newer owner has taken over.
    #[error("journal is at epoch {at}, the writer at {writer}")]
    Fenced {
        /// The journal's epoch.
        at: Epoch,
        /// The epoch of who tried to write.
        writer: Epoch,
    },
    /// State is damaged; nothing is appended until an operator has decided.
    #[error("journal is read-only: {0}")]
    Damaged(Damage),
    /// A write or sync has failed; nothing is appended until it has been opened again.
    #[error("journal has failed and must be opened again: {0}")]
    Poisoned(String),
    /// It was closed.
    #[error("journal is closed")]
    Closed,
    /// The record is not there any more, or never was.
    #[error("journal has no record {} in segment {}", .0.lsn, .0.segment)]
    NoRecord(Place),
    /// The record's segment was compacted: what is still needed of it stands elsewhere, and the view says where.
    #[error("segment {} was compacted", .0.segment)]
    SegmentGone(Place),
    /// Records from there on are not all there any more, because segments were compacted: only who starts from nothing
    /// can read on.
    #[error("records from {0} on were compacted")]
    Compacted(Lsn),
    /// The disk has no room. Nothing was written, and the journal goes on.
    #[error("no space is left for the journal")]
    NoSpace,
    /// A record does not have its checksum.
    #[error("record {} in segment {} is damaged", .0.lsn, .0.segment)]
    RecordDamaged(Place),
    /// The records before this one were trimmed.
    #[error("journal starts after record {0}")]
    Trimmed(Lsn),
    /// A command or a batch is larger than a frame can be.
    #[error("a frame of {0} bytes is too large")]
    TooLarge(usize),
    /// A file of a newer program.
    #[error("journal has unknown format version {0}")]
    Version(u16),
    /// The disk said no.
    #[error("journal {path}: {error}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The disk's error.
        error: std::sync::Arc<io::Error>,
    },
}

impl JournalError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error: error.into() }
    }

    /// Whether the disk has no room.
    pub(crate) fn is_no_space(&self) -> bool {
        match self {
            Self::NoSpace => true,
            Self::Io { error, .. } => disk::is_no_space(error),
            _ => false,
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::TooLarge(_) | Self::NoRecord(_) => Fault::Bug,
            Self::NoSpace | Self::SegmentGone(_) => Fault::Temporary,
            _ => Fault::Local,
        }
    }
}

/// A view cannot do what it was asked for.
#[derive(Debug, Clone, Error)]
pub enum ViewError {
    /// The engine failed.
    #[error("view engine: {0}")]
    Engine(String),
    /// The disk has no room for it.
    #[error("no space is left for the view")]
    NoSpace,
    /// A table was used that was not named at opening.
    #[error("view has no table {0}")]
    NoTable(&'static str),
}

impl ViewError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Engine(_) | Self::NoSpace => Fault::Local,
            Self::NoTable(_) => Fault::Bug,
        }
    }
}

/// A store cannot apply a record: the record is not of its making, or its view fails. The sequencer stops.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The record cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The view failed.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The record's kind is unknown.
    #[error("unknown kind {0} of record")]
    Kind(u16),
    /// The store does not know how to be compacted.
    #[error("the store cannot be compacted")]
    Uncompacted,
    /// A segment cannot be compacted for now, because of work that is under way.
    #[error("not yet: {0}")]
    NotYet(&'static str),
    /// The record does not fit the state that the records before it made.
    #[error("record {lsn} does not fit: {why}")]
    Unfit {
        /// The record.
        lsn: Lsn,
        /// What is wrong.
        why: String,
    },
}

impl StoreError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::View(error) => error.fault(),
            Self::Journal(error) => error.fault(),
            Self::NotYet(_) => Fault::Temporary,
            Self::Decode(_) | Self::Kind(_) | Self::Uncompacted | Self::Unfit { .. } => Fault::Bug,
        }
    }
}

/// A sequencer could not open, or did not take a command. A command that got this error may or may not have become
/// durable; it is never acknowledged.
#[derive(Debug, Clone, Error)]
pub enum SequencerError {
    /// The journal failed.
    #[error(transparent)]
    Journal(JournalError),
    /// The view failed.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The store could not make sense of a record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Space on the disk is low: the command was refused and nothing of it was done. The store goes on.
    #[error("insufficient space on the server")]
    NoSpace,
    /// It has been stopped.
    #[error("the store is stopped")]
    Stopped,
    /// Its thread has panicked; it must be opened again.
    #[error("the store has failed by a bug and must be opened again")]
    Panicked,
}

impl From<JournalError> for SequencerError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NoSpace => Self::NoSpace,
            error => Self::Journal(error),
        }
    }
}

impl SequencerError {
    /// Whose fault it is. A store that is stopping is a passing state.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Journal(error) => error.fault(),
            Self::View(error) => error.fault(),
            Self::Store(error) => error.fault(),
            Self::Stopped | Self::NoSpace => Fault::Temporary,
            Self::Panicked => Fault::Bug,
        }
    }

    /// Whether a command alone was refused, so that the store goes on without it.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::NoSpace | Self::Journal(JournalError::TooLarge(_)))
    }

    /// Whether state is damaged on disk: opening the store again does not help, an operator must decide.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Damaged(_)))
    }
}
