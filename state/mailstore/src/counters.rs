//! The numbers of a mailbox, as every record that changes the mailbox states them.

use crate::message_row::Message;
use crate::{Flags, MailboxStatus, ModSeq, SystemFlag, Uid, UidValidity};

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

    /// These counters without any message.
    pub(crate) fn emptied(self) -> Self {
        Self { messages: 0, unseen: 0, deleted: 0, bytes: 0, ..self }
    }

    /// Whether both count the same messages.
    pub(crate) fn same_numbers(&self, other: &Self) -> bool {
        let numbers =
            |counters: &Self| (counters.messages, counters.unseen, counters.deleted, counters.bytes);
        numbers(self) == numbers(other)
    }

    /// Counts one message more.
    pub(crate) fn with(mut self, message: &Message) -> Self {
        self.messages += 1;
        self.bytes += message.size;
        self.flags_add(&message.flags);
        self
    }

    /// Counts one message less.
    pub(crate) fn without(mut self, flags: &Flags, size: u64) -> Self {
        self.messages -= 1;
        self.bytes -= size;
        self.flags_remove(flags);
        self
    }

    /// A message's flags changed.
    pub(crate) fn flagged(mut self, before: &Flags, after: &Flags) -> Self {
        self.flags_remove(before);
        self.flags_add(after);
        self
    }

    fn flags_add(&mut self, flags: &Flags) {
        self.unseen += u32::from(!flags.has(SystemFlag::Seen));
        self.deleted += u32::from(flags.has(SystemFlag::Deleted));
    }

    fn flags_remove(&mut self, flags: &Flags) {
        self.unseen -= u32::from(!flags.has(SystemFlag::Seen));
        self.deleted -= u32::from(flags.has(SystemFlag::Deleted));
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
