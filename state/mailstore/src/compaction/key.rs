//! The things that records speak of.

use bytes::Bytes;
use compact_str::CompactString;
use journal::{DecodeError, Decoder, Encoder, Table};

use crate::codec::{Coded, coded_struct};
use crate::entry::FileId;
use crate::id::{NameId, TransferId};
use crate::rows::{self, ThreadKey};
use crate::{BodyId, MailboxId, MailboxPath, ModSeq, Uid};

/// A thing that records speak of: what is written with it and goes with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// The largest numbers given out. Never gone.
    Marks,
    /// Nothing of its own: a record that has this key says only together with others what it says.
    Entangled,
    /// A name.
    Name(NameId),
    /// A mailbox and its counters, among them the uid that comes next.
    Mailbox(MailboxId),
    /// The modseq up to which a mailbox has forgotten its changes.
    Floor(MailboxId),
    /// A name that an account is subscribed to.
    Subscription(NameId, MailboxPath),
    /// A keyword that messages of a mailbox have or had, in lower case.
    Keyword(MailboxId, CompactString),
    /// A message in a mailbox.
    Message(MailboxId, Uid),
    /// How a message came into a mailbox; by it a body is referred to.
    Reference(ReferenceAt),
    /// What happened to a mailbox at one modseq.
    Change(MailboxId, ModSeq),
    /// Messages that were expunged together and are kept.
    Expunged(ExpungedAt),
    /// A body, and the file that holds it if it is large. Both never change.
    Body(BodyId, Option<FileId>),
    /// A body, found by its hashed message id.
    MessageId([u8; 16], BodyId),
    /// A conversation, found by one of its message ids.
    Thread(ThreadKey),
    /// A large copy, as long as it is not at its end.
    Transfer(TransferId),
}

/// A message as a user of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ReferenceAt {
    pub(crate) body: BodyId,
    pub(crate) mailbox: MailboxId,
    pub(crate) uid: Uid,
}

/// An expunge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExpungedAt {
    /// Seconds since 1970; the order in which messages are purged.
    pub(crate) at: i64,
    pub(crate) mailbox: MailboxId,
    pub(crate) modseq: ModSeq,
}

coded_struct!(ReferenceAt { body, mailbox, uid });
coded_struct!(ExpungedAt { at, mailbox, modseq });

impl Key {
    /// The rows of a thing, where they follow from its key.
    pub(crate) fn rows(&self) -> Vec<(Table, Bytes)> {
        match self {
            Self::Marks => vec![(rows::MARKS, Bytes::from_static(rows::MARKS_KEY))],
            Self::Entangled | Self::Transfer(_) => Vec::new(),
            Self::Name(name) => vec![(rows::NAMES, rows::name_key(*name))],
            Self::Mailbox(mailbox) => {
                let key = rows::mailbox_key(*mailbox);
                vec![(rows::MAILBOXES, key.clone()), (rows::COUNTERS, key)]
            }
            Self::Floor(mailbox) => vec![(rows::FLOORS, rows::mailbox_key(*mailbox))],
            Self::Subscription(owner, path) => {
                vec![(rows::SUBSCRIPTIONS, rows::subscription_key(*owner, path))]
            }
            Self::Keyword(mailbox, text) => vec![(rows::KEYWORDS, rows::keyword_key(*mailbox, text))],
            Self::Message(mailbox, uid) => {
                let key = rows::message_key(*mailbox, *uid);
                vec![(rows::MESSAGES, key.clone()), (rows::STATES, key)]
            }
            Self::Reference(at) => {
                vec![(rows::REFERENCES, rows::reference_key(at.body, at.mailbox, at.uid))]
            }
            Self::Change(mailbox, modseq) => vec![(rows::CHANGES, rows::change_key(*mailbox, *modseq))],
            Self::Expunged(at) => {
                vec![(rows::EXPUNGED, rows::expunged_key(at.at, at.mailbox, at.modseq))]
            }
            Self::Body(body, file) => body_rows(*body, *file),
            Self::MessageId(hash, body) => {
                vec![(rows::MESSAGE_IDS, rows::message_id_key(hash, Some(*body)))]
            }
            Self::Thread(key) => vec![(rows::THREADS, rows::thread_row_key(key))],
        }
    }
}

fn body_rows(body: BodyId, file: Option<FileId>) -> Vec<(Table, Bytes)> {
    let key = rows::body_key(body);
    let mut rows_of = vec![(rows::BODIES, key.clone()), (rows::PRESENTATIONS, key)];
    rows_of.extend(file.map(|file| (rows::FILES, rows::file_key(file))));
    rows_of
}

/// A byte that says which thing it is, then its name.
impl Coded for Key {
    fn put(&self, encoder: &mut Encoder) {
        match self {
            Self::Marks => encoder.byte(1),
            Self::Entangled => encoder.byte(2),
            Self::Name(name) => tagged(3, name, encoder),
            Self::Mailbox(mailbox) => tagged(4, mailbox, encoder),
            Self::Floor(mailbox) => tagged(5, mailbox, encoder),
            Self::Subscription(owner, path) => tagged(6, &(*owner, path.clone()), encoder),
            Self::Keyword(mailbox, text) => tagged(7, &(*mailbox, text.clone()), encoder),
            Self::Message(mailbox, uid) => tagged(8, &(*mailbox, *uid), encoder),
            Self::Reference(at) => tagged(9, at, encoder),
            Self::Change(mailbox, modseq) => tagged(10, &(*mailbox, *modseq), encoder),
            Self::Expunged(at) => tagged(11, at, encoder),
            Self::Body(body, file) => tagged(12, &(*body, *file), encoder),
            Self::MessageId(hash, body) => tagged(13, &(*hash, *body), encoder),
            Self::Thread(key) => tagged(14, key, encoder),
            Self::Transfer(transfer) => tagged(15, transfer, encoder),
        }
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match decoder.byte()? {
            1 => Self::Marks,
            2 => Self::Entangled,
            3 => Self::Name(Coded::take(decoder)?),
            4 => Self::Mailbox(Coded::take(decoder)?),
            5 => Self::Floor(Coded::take(decoder)?),
            6 => Self::Subscription(Coded::take(decoder)?, Coded::take(decoder)?),
            7 => Self::Keyword(Coded::take(decoder)?, Coded::take(decoder)?),
            8 => Self::Message(Coded::take(decoder)?, Coded::take(decoder)?),
            9 => Self::Reference(Coded::take(decoder)?),
            10 => Self::Change(Coded::take(decoder)?, Coded::take(decoder)?),
            11 => Self::Expunged(Coded::take(decoder)?),
            12 => Self::Body(Coded::take(decoder)?, Coded::take(decoder)?),
            13 => Self::MessageId(Coded::take(decoder)?, Coded::take(decoder)?),
            14 => Self::Thread(Coded::take(decoder)?),
            15 => Self::Transfer(Coded::take(decoder)?),
            _ => return Err(DecodeError::Invalid("kind of thing")),
        })
    }
}

impl journal::Key for Key {
    fn encode(&self, encoder: &mut Encoder) {
        self.put(encoder);
    }
}

/// A kind byte and what follows it.
pub(super) fn tagged<T: Coded>(kind: u8, value: &T, encoder: &mut Encoder) {
    encoder.byte(kind);
    value.put(encoder);
}
