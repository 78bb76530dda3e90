//! The records of the journal. Each states a result; none asks for anything to be computed again.
//!
//! | kind | record | what it says |
//! |---|---|---|
//! | 1 | body data | the bytes of a message, compressed or not; of class `Body`, read only by those who want them |
//! | 2 | [`BodyStored`] | a body exists, how it is kept, and how IMAP shows it; its data is the record before it |
//! | 3 | [`MessageAppended`] | a message came into a mailbox |
//! | 4 | [`FlagsSet`] | messages have these flags now |
//! | 5 | [`MessagesExpunged`] | messages are out of sight, and kept |
//! | 6 | [`MessagesCopied`] | messages of other mailboxes are in this one too |
//! | 7 | [`MessagesMoved`] | messages left one mailbox for another |
//! | 8 | [`TransferRows`] | some messages of a large copy; not visible |
//! | 9 | [`TransferCommitted`] | all messages of a large copy, visible at once |
//! | 10 | [`TransferAborted`] | a large copy came to nothing |
//! | 11 | [`NameRow`] | a name of the namespace, new or changed |
//! | 12 | [`NameRemoved`] | a name is no more |
//! | 13 | [`MailboxRow`] | a mailbox, changed or deleted; says nothing of its counters |
//! | 14 | [`SubscriptionSet`] | an account subscribed to a name, or no longer |
//! | 15 | [`MailboxCreated`] | a mailbox, new and empty |
//! | 16 | [`TransferPlacedOnly`] | some messages of a committed large copy have rows of their own; says not which |
//! | 17 | [`Restated`](crate::compaction::Restated) | things as they are now, said again by compaction |
//! | 18 | [`Removed`](crate::compaction::Removed) | things that are no more: purged, or said again by compaction |
//! | 19 | [`TransferRows`] | the same as 8 |
//! | 20 | [`TransferCommitted`] | the same as 9 |
//! | 21 | [`TransferPlaced`] | some messages of a committed large copy as they are, with rows of their own from now on |
//!
//! A record that changes a mailbox carries the mailbox's counters after the change, so that replay counts nothing.
//!
//! Kinds 8, 9 and 16 are read and not written any more. They hang on each other: 16 makes rows of what 8 and 9 said, so that a
//! segment that holds one of them is never compacted. What 21 says it says in full.

use bytes::Bytes;
use compact_str::CompactString;
use journal::{DecodeError, Decoder, Encoder, Record, StoreError};

use crate::codec::{Coded, coded_struct, decoded, encoded};
use crate::compaction::{Removed, Restated};
use crate::counters::Counters;
use crate::id::{NameId, TransferId};
use crate::message_row::{Grouped, Message};
use crate::{BodyId, Flags, MailboxId, MailboxPath, ModSeq, SpecialUse, Uid, UidSet, UidValidity};

/// The kind of the record that holds the bytes of a body.
pub(crate) const BODY_DATA: u16 = 1;

/// A body whose bytes are in the journal record before this one, or in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyStored {
    pub(crate) body: BodyId,
    /// BLAKE3 of the message.
    pub(crate) hash: [u8; 32],
    /// Bytes of the message.
    pub(crate) size: u64,
    /// The file that holds the message; none when the record before does.
    pub(crate) file: Option<FileId>,
    /// See `presentation.rs`.
    pub(crate) presentation: Bytes,
}

/// A file of the `bodies` directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) [u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageAppended {
    pub(crate) mailbox: MailboxId,
    pub(crate) counters: Counters,
    pub(crate) message: Message,
    /// Whose conversations the message was looked up among.
    pub(crate) owner: NameId,
    pub(crate) thread_keys: ThreadKeys,
}

