//! The tables of the view, their keys and their rows. Keys are fixed-width and big-endian, so that they sort.
//!
//! | table | key | row |
//! |---|---|---|
//! | `names` | name | [`NameRow`](crate::entry::NameRow) |
//! | `mailboxes` | mailbox | [`MailboxRow`](crate::entry::MailboxRow) |
//! | `counters` | mailbox | [`Counters`](crate::counters::Counters) |
//! | `subscriptions` | owner's name, path | nothing |
//! | `messages` | mailbox, uid | [`FixedRow`]: what never changes |
//! | `states` | mailbox, uid | [`StateRow`]: modseq, flags, whether it is expunged |
//! | `changes` | mailbox, modseq | [`ChangeRow`]: which uids came, changed or went |
//! | `floors` | mailbox | the modseq up to which changes were forgotten |
//! | `expunged` | time, mailbox, modseq | [`ExpungedRow`]: messages that are kept until `retention` is over |
//! | `bodies` | body | [`BodyRow`]: where it is; its references are counted by the rows of `references` |
//! | `references` | body, mailbox, uid | [`ReferenceRow`]: how it came there |
//! | `message_ids` | hashed message id, body | nothing; the body's header tells whether it is the one |
//! | `presentations` | body | see `presentation.rs` |
//! | `files` | file | the body that it holds |
//! | `threads` | owner's name, hashed message id, base subject | [`ThreadRow`] |
//! | `transfers` | transfer, index | messages of a large copy, not visible or not placed yet |
//! | `transfer_references` | body, transfer, index | nothing; such a body is referred to as well |
//! | `unplaced` | mailbox, transfer | [`UnplacedRow`]: what of a committed large copy is still in `transfers` |
//! | `keywords` | mailbox, keyword in lower case | nothing; messages have or had it |
//! | `marks` | nothing | [`Marks`]: the largest numbers given out |

use bytes::Bytes;
use journal::{DecodeError, Decoder, Encoder, Place, Table};

use crate::codec::{Coded, coded_struct};
use crate::entry::{BodyStored, FileId, ThreadKeys};
use crate::id::{NameId, TransferId};
use crate::message_row::Message;
use crate::{BodyId, EmailId, Flags, MailboxId, ModSeq, ThreadId, Uid, UidSet};

pub(crate) const NAMES: Table = Table("names");
pub(crate) const MAILBOXES: Table = Table("mailboxes");
pub(crate) const COUNTERS: Table = Table("counters");
pub(crate) const SUBSCRIPTIONS: Table = Table("subscriptions");
pub(crate) const MESSAGES: Table = Table("messages");
pub(crate) const STATES: Table = Table("states");
pub(crate) const CHANGES: Table = Table("changes");
pub(crate) const FLOORS: Table = Table("floors");
pub(crate) const EXPUNGED: Table = Table("expunged");
pub(crate) const BODIES: Table = Table("bodies");
pub(crate) const REFERENCES: Table = Table("references");
pub(crate) const MESSAGE_IDS: Table = Table("message_ids");
pub(crate) const PRESENTATIONS: Table = Table("presentations");
pub(crate) const FILES: Table = Table("files");
pub(crate) const THREADS: Table = Table("threads");
pub(crate) const TRANSFERS: Table = Table("transfers");
pub(crate) const TRANSFER_REFERENCES: Table = Table("transfer_references");
pub(crate) const UNPLACED: Table = Table("unplaced");
pub(crate) const KEYWORDS: Table = Table("keywords");
pub(crate) const MARKS: Table = Table("marks");

/// All of them.
pub(crate) const TABLES: [Table; 20] = [
    NAMES,
    MAILBOXES,
    COUNTERS,
    SUBSCRIPTIONS,
    MESSAGES,
    STATES,
    CHANGES,
    FLOORS,
    EXPUNGED,
    BODIES,
    REFERENCES,
    MESSAGE_IDS,
    PRESENTATIONS,
    FILES,
    THREADS,
    TRANSFERS,
    TRANSFER_REFERENCES,
    UNPLACED,
    KEYWORDS,
    MARKS,
];

