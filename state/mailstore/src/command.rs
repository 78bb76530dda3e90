//! What is asked of the sequencer, and what it answers.

use address::AccountName;

use crate::compaction::Key;
use crate::id::TransferId;
use crate::prepare::Prepared;
use crate::{
    AccountMailbox, Appended, BodyId, CopyOutcome, EmailId, ExpungeOutcome, FlagChange, Flags, MailboxId,
    MailboxPath, MailstoreError, ModSeq, SpecialUse, StoreOutcome, UidSet,
};

/// A command. Times are seconds since 1970; `bytes` are those of the messages that it changes, about.
pub(crate) enum Command {
    Append(Box<Append>),
    AccountEnsure(AccountEnsure),
    MailboxCreate(MailboxCreate),
    MailboxDelete(MailboxDelete),
    MailboxRename(MailboxRename),
    Subscribe(Subscribe),
    Store(StoreFlags),
    Expunge(Expunge),
    Copy(Copy),
    Move(Copy),
    TransferAdd(TransferAdd),
    TransferCommit(TransferCommit),
    TransferPlace(TransferPlace),
    TransferAbort(TransferId),
    Purge(Purge),
    /// The store was brought back from a backup.
    Restored,
}

pub(crate) struct Append {
    pub(crate) mailbox: MailboxId,
    pub(crate) flags: Flags,
    pub(crate) internal_date: i64,
    pub(crate) now: i64,
    pub(crate) prepared: Prepared,
    /// Of a message that was in a store before; others get one.
    pub(crate) email_id: Option<EmailId>,
}

pub(crate) struct AccountEnsure {
    pub(crate) account: AccountName,
    pub(crate) mailboxes: Vec<AccountMailbox>,
    pub(crate) now: i64,
}

pub(crate) struct MailboxCreate {
    pub(crate) path: MailboxPath,
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) now: i64,
}

pub(crate) struct MailboxDelete {
    pub(crate) path: MailboxPath,
    pub(crate) now: i64,
}

pub(crate) struct MailboxRename {
    pub(crate) from: MailboxPath,
    pub(crate) to: MailboxPath,
    pub(crate) now: i64,
    pub(crate) bytes: usize,
}

pub(crate) struct Subscribe {
    pub(crate) account: AccountName,
    pub(crate) path: MailboxPath,
    pub(crate) subscribed: bool,
}

pub(crate) struct StoreFlags {
    pub(crate) mailbox: MailboxId,
    pub(crate) uids: UidSet,
    pub(crate) change: FlagChange,
    pub(crate) unchanged_since: Option<ModSeq>,
    pub(crate) bytes: usize,
}

pub(crate) struct Expunge {
    pub(crate) mailbox: MailboxId,
    pub(crate) uids: Option<UidSet>,
    /// Messages that are expunged at most; the rest is left.
    pub(crate) messages_max: usize,
    pub(crate) now: i64,
    pub(crate) bytes: usize,
}

pub(crate) struct Copy {
    pub(crate) from: MailboxId,
    pub(crate) uids: UidSet,
    pub(crate) to: MailboxId,
    pub(crate) now: i64,
    pub(crate) bytes: usize,
}

pub(crate) struct TransferAdd {
    pub(crate) transfer: TransferId,
    pub(crate) index: u32,
    pub(crate) from: MailboxId,
    pub(crate) uids: UidSet,
    pub(crate) now: i64,
    pub(crate) bytes: usize,
}

/// Some messages of a committed transfer get rows of their own.
pub(crate) struct TransferPlace {
    pub(crate) mailbox: MailboxId,
    pub(crate) transfer: TransferId,
    pub(crate) index: u32,
    pub(crate) bytes: usize,
}

/// Things go for good, as far as nothing needs them.
pub(crate) struct Purge {
    pub(crate) keys: Vec<Key>,
    /// A mailbox forgets its changes up to this modseq.
    pub(crate) floor: Option<(MailboxId, ModSeq)>,
    /// What was expunged or deleted after that stays.
    pub(crate) until: i64,
}

pub(crate) struct TransferCommit {
    pub(crate) transfer: TransferId,
    pub(crate) to: MailboxId,
    /// The messages that were added, as uids of their source.
    pub(crate) source: UidSet,
    pub(crate) bytes: usize,
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Reply {
    /// With the body, for the cache.
    Appended((Appended, BodyId)),
    Mailbox(MailboxId),
    Store(StoreOutcome),
    Expunge(ExpungeOutcome),
    Copy(CopyOutcome),
    /// The uids that were there to be added.
    Transferred(UidSet),
    /// What is gone.
    Purged(Vec<Key>),
    Done,
    Refused(MailstoreError),
}

/// Bytes that a command without a body is taken for.
const COMMAND_BYTES: usize = 512;

/// Bytes that a thing to be purged takes in a record, about.
const KEY_BYTES: usize = 40;

impl Command {
    /// Bytes that it holds while it waits, or makes the store hold when its turn comes.
    pub(crate) fn weight(&self) -> usize {
        let bytes = match self {
            Self::Append(append) => append.prepared.bytes(),
            Self::Store(store) => store.bytes,
            Self::Expunge(expunge) => expunge.bytes,
            Self::Copy(copy) | Self::Move(copy) => copy.bytes,
            Self::MailboxRename(rename) => rename.bytes,
            Self::TransferAdd(add) => add.bytes,
            Self::TransferCommit(commit) => commit.bytes,
            Self::TransferPlace(place) => place.bytes,
            Self::Purge(purge) => purge.keys.len() * KEY_BYTES,
            _ => 0,
        };
        COMMAND_BYTES + bytes
    }

    /// Whether it takes room that is not given back soon. What only marks messages, takes them away or brings a change to
    /// its end goes on while space is low.
    pub(crate) fn grows(&self) -> bool {
        match self {
            Self::Append(_)
            | Self::AccountEnsure(_)
            | Self::MailboxCreate(_)
            | Self::Copy(_)
            | Self::TransferAdd(_) => true,
            Self::MailboxDelete(_)
            | Self::MailboxRename(_)
            | Self::Subscribe(_)
            | Self::Store(_)
            | Self::Expunge(_)
            | Self::Move(_)
            | Self::TransferCommit(_)
            | Self::TransferPlace(_)
            | Self::TransferAbort(_)
            | Self::Purge(_)
            | Self::Restored => false,
        }
    }
}