/// By what a message is found to belong to a conversation: its own message id and those that it refers to, hashed,
/// each together with the base subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ThreadKeys {
    pub(crate) message_ids: Vec<[u8; 16]>,
    pub(crate) subject: [u8; 8],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlagsSet {
    pub(crate) mailbox: MailboxId,
    pub(crate) counters: Counters,
    pub(crate) groups: Vec<(Flags, UidSet)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessagesExpunged {
    pub(crate) mailbox: MailboxId,
    pub(crate) counters: Counters,
    /// When, in seconds since 1970: from then on `retention` is counted.
    pub(crate) at: i64,
    /// The messages by the flags that they had.
    pub(crate) groups: Vec<(Flags, UidSet)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessagesCopied {
    pub(crate) mailbox: MailboxId,
    pub(crate) counters: Counters,
    pub(crate) messages: Grouped<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessagesMoved {
    pub(crate) from: MailboxId,
    pub(crate) from_counters: Counters,
    pub(crate) to: MailboxId,
    pub(crate) to_counters: Counters,
    /// The uid that each message had, and the message as it is now.
    pub(crate) messages: Grouped<(Uid, Message)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransferRows {
    pub(crate) transfer: TransferId,
    /// The place of these messages in the transfer.
    pub(crate) index: u32,
    /// With the uids and modseqs that they have where they come from.
    pub(crate) messages: Grouped<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransferCommitted {
    pub(crate) transfer: TransferId,
    pub(crate) mailbox: MailboxId,
    pub(crate) counters: Counters,
    /// The uid of the first message; the others follow without gaps.
    pub(crate) uid_first: Uid,
}

/// Changes nothing that is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransferPlacedOnly {
    pub(crate) mailbox: MailboxId,
    pub(crate) transfer: TransferId,
    pub(crate) index: u32,
}

/// Changes nothing that is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransferPlaced {
    pub(crate) mailbox: MailboxId,
    pub(crate) transfer: TransferId,
    pub(crate) index: u32,
    /// The record that made the messages visible.
    pub(crate) record: u64,
    /// As they are in their new mailbox.
    pub(crate) messages: Grouped<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransferAborted {
    pub(crate) transfer: TransferId,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum NameKind {
    Domain = 1,
    Owner = 2,
    Component = 3,
}

/// One name under its parent's id, so that renaming it renames all below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameRow {
    pub(crate) id: NameId,
    /// [`NameId::ROOT`] above a domain.
    pub(crate) parent: NameId,
    pub(crate) kind: NameKind,
    pub(crate) text: CompactString,
    /// The mailbox of this name, if it has one.
    pub(crate) mailbox: Option<MailboxId>,
    /// When it was last changed.
    pub(crate) modseq: ModSeq,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameRemoved {
    pub(crate) id: NameId,
    pub(crate) modseq: ModSeq,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailboxRow {
    pub(crate) id: MailboxId,
    pub(crate) uid_validity: UidValidity,
    pub(crate) special_use: Option<SpecialUse>,
    /// Seconds since 1970.
    pub(crate) created: i64,
    /// When it was created, last changed or deleted.
    pub(crate) modseq: ModSeq,
    pub(crate) deleted: Option<MailboxDeleted>,
}

/// A mailbox that was not there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailboxCreated {
    pub(crate) mailbox: MailboxRow,
}

/// A mailbox that is out of sight and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailboxDeleted {
    /// Seconds since 1970.
    pub(crate) at: i64,
    /// The name that it had.
    pub(crate) path: MailboxPath,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriptionSet {
    pub(crate) owner: NameId,
    pub(crate) path: MailboxPath,
    pub(crate) subscribed: bool,
}

coded_struct!(BodyStored { body, hash, size, file, presentation });
coded_struct!(MessageAppended { mailbox, counters, message, owner, thread_keys });
coded_struct!(ThreadKeys { message_ids, subject });
coded_struct!(FlagsSet { mailbox, counters, groups });
coded_struct!(MessagesExpunged { mailbox, counters, at, groups });
coded_struct!(MessagesCopied { mailbox, counters, messages });
coded_struct!(MessagesMoved { from, from_counters, to, to_counters, messages });
coded_struct!(TransferRows { transfer, index, messages });
coded_struct!(TransferCommitted { transfer, mailbox, counters, uid_first });
coded_struct!(TransferPlacedOnly { mailbox, transfer, index });
coded_struct!(TransferPlaced { mailbox, transfer, index, record, messages });
coded_struct!(TransferAborted { transfer });
coded_struct!(NameRow { id, parent, kind, text, mailbox, modseq });
coded_struct!(NameRemoved { id, modseq });
coded_struct!(MailboxRow { id, uid_validity, special_use, created, modseq, deleted });
coded_struct!(MailboxCreated { mailbox });
coded_struct!(MailboxDeleted { at, path });
coded_struct!(SubscriptionSet { owner, path, subscribed });

impl Coded for FileId {
    fn put(&self, encoder: &mut Encoder) {
        self.0.put(encoder);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Coded::take(decoder).map(Self)
    }
}

impl Coded for NameKind {
    fn put(&self, encoder: &mut Encoder) {
        encoder.byte(*self as u8);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match decoder.byte()? {
            1 => Ok(Self::Domain),
            2 => Ok(Self::Owner),
            3 => Ok(Self::Component),
            _ => Err(DecodeError::Invalid("kind of name")),
        }
    }
}

/// Names each kind of record once: its number, the number that it was written with before if that is another, its
/// variant, its content.
macro_rules! entries {
    ($($kind:literal $(| $old:literal)? => $variant:ident),+ $(,)?) => {
        /// A record of state, decoded.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Entry {
            $($variant($variant)),+
        }

        impl Entry {
            /// The record for the journal.
            pub(crate) fn record(&self) -> Record {
                match self {
                    $(Self::$variant(entry) => Record::state($kind, encoded(entry)),)+
                }
            }

            /// Reads a record of state back.
            pub(crate) fn decode(record: &Record) -> Result<Self, StoreError> {
                match record.kind {
                    $($kind $(| $old)? => Ok(Self::$variant(decoded(&record.bytes)?)),)+
                    kind => Err(StoreError::Kind(kind)),
                }
            }
        }

        $(impl From<$variant> for Entry {
            fn from(entry: $variant) -> Self {
                Self::$variant(entry)
            }
        })+
    };
}

entries! {
    2 => BodyStored,
    3 => MessageAppended,
    4 => FlagsSet,
    5 => MessagesExpunged,
    6 => MessagesCopied,
    7 => MessagesMoved,
    19 | 8 => TransferRows,
    20 | 9 => TransferCommitted,
    10 => TransferAborted,
    11 => NameRow,
    12 => NameRemoved,
    13 => MailboxRow,
    14 => SubscriptionSet,
    15 => MailboxCreated,
    16 => TransferPlacedOnly,
    17 => Restated,
    18 => Removed,
    21 => TransferPlaced,
}

/// The kind of [`Removed`].
pub(crate) const REMOVED: u16 = 18;

/// The kinds whose records say only together what they say.
pub(crate) const ENTANGLED: [u16; 3] = [8, 9, 16];

impl Entry {
    /// The counters that the record states: of a mailbox, after the change.
    pub(crate) fn counters(&self) -> Vec<(MailboxId, Counters)> {
        match self {
            Self::MessageAppended(entry) => vec![(entry.mailbox, entry.counters)],
            Self::FlagsSet(entry) => vec![(entry.mailbox, entry.counters)],
            Self::MessagesExpunged(entry) => vec![(entry.mailbox, entry.counters)],
            Self::MessagesCopied(entry) => vec![(entry.mailbox, entry.counters)],
            Self::MessagesMoved(entry) => {
                vec![(entry.from, entry.from_counters), (entry.to, entry.to_counters)]
            }
            Self::TransferCommitted(entry) => vec![(entry.mailbox, entry.counters)],
            Self::MailboxCreated(MailboxCreated { mailbox }) => {
                vec![(mailbox.id, Counters::new(mailbox.modseq))]
            }
            _ => Vec::new(),
        }
    }

    /// The largest modseq of the record.
    pub(crate) fn modseq(&self) -> Option<ModSeq> {
        match self {
            Self::NameRow(row) => Some(row.modseq),
            Self::NameRemoved(removed) => Some(removed.modseq),
            Self::MailboxRow(row) => Some(row.modseq),
            _ => self.counters().into_iter().map(|(_, counters)| counters.modseq).max(),
        }
    }

    /// The mailbox that the record made, changed or deleted, as it is now.
    pub(crate) fn mailbox(&self) -> Option<&MailboxRow> {
        match self {
            Self::MailboxRow(mailbox) | Self::MailboxCreated(MailboxCreated { mailbox }) => Some(mailbox),
            _ => None,
        }
    }
}