/// The one key of `marks`.
pub(crate) const MARKS_KEY: &[u8] = b"marks";

/// What of a message never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FixedRow {
    /// The last record that said it.
    pub(crate) stated: u64,
    pub(crate) internal_date: i64,
    pub(crate) save_date: i64,
    pub(crate) size: u64,
    pub(crate) body: BodyId,
    pub(crate) email_id: EmailId,
    pub(crate) thread_id: ThreadId,
}

/// What of a message changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateRow {
    /// The last record that said it.
    pub(crate) stated: u64,
    pub(crate) modseq: ModSeq,
    /// When it was expunged, in seconds since 1970; such a message is kept and not shown.
    pub(crate) expunged: Option<i64>,
    pub(crate) flags: Flags,
}

/// What happened to a mailbox at one modseq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeRow {
    pub(crate) kind: ChangeKind,
    pub(crate) uids: UidSet,
    /// The record that says so.
    pub(crate) record: u64,
}

/// Messages that were expunged together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpungedRow {
    pub(crate) uids: UidSet,
    /// The record that says so.
    pub(crate) record: u64,
}

/// A conversation, by one of the message ids that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadRow {
    pub(crate) thread: ThreadId,
    /// The last message that had the message id or referred to it: with its body the row goes.
    pub(crate) body: BodyId,
}

/// How a message came into a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferenceRow {
    pub(crate) arrival: Arrival,
    /// The mailbox that it left, where it was moved.
    pub(crate) from: Option<MailboxId>,
    /// The record that says so.
    pub(crate) record: u64,
}

/// How a message came into a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was delivered or appended.
    Appended = 1,
    /// It was copied from another mailbox.
    Copied = 2,
    /// It was moved from another mailbox.
    Moved = 3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added = 1,
    Changed = 2,
    Gone = 3,
}

/// Where a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyRow {
    /// The record that holds it; none when a file does.
    pub(crate) place: Option<Place>,
    pub(crate) file: Option<FileId>,
    pub(crate) size: u64,
    pub(crate) hash: [u8; 32],
}

/// By what a conversation is found: whose it is, one message id of it, and its base subject, both hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ThreadKey {
    pub(crate) owner: NameId,
    pub(crate) message_id: [u8; 16],
    pub(crate) subject: [u8; 8],
}

/// What of a large copy is visible and has no rows of its own yet. Its rows are made in pieces, so that no commit is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnplacedRow {
    /// The modseq of all its messages.
    pub(crate) modseq: ModSeq,
    /// The record that made them visible.
    pub(crate) record: u64,
    pub(crate) pieces: Vec<UnplacedPiece>,
}

/// The messages of one row of `transfers`: they have uids without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnplacedPiece {
    pub(crate) index: u32,
    pub(crate) uid_first: Uid,
    pub(crate) count: u32,
}

/// The largest numbers that the store has given out. Kept in memory, written with each frame, read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    pub(crate) modseq: ModSeq,
    pub(crate) body: u64,
    pub(crate) uid_validity: u32,
}

coded_struct!(FixedRow { stated, internal_date, save_date, size, body, email_id, thread_id });
coded_struct!(StateRow { stated, modseq, expunged, flags });
coded_struct!(ExpungedRow { uids, record });
coded_struct!(ThreadKey { owner, message_id, subject });
coded_struct!(ThreadRow { thread, body });
coded_struct!(ChangeRow { kind, uids, record });
coded_struct!(ReferenceRow { arrival, from, record });
coded_struct!(BodyRow { place, file, size, hash });
coded_struct!(UnplacedRow { modseq, record, pieces });
coded_struct!(UnplacedPiece { index, uid_first, count });
coded_struct!(Marks { modseq, body, uid_validity });

impl Coded for ChangeKind {
    fn put(&self, encoder: &mut Encoder) {
        encoder.byte(*self as u8);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match decoder.byte()? {
            1 => Ok(Self::Added),
            2 => Ok(Self::Changed),
            3 => Ok(Self::Gone),
            _ => Err(DecodeError::Invalid("kind of change")),
        }
    }
}

