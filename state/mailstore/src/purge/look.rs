//! What there is to be purged, found in the view. The sequencer judges it again.

use std::collections::BTreeSet;
use std::ops::Bound;

use journal::{KeyRange, Order, Row, Table, ViewRead};

use crate::codec::decoded;
use crate::compaction::{ExpungedAt, Key, ReferenceAt};
use crate::entry::MailboxRow;
use crate::rows::{self, BodyRow, ChangeKind, ChangeRow, ExpungedRow, FixedRow, ThreadRow};
use crate::sequenced::is_referred;
use crate::snapshot::VANISHED_MAX;
use crate::{BodyId, MailboxId, MailstoreError, ModSeq, Uid};

/// Messages of one batch.
const MESSAGES_MAX: usize = 300;
/// Changes or rows of an index of one batch.
const ROWS_MAX: usize = 500;
/// Rows that one purge looks at in each table that it goes round.
const ROUND_ROWS_MAX: usize = 100_000;

/// How far the purges have come on their rounds through tables; at the end they begin again.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    pub(super) mailboxes: Vec<u8>,
    threads: Vec<u8>,
    message_ids: Vec<u8>,
    bodies: Vec<u8>,
}

pub(super) fn mailboxes_deleted(view: &dyn ViewRead, until: i64) -> Result<Vec<MailboxId>, MailstoreError> {
    let mut deleted = Vec::new();
    for row in view.scan(rows::MAILBOXES, KeyRange::all(), Order::Forward)? {
        let row: MailboxRow = decoded(&row?.1)?;
        deleted.extend(row.deleted.filter(|deleted| deleted.at <= until).map(|_| row.id));
    }
    Ok(deleted)
}

