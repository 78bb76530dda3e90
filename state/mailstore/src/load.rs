//! Reading a mailbox from the view.

use std::collections::HashMap;

use bytes::Bytes;
use journal::{DecodeError, KeyRange, Order, StoreError, ViewRead};

use crate::apply::arrived;
use crate::codec::decoded;
use crate::counters::Counters;
use crate::entry::TransferRows;
use crate::id::{MailboxId, TransferId};
use crate::message_row::Message;
use crate::namespace::Namespace;
use crate::rows::{self, ChangeKind, ChangeRow, FixedRow, StateRow, UnplacedPiece, UnplacedRow};
use crate::snapshot::{VANISHED_MAX, VANISHED_RUNS_MAX};
use crate::{Flags, MailboxSnapshot, ModSeq, Uid, UidSet, UidValidity};

/// The counters of a mailbox, compared with its records.
pub(crate) fn counters(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Option<Counters>, StoreError> {
    let row = view.get(rows::COUNTERS, &rows::mailbox_key(mailbox))?;
    row.map(|row| sound(view, mailbox, decoded(&row)?)).transpose()
}

/// The counters of all mailboxes that have not been deleted, compared with their records.
pub(crate) fn counters_all(
    view: &dyn ViewRead,
    names: &Namespace,
) -> Result<HashMap<MailboxId, Counters>, StoreError> {
    let mut all = HashMap::new();
    for row in view.scan(rows::COUNTERS, KeyRange::all(), Order::Forward)? {
        let (key, row) = row?;
        let id = key.first_chunk().ok_or(DecodeError::Invalid("key of counters"))?;
        let mailbox = MailboxId(u64::from_be_bytes(*id));
        if names.mailbox(mailbox).is_some() {
            all.insert(mailbox, sound(view, mailbox, decoded(&row)?)?);
        }
    }
    Ok(all)
}

/// The row of counters is the one that is written most often. If the engine gives an old one, the last change of the
/// mailbox, which was written once, is newer, and the mailbox is counted again.
fn sound(view: &dyn ViewRead, mailbox: MailboxId, counters: Counters) -> Result<Counters, StoreError> {
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    let last = view.scan(rows::CHANGES, range, Order::Reverse)?.next().transpose()?;
    let modseq = last.map(|(key, _)| rows::change_key_modseq(&key)).transpose()?;
    match modseq {
        Some(modseq) if modseq > counters.modseq => recounted(view, mailbox, counters, modseq),
        _ => Ok(counters),
    }
}

/// The counters that a mailbox has by its changes and messages.
fn recounted(
    view: &dyn ViewRead,
    mailbox: MailboxId,
    stale: Counters,
    modseq: ModSeq,
) -> Result<Counters, StoreError> {
    let mut counters = Counters { modseq, ..stale.emptied() };
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    for row in view.scan(rows::CHANGES, range, Order::Forward)? {
        let change: ChangeRow = decoded(&row?.1)?;
        let next = change.uids.last().and_then(Uid::successor);
        counters.uid_next = counters.uid_next.max(next.unwrap_or(Uid::FIRST));
    }
    let messages = messages(view, mailbox)?;
    let counters = messages.iter().fold(counters, |counters, message| counters.with(message));
    tracing::error!(%mailbox, ?stale, ?counters, "the view gave old counters of a mailbox; it was counted again");
    Ok(counters)
}

/// How many messages with this uid or a larger one are visible.
pub(crate) fn messages_from(view: &dyn ViewRead, mailbox: MailboxId, uid: Uid) -> Result<u32, StoreError> {
    let mut count = 0;
    let end = KeyRange::prefix(&rows::mailbox_key(mailbox)).end;
    let range = KeyRange { end, ..KeyRange::from(&rows::message_key(mailbox, uid)) };
    for row in view.scan(rows::STATES, range, Order::Forward)? {
        let state: StateRow = decoded(&row?.1)?;
        count += u32::from(state.expunged.is_none());
    }
    for (_, unplaced) in unplaced(view, mailbox)? {
        for piece in unplaced.pieces {
            let before = uid.number().saturating_sub(piece.uid_first.number());
            count += piece.count.saturating_sub(before);
        }
    }
    Ok(count)
}

/// A mailbox as the view shows it; none when it has no counters. `view` must be a snapshot.
pub(crate) fn mailbox(
    view: &dyn ViewRead,
    mailbox: MailboxId,
    uid_validity: UidValidity,
) -> Result<Option<MailboxSnapshot>, StoreError> {
    let Some(counters) = counters(view, mailbox)? else { return Ok(None) };
    let messages = messages(view, mailbox)?;
    let counters = checked(mailbox, counters, &messages);
    let (vanished, floor) = vanished(view, mailbox)?;
    let snapshot = MailboxSnapshot::new(mailbox, uid_validity, counters, messages);
    Ok(Some(snapshot.remembering(vanished, floor)))
}

fn messages(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Vec<Message>, StoreError> {
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    let mut fixed = view.scan(rows::MESSAGES, range.clone(), Order::Forward)?;
    let mut known = HashMap::new();
    let mut messages = Vec::new();
    for row in view.scan(rows::STATES, range, Order::Forward)? {
        let (key, state) = row?;
        let (fixed_key, fixed) = fixed.next().transpose()?.ok_or(UNPAIRED)?;
        if key != fixed_key {
            return Err(UNPAIRED);
        }
        let mut state: StateRow = decoded(&state)?;
        if state.expunged.is_none() {
            state.flags = shared(&mut known, state.flags);
            messages.push(decoded::<FixedRow>(&fixed)?.message(rows::message_key_uid(&key)?, state));
        }
    }
    let placed = messages.len();
    for (transfer, unplaced) in unplaced(view, mailbox)? {
        for UnplacedPiece { index, uid_first, .. } in unplaced.pieces {
            let row = view.get(rows::TRANSFERS, &rows::transfer_key(transfer, index))?;
            let piece: TransferRows = decoded(&row.ok_or(UNPAIRED)?)?;
            messages.extend(arrived(piece.messages.0, uid_first, unplaced.modseq));
        }
    }
    for message in &mut messages[placed..] {
        message.flags = shared(&mut known, message.flags.clone());
    }
    if placed < messages.len() {
        messages.sort_by_key(|message| message.uid);
    }
    Ok(messages)
}

/// What the messages of a mailbox that are visible make together.
pub(crate) fn counted(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Counters, StoreError> {
    let messages = messages(view, mailbox)?;
    let none = Counters::new(ModSeq::default());
    Ok(messages.iter().fold(none, |counters, message| counters.with(message)))
}

/// What of large copies into a mailbox has no rows of its own yet.
fn unplaced(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Vec<(TransferId, UnplacedRow)>, StoreError> {
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    let rows = view.scan(rows::UNPLACED, range, Order::Forward)?.map(|row| {
        let (key, row) = row?;
        Ok((rows::unplaced_key_parts(&key)?.1, decoded(&row)?))
    });
    rows.collect()
}

/// Both tables have a row for each message, written in one step.
const UNPAIRED: StoreError = StoreError::Decode(DecodeError::Invalid("pair of message rows"));

/// Lets messages with the same keywords share them.
fn shared(known: &mut HashMap<Flags, Flags>, flags: Flags) -> Flags {
    if flags.keywords().is_empty() {
        return flags;
    }
    known.entry(flags.clone()).or_insert(flags).clone()
}

/// Compares the counters with the messages. The messages are right.
fn checked(mailbox: MailboxId, counters: Counters, messages: &[Message]) -> Counters {
    let counted = messages.iter().fold(counters.emptied(), |counters, message| counters.with(message));
    if counted != counters {
        tracing::error!(%mailbox, ?counters, ?counted, "counters of a mailbox differ from its messages");
    }
    counted
}

/// Expunges of the last changes, ascending, and the modseq above which they are complete.
fn vanished(view: &dyn ViewRead, mailbox: MailboxId) -> Result<(Vec<(ModSeq, UidSet)>, ModSeq), StoreError> {
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    let floor = view.get(rows::FLOORS, &rows::mailbox_key(mailbox))?;
    let floor = floor.map(|row| decoded(&row)).transpose()?.unwrap_or_default();
    let (mut vanished, mut runs) = (Vec::new(), 0);
    for (seen, row) in view.scan(rows::CHANGES, range, Order::Reverse)?.enumerate() {
        let (key, row): (Bytes, Bytes) = row?;
        let modseq = rows::change_key_modseq(&key)?;
        if seen == VANISHED_MAX || runs > VANISHED_RUNS_MAX {
            vanished.reverse();
            // A change that was kept for its own sake may stand below those that were forgotten.
            return Ok((vanished, modseq.max(floor)));
        }
        let change: ChangeRow = decoded(&row)?;
        if change.kind == ChangeKind::Gone {
            runs += change.uids.runs().count();
            vanished.push((modseq, change.uids));
        }
    }
    vanished.reverse();
    Ok((vanished, floor))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use address::AccountName;
    use disk::{Body, RealDisk};
    use jiff::Timestamp;
    use journal::{FjallView, View, ViewBatch};

    use crate::codec::{decoded, encoded};
    use crate::{AppendRequest, Appended, MailboxId, Mailstore, MailstoreSettings};

    use super::*;

    async fn append(store: &Mailstore, mailbox: MailboxId) -> Appended {
        let body = Body::from_bytes(&b"Subject: s\r\n\r\nbody\r\n"[..]);
        let internal_date = Timestamp::UNIX_EPOCH;
        store.append(AppendRequest { mailbox, body, flags: Flags::EMPTY, internal_date }).await.unwrap()
    }

    /// Takes the counters of a mailbox in the view back to what they were when it was made.
    fn counters_set_back(dir: &Path, mailbox: MailboxId) -> Counters {
        let view = FjallView::open(&dir.join("view"), &rows::TABLES).unwrap();
        let row = view.get(rows::MAILBOXES, &rows::mailbox_key(mailbox)).unwrap().unwrap();
        let made: crate::entry::MailboxRow = decoded(&row).unwrap();
        let mut batch = ViewBatch::new();
        batch.put(rows::COUNTERS, rows::mailbox_key(mailbox), encoded(&Counters::new(made.modseq)));
        view.apply(view.applied_lsn(), batch).unwrap();
        Counters::new(made.modseq)
    }

    #[tokio::test]
    async fn counters_that_the_engine_gave_stale_are_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let settings = MailstoreSettings::new(dir.path());
        let store = Mailstore::open(settings.clone(), Arc::new(RealDisk)).unwrap();
        let inbox = store.account_ensure(&AccountName::parse("alice@example.org").unwrap()).await.unwrap();
        let first = append(&store, inbox).await;
        store.stop().unwrap();
        drop(store);
        let stale = counters_set_back(dir.path(), inbox);
        assert_eq!(stale.uid_next, first.uid());
        let store = Mailstore::open(settings, Arc::new(RealDisk)).unwrap();
        let status = store.status(inbox).await.unwrap();
        assert_eq!((status.messages, status.highest_modseq), (1, first.modseq()));
        assert_eq!(Some(status.uid_next), first.uid().successor());
        let second = append(&store, inbox).await;
        assert!(second.uid() > first.uid() && second.modseq() > first.modseq());
    }
}
