//! The records of compaction and of purges.

use compact_str::CompactString;
use journal::{DecodeError, Decoder, Encoder};

use super::key::tagged;
use super::{ExpungedAt, Key, ReferenceAt};
use crate::codec::{Coded, coded_struct};
use crate::counters::Counters;
use crate::entry::{MailboxRow, NameRow};
use crate::id::NameId;
use crate::message_row::Message;
use crate::rows::{ChangeRow, ExpungedRow, Marks, ReferenceRow, ThreadKey, ThreadRow};
use crate::{BodyId, MailboxId, MailboxPath, ModSeq};

/// Things as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Restated {
    pub(crate) things: Vec<Stated>,
}

/// Things that are no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Removed {
    pub(crate) keys: Vec<Key>,
}

/// All that there is to say of one thing; see [`Key`] for what each is. Bodies have records of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stated {
    Marks(Marks),
    Name(NameRow),
    Mailbox(MailboxRow, Counters),
    Floor(MailboxId, ModSeq),
    Subscription(NameId, MailboxPath),
    Keyword(MailboxId, CompactString),
    /// With the time when it was expunged, if it was.
    Message(MailboxId, Message, Option<i64>),
    Reference(ReferenceAt, ReferenceRow),
    Change(MailboxId, ModSeq, ChangeRow),
    Expunged(ExpungedAt, ExpungedRow),
    MessageId([u8; 16], BodyId),
    Thread(ThreadKey, ThreadRow),
}

coded_struct!(Restated { things });
coded_struct!(Removed { keys });

impl Stated {
    /// What it speaks of.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Marks(_) => Key::Marks,
            Self::Name(row) => Key::Name(row.id),
            Self::Mailbox(row, _) => Key::Mailbox(row.id),
            Self::Floor(mailbox, _) => Key::Floor(*mailbox),
            Self::Subscription(owner, path) => Key::Subscription(*owner, path.clone()),
            Self::Keyword(mailbox, text) => Key::Keyword(*mailbox, text.clone()),
            Self::Message(mailbox, message, _) => Key::Message(*mailbox, message.uid),
            Self::Reference(at, _) => Key::Reference(*at),
            Self::Change(mailbox, modseq, _) => Key::Change(*mailbox, *modseq),
            Self::Expunged(at, _) => Key::Expunged(*at),
            Self::MessageId(hash, body) => Key::MessageId(*hash, *body),
            Self::Thread(key, _) => Key::Thread(*key),
        }
    }
}

impl Restated {
    /// The counters of mailboxes.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (MailboxId, Counters)> + '_ {
        self.things.iter().filter_map(|thing| match thing {
            Stated::Mailbox(row, counters) => Some((row.id, *counters)),
            _ => None,
        })
    }
}

impl ExpungedAt {
    /// A time before 1970 counts as 1970.
    pub(crate) fn new(at: i64, mailbox: MailboxId, modseq: ModSeq) -> Self {
        Self { at: at.max(0), mailbox, modseq }
    }
}

/// The kind byte of its key, then what there is to say.
impl Coded for Stated {
    fn put(&self, encoder: &mut Encoder) {
        match self {
            Self::Marks(marks) => tagged(1, marks, encoder),
            Self::Name(row) => tagged(3, row, encoder),
            Self::Mailbox(row, counters) => tagged(4, &(row.clone(), *counters), encoder),
            Self::Floor(mailbox, modseq) => tagged(5, &(*mailbox, *modseq), encoder),
            Self::Subscription(owner, path) => tagged(6, &(*owner, path.clone()), encoder),
            Self::Keyword(mailbox, text) => tagged(7, &(*mailbox, text.clone()), encoder),
            Self::Message(mailbox, message, expunged) => {
                tagged(8, &(*mailbox, (message.clone(), *expunged)), encoder);
            }
            Self::Reference(at, row) => tagged(9, &(*at, row.clone()), encoder),
            Self::Change(mailbox, modseq, row) => tagged(10, &((*mailbox, *modseq), row.clone()), encoder),
            Self::Expunged(at, row) => tagged(11, &(*at, row.clone()), encoder),
            Self::MessageId(hash, body) => tagged(13, &(*hash, *body), encoder),
            Self::Thread(key, row) => tagged(14, &(*key, row.clone()), encoder),
        }
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match decoder.byte()? {
            1 => Self::Marks(Coded::take(decoder)?),
            3 => Self::Name(Coded::take(decoder)?),
            4 => Self::Mailbox(Coded::take(decoder)?, Coded::take(decoder)?),
            5 => Self::Floor(Coded::take(decoder)?, Coded::take(decoder)?),
            6 => Self::Subscription(Coded::take(decoder)?, Coded::take(decoder)?),
            7 => Self::Keyword(Coded::take(decoder)?, Coded::take(decoder)?),
            8 => Self::Message(Coded::take(decoder)?, Coded::take(decoder)?, Coded::take(decoder)?),
            9 => Self::Reference(Coded::take(decoder)?, Coded::take(decoder)?),
            10 => Self::Change(Coded::take(decoder)?, Coded::take(decoder)?, Coded::take(decoder)?),
            11 => Self::Expunged(Coded::take(decoder)?, Coded::take(decoder)?),
            13 => Self::MessageId(Coded::take(decoder)?, Coded::take(decoder)?),
            14 => Self::Thread(Coded::take(decoder)?, Coded::take(decoder)?),
            _ => return Err(DecodeError::Invalid("kind of thing")),
        })
    }
}