impl Coded for Arrival {
    fn put(&self, encoder: &mut Encoder) {
        encoder.byte(*self as u8);
    }

    fn take(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match decoder.byte()? {
            1 => Ok(Self::Appended),
            2 => Ok(Self::Copied),
            3 => Ok(Self::Moved),
            _ => Err(DecodeError::Invalid("kind of arrival")),
        }
    }
}

impl FixedRow {
    pub(crate) fn of(message: &Message, stated: u64) -> Self {
        Self {
            stated,
            internal_date: message.internal_date,
            save_date: message.save_date,
            size: message.size,
            body: message.body,
            email_id: message.email_id,
            thread_id: message.thread_id,
        }
    }

    pub(crate) fn message(self, uid: Uid, state: StateRow) -> Message {
        Message {
            uid,
            modseq: state.modseq,
            flags: state.flags,
            internal_date: self.internal_date,
            save_date: self.save_date,
            size: self.size,
            body: self.body,
            email_id: self.email_id,
            thread_id: self.thread_id,
        }
    }
}

impl StateRow {
    pub(crate) fn of(message: &Message, stated: u64) -> Self {
        Self { stated, modseq: message.modseq, expunged: None, flags: message.flags.clone() }
    }
}

impl BodyRow {
    pub(crate) fn of(stored: &BodyStored, place: Option<Place>) -> Self {
        Self { place, file: stored.file, size: stored.size, hash: stored.hash }
    }
}

pub(crate) fn name_key(name: NameId) -> Bytes {
    Bytes::copy_from_slice(&name.0.to_be_bytes())
}

pub(crate) fn mailbox_key(mailbox: MailboxId) -> Bytes {
    Bytes::copy_from_slice(&mailbox.0.to_be_bytes())
}

pub(crate) fn message_key(mailbox: MailboxId, uid: Uid) -> Bytes {
    joined(&[&mailbox.0.to_be_bytes(), &uid.number().to_be_bytes()])
}

/// The uid at the end of a message's key.
pub(crate) fn message_key_uid(key: &[u8]) -> Result<Uid, DecodeError> {
    let uid = key.last_chunk().and_then(|bytes| Uid::new(u32::from_be_bytes(*bytes)));
    uid.ok_or(DecodeError::Invalid("key of a message"))
}

pub(crate) fn change_key(mailbox: MailboxId, modseq: ModSeq) -> Bytes {
    joined(&[&mailbox.0.to_be_bytes(), &modseq.number().to_be_bytes()])
}

/// The modseq at the end of a change's key.
pub(crate) fn change_key_modseq(key: &[u8]) -> Result<ModSeq, DecodeError> {
    let modseq = key.last_chunk().map(|bytes| ModSeq::new(u64::from_be_bytes(*bytes)));
    modseq.ok_or(DecodeError::Invalid("key of a change"))
}

/// Times before 1970 sort as 1970.
pub(crate) fn expunged_key(at: i64, mailbox: MailboxId, modseq: ModSeq) -> Bytes {
    joined(&[&at.max(0).to_be_bytes(), &mailbox.0.to_be_bytes(), &modseq.number().to_be_bytes()])
}

/// The time, the mailbox and the modseq of a key of `expunged`.
pub(crate) fn expunged_key_parts(key: &[u8]) -> Result<(i64, MailboxId, ModSeq), DecodeError> {
    let number =
        |at: usize| key.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u64::from_be_bytes(*bytes));
    let parts = (number(0), number(8), number(16));
    let (Some(at), Some(mailbox), Some(modseq)) = parts else {
        return Err(DecodeError::Invalid("key of what was expunged"));
    };
    Ok((at as i64, MailboxId(mailbox), ModSeq::new(modseq)))
}

pub(crate) fn body_key(body: BodyId) -> Bytes {
    Bytes::copy_from_slice(&body.0.to_be_bytes())
}

pub(crate) fn reference_key(body: BodyId, mailbox: MailboxId, uid: Uid) -> Bytes {
    joined(&[&body.0.to_be_bytes(), &mailbox.0.to_be_bytes(), &uid.number().to_be_bytes()])
}

