//! A message as records, rows of the view and snapshots hold it.

use crate::{BodyId, EmailId, Flags, ModSeq, ThreadId, Uid};

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) uid: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) flags: Flags,
    /// Seconds since 1970.
    pub(crate) internal_date: i64,
    /// Seconds since 1970.
    pub(crate) save_date: i64,
    pub(crate) size: u64,
    pub(crate) body: BodyId,
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
}

/// Messages whose flags are written as groups, so that a long list of keywords is written once and not with each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grouped<T>(pub(crate) Vec<T>);

impl<T> std::ops::Deref for Grouped<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}
