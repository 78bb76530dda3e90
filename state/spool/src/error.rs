//! What can go wrong, and whose fault it is.

use std::io;
use std::sync::Arc;

use journal::{JournalError, SequencerError, StoreError, ViewError};
use telemetry::Fault;
use thiserror::Error;

use crate::queue_id::QueueId;

/// The spool cannot do what it was asked for.
#[derive(Debug, Clone, Error)]
pub enum SpoolError {
    /// The journal, the view or the thread between them failed, or is stopping. Nothing was acknowledged.
    #[error(transparent)]
    Sequencer(#[from] SequencerError),
    /// A body could not be written or read.
    #[error("body of {queue_id}: {error}")]
    Body {
        /// The message.
        queue_id: QueueId,
        /// The disk's error.
        error: Arc<io::Error>,
    },
    /// A stored body is not as it was written.
    #[error("body of {0} is damaged")]
    BodyDamaged(QueueId),
    /// The directory cannot be used.
    #[error("spool directory: {0}")]
    Dir(Arc<io::Error>),
    /// No such message is in the queue.
    #[error("no message {0} in the queue")]
    NotFound(QueueId),
    /// A message without a route.
    #[error("message {0} has no route")]
    NoRoute(QueueId),
    /// A queue id that was used before.
    #[error("queue id {0} is taken")]
    Taken(QueueId),
}

impl SpoolError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Sequencer(error) => error.fault(),
            Self::Body { .. } if self.is_no_space() => Fault::Temporary,
            Self::Body { .. } | Self::BodyDamaged(_) | Self::Dir(_) => Fault::Local,
            Self::NotFound(_) => Fault::Peer,
            Self::NoRoute(_) | Self::Taken(_) => Fault::Bug,
        }
    }
}

impl SpoolError {
    /// Whether the disk has no room for it. Nothing of it was done, and the queue goes on.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Sequencer(error) => matches!(error, SequencerError::NoSpace),
            Self::Body { error, .. } => disk::is_no_space(error),
            _ => false,
        }
    }

    /// Whether state is damaged on disk: opening the queue again does not help, an operator must decide.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Sequencer(error) if error.is_damage())
    }
}

impl From<JournalError> for SpoolError {
    fn from(error: JournalError) -> Self {
        Self::Sequencer(error.into())
    }
}

impl From<ViewError> for SpoolError {
    fn from(error: ViewError) -> Self {
        Self::Sequencer(error.into())
    }
}

impl From<StoreError> for SpoolError {
    fn from(error: StoreError) -> Self {
        Self::Sequencer(error.into())
    }
}
