//! Reading a mailbox from the view.

use std::collections::HashMap;

use bytes::Bytes;
use journal::{KeyRange, Order, StoreError, ViewRead};

use crate::codec::decoded;
use crate::counters::Counters;
use crate::id::MailboxId;
use crate::message_row::Message;
use crate::rows::{self, ChangeKind, ChangeRow, FixedRow, StateRow};
use crate::{Flags, MailboxSnapshot, ModSeq, Uid, UidSet, UidValidity};

/// Changes that are looked through for expunges when a mailbox is opened.
const CHANGES_MAX: usize = 1_000;

/// The counters of a mailbox.
pub(crate) fn counters(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Option<Counters>, StoreError> {
    let row = view.get(rows::COUNTERS, &rows::mailbox_key(mailbox))?;
    Ok(row.map(|row| decoded(&row)).transpose()?)
}

/// The counters of all mailboxes.
pub(crate) fn counters_all(view: &dyn ViewRead) -> Result<HashMap<MailboxId, Counters>, StoreError> {
    let rows = view.scan(rows::COUNTERS, KeyRange::all(), Order::Forward)?;
    rows.map(|row| {
        let (key, row) = row?;
        let id = key[..].try_into().map(u64::from_be_bytes).unwrap_or_default();
        Ok((MailboxId(id), decoded(&row)?))
    })
    .collect()
}

/// The largest uid that any row of the mailbox has, expunged ones included.
pub(crate) fn uid_last(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Option<Uid>, StoreError> {
    let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
    let last = view.scan(rows::STATES, range, Order::Reverse)?.next().transpose()?;
    Ok(last.map(|(key, _)| rows::message_key_uid(&key)).transpose()?)
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
    Ok(messages)
}

/// Both tables have a row for each message, written in one step.
const UNPAIRED: StoreError = StoreError::Decode(journal::DecodeError::Invalid("pair of message rows"));

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
    let mut vanished = Vec::new();
    for (seen, row) in view.scan(rows::CHANGES, range, Order::Reverse)?.enumerate() {
        let (key, row): (Bytes, Bytes) = row?;
        let modseq = rows::change_key_modseq(&key)?;
        if seen == CHANGES_MAX {
            vanished.reverse();
            return Ok((vanished, modseq));
        }
        let change: ChangeRow = decoded(&row)?;
        if change.kind == ChangeKind::Gone {
            vanished.push((modseq, change.uids));
        }
    }
    vanished.reverse();
    Ok((vanished, ModSeq::default()))
}
