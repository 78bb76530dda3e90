//! What requests ask for and what they answer.

use disk::Body;
use jiff::Timestamp;
use journal::Synced;

use crate::{
    BodyId, EmailId, Flags, MailboxId, MailboxPath, ModSeq, SpecialUse, ThreadId, Uid, UidSet, UidValidity,
};

/// A message to append.
#[derive(Debug, Clone)]
pub struct AppendRequest {
    /// Where to.
    pub mailbox: MailboxId,
    /// The message as it came, header and body.
    pub body: Body,
    /// Flags to begin with.
    pub flags: Flags,
    /// The internal date (RFC 3501 2.3.3); kept to the second.
    pub internal_date: Timestamp,
}

/// A message is stored: it will be there after any crash. Only this crate can make one, and only from the journal's
/// proof of the sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    mailbox: MailboxId,
    uid_validity: UidValidity,
    uid: Uid,
    modseq: ModSeq,
    email_id: EmailId,
    thread_id: ThreadId,
}

/// What the sequencer allocated for a message, not yet durable.
#[derive(Debug)]
pub(crate) struct Allocated {
    pub(crate) body: BodyId,
    pub(crate) mailbox: MailboxId,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid: Uid,
    pub(crate) modseq: ModSeq,
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
}

impl Appended {
    pub(crate) fn new(allocated: Allocated, _proof: &Synced) -> Self {
        let Allocated { mailbox, uid_validity, uid, modseq, email_id, thread_id, .. } = allocated;
        Self { mailbox, uid_validity, uid, modseq, email_id, thread_id }
    }

    /// The mailbox.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// The generation of the mailbox's uids (APPENDUID, RFC 4315 3).
    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// The message's uid.
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// The modseq of the append.
    pub fn modseq(&self) -> ModSeq {
        self.modseq
    }

    /// The message's id in every mailbox.
    pub fn email_id(&self) -> EmailId {
        self.email_id
    }

    /// Its conversation.
    pub fn thread_id(&self) -> ThreadId {
        self.thread_id
    }
}

/// What STORE did. The snapshot taken after it shows at least this.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreOutcome {
    /// The modseq of the last change; zero when nothing changed.
    pub modseq: ModSeq,
    /// Messages whose flags are other than before.
    pub changed: UidSet,
    /// Messages left alone because they changed after UNCHANGEDSINCE (MODIFIED, RFC 7162 3.1.3).
    pub modified: UidSet,
    /// Uids without a message; expunged meanwhile, as a rule.
    pub missing: UidSet,
}

/// What COPY or MOVE did. The n-th uid of `source` became the n-th of `destination` (COPYUID, RFC 4315 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOutcome {
    /// The generation of the destination's uids.
    pub uid_validity: UidValidity,
    /// Messages that were copied or moved.
    pub source: UidSet,
    /// Their uids in the destination.
    pub destination: UidSet,
    /// The modseq of the last change; zero when nothing was copied.
    pub modseq: ModSeq,
}

/// What EXPUNGE did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpungeOutcome {
    /// Messages that are gone.
    pub uids: UidSet,
    /// The modseq of the last change; zero when nothing was expunged.
    pub modseq: ModSeq,
}

/// A name in the list of mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxEntry {
    /// The name.
    pub path: MailboxPath,
    /// The mailbox; none for a level of the hierarchy only (`\Noselect`, RFC 3501 7.2.2).
    pub id: Option<MailboxId>,
    /// What it is for (RFC 6154 2).
    pub special_use: Option<SpecialUse>,
    /// There are names below it (RFC 3348 3).
    pub has_children: bool,
    /// The listing account has subscribed to it.
    pub subscribed: bool,
}

/// The numbers of a mailbox (RFC 3501 6.3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Messages that are visible.
    pub messages: u32,
    /// Messages that no session has claimed as recent.
    pub recent: u32,
    /// The uid that the next message gets.
    pub uid_next: Uid,
    /// The generation of uids.
    pub uid_validity: UidValidity,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Bytes of all messages together.
    pub size: u64,
    /// The modseq of the last change.
    pub highest_modseq: ModSeq,
}

/// Messages that a session is the first to see (`\Recent`, RFC 3501 2.3.2): those from `from` on, below `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentClaim {
    /// The first uid that is recent for the claiming session.
    pub from: Uid,
    /// The first uid that is not, because it came after the claim.
    pub until: Uid,
}

impl RecentClaim {
    /// True when a message with this uid is recent for the session that made the claim.
    pub fn contains(&self, uid: Uid) -> bool {
        self.from <= uid && uid < self.until
    }
}
