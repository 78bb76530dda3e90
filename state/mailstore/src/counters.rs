//! The numbers of a mailbox, as every record that changes the mailbox states them.

use crate::{MailboxStatus, ModSeq, Uid, UidValidity};

/// The counters of one mailbox after a change. Records carry them as results, so that nothing is counted on replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) uid_next: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) messages: u32,
    pub(crate) unseen: u32,
    pub(crate) deleted: u32,
    pub(crate) bytes: u64,
    /// Messages with smaller uids have been claimed as recent. May be behind what is in memory.
    pub(crate) recent_from: Uid,
}

impl Counters {
    /// An empty mailbox, created at `modseq`.
    pub(crate) fn new(modseq: ModSeq) -> Self {
        Self {
            uid_next: Uid::FIRST,
            modseq,
            messages: 0,
            unseen: 0,
            deleted: 0,
            bytes: 0,
            recent_from: Uid::FIRST,
        }
    }

    /// The numbers as a client asks for them.
    pub(crate) fn status(&self, uid_validity: UidValidity, recent: u32) -> MailboxStatus {
        MailboxStatus {
            messages: self.messages,
            recent,
            uid_next: self.uid_next,
            uid_validity,
            unseen: self.unseen,
            deleted: self.deleted,
            size: self.bytes,
            highest_modseq: self.modseq,
        }
    }
}
