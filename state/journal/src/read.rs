//! Reading frames back.

use crate::error::JournalError;
use crate::lsn::{Epoch, Lsn};
use crate::record::StoredRecord;

/// One frame as it stands in a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The term in which it was written.
    pub epoch: Epoch,
    /// The number of its first record; of a frame without records, that of the next one.
    pub first: Lsn,
    /// All records below this number were durable when it was written.
    pub synced: Lsn,
    /// Its records. Empty in the marks at the beginning and end of a term.
    pub records: Vec<StoredRecord>,
}

impl Frame {
    /// The number after its last record.
    pub fn lsn_next(&self) -> Lsn {
        Lsn(self.first.0 + self.records.len() as u64)
    }
}

/// Frames in order; ends after an error.
pub struct Frames(Box<dyn Iterator<Item = Result<Frame, JournalError>> + Send>);

impl Frames {
    /// Frames from any source.
    pub fn new(frames: impl Iterator<Item = Result<Frame, JournalError>> + Send + 'static) -> Self {
        Self(Box::new(frames))
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