/// Some messages of a mailbox.
pub(super) fn messages(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Vec<Key>, MailstoreError> {
    let mut keys = Vec::new();
    for (key, row) in some(view, rows::MESSAGES, &rows::mailbox_key(mailbox), MESSAGES_MAX)? {
        let uid = rows::message_key_uid(&key)?;
        let body = decoded::<FixedRow>(&row)?.body;
        keys.push(Key::Message(mailbox, uid));
        keys.push(Key::Reference(ReferenceAt { body, mailbox, uid }));
    }
    Ok(keys)
}

/// Some changes of a mailbox.
pub(super) fn changes(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Vec<Key>, MailstoreError> {
    let rows_of = some(view, rows::CHANGES, &rows::mailbox_key(mailbox), ROWS_MAX)?;
    let change = |(key, _): Row| Ok(Key::Change(mailbox, rows::change_key_modseq(&key)?));
    rows_of.into_iter().map(change).collect()
}

/// What is left of a mailbox without messages and changes.
pub(super) fn mailbox_rest(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Vec<Key>, MailstoreError> {
    let prefix = rows::mailbox_key(mailbox);
    let keywords = some(view, rows::KEYWORDS, &prefix, usize::MAX)?.into_iter().map(|(key, _)| {
        let text = std::str::from_utf8(&key[prefix.len()..]);
        let text = text.map_err(|_| MailstoreError::Damaged("row of keywords"))?;
        Ok(Key::Keyword(mailbox, text.into()))
    });
    let mut keys = keywords.collect::<Result<Vec<_>, MailstoreError>>()?;
    keys.push(Key::Floor(mailbox));
    keys.push(Key::Mailbox(mailbox));
    Ok(keys)
}

/// Some messages that were expunged, each expunge whole.
pub(super) fn expunged(view: &dyn ViewRead, until: i64) -> Result<Vec<Key>, MailstoreError> {
    let (mut keys, mut messages) = (Vec::new(), 0);
    for row in view.scan(rows::EXPUNGED, KeyRange::all(), Order::Forward)? {
        let (key, row) = row?;
        let (at, mailbox, modseq) = rows::expunged_key_parts(&key)?;
        if at > until || messages >= MESSAGES_MAX {
            break;
        }
        let row: ExpungedRow = decoded(&row)?;
        messages += row.uids.len();
        for uid in row.uids.iter() {
            keys.extend(message(view, mailbox, uid)?);
        }
        keys.push(Key::Expunged(ExpungedAt { at, mailbox, modseq }));
    }
    Ok(keys)
}

fn message(
    view: &dyn ViewRead,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<impl Iterator<Item = Key>, MailstoreError> {
    let row = view.get(rows::MESSAGES, &rows::message_key(mailbox, uid))?;
    let fixed: Option<FixedRow> = row.map(|row| decoded(&row)).transpose()?;
    let keys = fixed.map(|fixed| {
        let reference = ReferenceAt { body: fixed.body, mailbox, uid };
        [Key::Message(mailbox, uid), Key::Reference(reference)]
    });
    Ok(keys.into_iter().flatten())
}

/// Those of some bodies that nothing refers to.
pub(super) fn bodies_unused(
    view: &dyn ViewRead,
    bodies: &BTreeSet<BodyId>,
) -> Result<Vec<Key>, MailstoreError> {
    let mut keys = Vec::new();
    for body in bodies {
        let row = view.get(rows::BODIES, &rows::body_key(*body))?;
        if let Some(row) = row.filter(|_| matches!(is_referred(view, *body), Ok(false))) {
            keys.push(Key::Body(*body, decoded::<BodyRow>(&row)?.file));
        }
    }
    Ok(keys)
}

/// Old changes of a mailbox, with the modseq up to which it then has forgotten all.
pub(super) type Old = (MailboxId, ModSeq, Vec<Key>);

/// Old changes of some mailboxes.
pub(super) fn histories(view: &dyn ViewRead, at: &mut Vec<u8>) -> Result<Vec<Old>, MailstoreError> {
    let (mut old, mut seen) = (Vec::new(), 0);
    for row in view.scan(rows::COUNTERS, after(at), Order::Forward)? {
        let key = row?.0;
        let mailbox = MailboxId(rows::key_number(&key)?);
        seen += history(view, mailbox, &mut old)?;
        if seen > ROUND_ROWS_MAX {
            *at = key.to_vec();
            return Ok(old);
        }
    }
    at.clear();
    Ok(old)
}

/// The changes of a mailbox that are further back than a snapshot remembers, if they are as many again; gives how many
/// changes there are. The last arrival stays: it says which uids were given.
fn history(view: &dyn ViewRead, mailbox: MailboxId, old: &mut Vec<Old>) -> Result<usize, MailstoreError> {
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    let (mut modseqs, mut arrival) = (Vec::new(), None);
    for row in view.scan(rows::CHANGES, range, Order::Forward)? {
        let (key, row) = row?;
        let modseq = rows::change_key_modseq(&key)?;
        let change: ChangeRow = decoded(&row)?;
        arrival = if change.kind == ChangeKind::Added { Some(modseq) } else { arrival };
        modseqs.push(modseq);
    }
    let count = modseqs.len();
    if count >= 2 * VANISHED_MAX {
        modseqs.truncate(count - VANISHED_MAX);
        modseqs.retain(|modseq| Some(*modseq) != arrival);
        old.extend(modseqs.chunks(ROWS_MAX).filter_map(|chunk| {
            let keys = chunk.iter().map(|modseq| Key::Change(mailbox, *modseq)).collect();
            Some((mailbox, *chunk.last()?, keys))
        }));
    }
    Ok(count + 1)
}

/// Rows of indexes that lead to bodies that are gone, in batches.
pub(super) fn index_stale(view: &dyn ViewRead, at: &mut Rounds) -> Result<Vec<Vec<Key>>, MailstoreError> {
    let mut stale = Vec::new();
    for (key, row) in round(view, rows::THREADS, &mut at.threads)? {
        if is_gone(view, decoded::<ThreadRow>(&row)?.body)? {
            stale.push(Key::Thread(rows::thread_row_key_parts(&key)?));
        }
    }
    for (key, _) in round(view, rows::MESSAGE_IDS, &mut at.message_ids)? {
        let body = rows::message_id_key_body(&key)?;
        if is_gone(view, body)? {
            stale.push(Key::MessageId(rows::message_id_key_hash(&key)?, body));
        }
    }
    Ok(stale.chunks(ROWS_MAX).map(<[Key]>::to_vec).collect())
}

fn is_gone(view: &dyn ViewRead, body: BodyId) -> Result<bool, MailstoreError> {
    Ok(view.get(rows::BODIES, &rows::body_key(body))?.is_none())
}

/// Bodies that nothing refers to: a crash came between a purge of messages and that of their bodies, or an aborted copy had
/// them last.
pub(super) fn bodies_round(view: &dyn ViewRead, at: &mut Rounds) -> Result<BTreeSet<BodyId>, MailstoreError> {
    let mut unused = BTreeSet::new();
    for (key, _) in round(view, rows::BODIES, &mut at.bodies)? {
        let body = BodyId(rows::key_number(&key)?);
        if unused.len() < ROWS_MAX && !is_referred(view, body)? {
            unused.insert(body);
        }
    }
    Ok(unused)
}

/// The rows that a round comes by this time.
fn round(view: &dyn ViewRead, table: Table, at: &mut Vec<u8>) -> Result<Vec<Row>, MailstoreError> {
    let rows_of = view.scan(table, after(at), Order::Forward)?.take(ROUND_ROWS_MAX);
    let rows_of = rows_of.collect::<Result<Vec<_>, _>>()?;
    *at = match rows_of.last() {
        Some((key, _)) if rows_of.len() == ROUND_ROWS_MAX => key.to_vec(),
        _ => Vec::new(),
    };
    Ok(rows_of)
}

/// The keys after `key`; all after none.
fn after(key: &[u8]) -> KeyRange {
    let start = if key.is_empty() { Bound::Unbounded } else { Bound::Excluded(key.to_vec()) };
    KeyRange { start, end: Bound::Unbounded }
}

/// The first rows below `prefix`.
fn some(view: &dyn ViewRead, table: Table, prefix: &[u8], max: usize) -> Result<Vec<Row>, MailstoreError> {
    let rows_of = view.scan(table, KeyRange::prefix(prefix), Order::Forward)?.take(max);
    Ok(rows_of.collect::<Result<Vec<_>, _>>()?)
}