/// The mailbox and uid at the end of a reference's key.
pub(crate) fn reference_key_place(key: &[u8]) -> Result<(MailboxId, Uid), DecodeError> {
    let mailbox =
        key.get(8..).and_then(<[u8]>::first_chunk).map(|bytes| MailboxId(u64::from_be_bytes(*bytes)));
    Ok((mailbox.ok_or(DecodeError::Invalid("key of a reference"))?, message_key_uid(key)?))
}

/// The key of a message id's row for one body, or what the keys of all its rows begin with.
pub(crate) fn message_id_key(hash: &[u8; 16], body: Option<BodyId>) -> Bytes {
    joined(&[hash, body.map(|body| body.0.to_be_bytes()).as_ref().map_or(&[], |bytes| bytes)])
}

/// The hashed message id at the beginning of its key.
pub(crate) fn message_id_key_hash(key: &[u8]) -> Result<[u8; 16], DecodeError> {
    key.first_chunk().copied().ok_or(DecodeError::Invalid("key of a message id"))
}

/// The body at the end of a message id's key.
pub(crate) fn message_id_key_body(key: &[u8]) -> Result<BodyId, DecodeError> {
    let body = key.last_chunk().map(|bytes| BodyId(u64::from_be_bytes(*bytes)));
    body.ok_or(DecodeError::Invalid("key of a message id"))
}

pub(crate) fn file_key(file: FileId) -> Bytes {
    Bytes::copy_from_slice(&file.0)
}

/// The keys under which a message's conversation is found, in the order of `keys.message_ids`.
pub(crate) fn thread_keys(owner: NameId, keys: &ThreadKeys) -> impl Iterator<Item = ThreadKey> + '_ {
    keys.message_ids.iter().map(move |id| ThreadKey { owner, message_id: *id, subject: keys.subject })
}

pub(crate) fn thread_row_key(key: &ThreadKey) -> Bytes {
    joined(&[&key.owner.0.to_be_bytes(), &key.message_id, &key.subject])
}

/// The key of a row of `threads`.
pub(crate) fn thread_row_key_parts(key: &[u8]) -> Result<ThreadKey, DecodeError> {
    ThreadKey::take(&mut Decoder::new(key))
}

pub(crate) fn transfer_key(transfer: TransferId, index: u32) -> Bytes {
    joined(&[&transfer.0.to_be_bytes(), &index.to_be_bytes()])
}

pub(crate) fn transfer_reference_key(body: BodyId, transfer: TransferId, index: u32) -> Bytes {
    joined(&[&body.0.to_be_bytes(), &transfer.0.to_be_bytes(), &index.to_be_bytes()])
}

pub(crate) fn unplaced_key(mailbox: MailboxId, transfer: TransferId) -> Bytes {
    joined(&[&mailbox.0.to_be_bytes(), &transfer.0.to_be_bytes()])
}

/// The mailbox and the transfer of a key of `unplaced`.
pub(crate) fn unplaced_key_parts(key: &[u8]) -> Result<(MailboxId, TransferId), DecodeError> {
    let number = |at: usize| key.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let parts =
        number(0).zip(number(8)).map(|(mailbox, transfer)| (MailboxId(mailbox), TransferId(transfer)));
    parts.ok_or(DecodeError::Invalid("key of an unplaced transfer"))
}

/// The number that a key begins with: a mailbox, a name, a body.
pub(crate) fn key_number(key: &[u8]) -> Result<u64, DecodeError> {
    key.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or(DecodeError::Invalid("key"))
}

/// `keyword` in lower case.
pub(crate) fn keyword_key(mailbox: MailboxId, keyword: &str) -> Bytes {
    joined(&[&mailbox.0.to_be_bytes(), keyword.as_bytes()])
}

/// The owner, then the path: a row of nothing but its key.
pub(crate) fn subscription_key(owner: NameId, path: &crate::MailboxPath) -> Bytes {
    let mut encoder = Encoder::new();
    owner.put(&mut encoder);
    path.put(&mut encoder);
    encoder.finish().into()
}

fn joined(parts: &[&[u8]]) -> Bytes {
    Bytes::from(parts.concat())
}
