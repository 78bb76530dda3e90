//! Large copies on their way: hidden until they are committed, then visible and without rows of their own until they are
//! placed, piece by piece.
//!
//! What a placing record makes of messages it says in full; what is done here besides (rows of `transfers` and `unplaced`)
//! comes to nothing once a transfer is at its end. So a transfer at its end may miss any of its records in a replay, if what
//! is left of it is taken away afterwards ([`Transfers::end`]), and one that is not may miss none.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use journal::{KeyRange, Lsn, Order, StoreError, ViewBatch, ViewRead};

use super::{Says, keywords, put};
use crate::codec::{decoded, encoded};
use crate::entry::{TransferCommitted, TransferPlaced, TransferRows};
use crate::id::TransferId;
use crate::message_row::{Grouped, Message};
use crate::rows::{self, Arrival, UnplacedPiece, UnplacedRow};
use crate::{MailboxId, ModSeq, Uid, UidSet};

/// Transfers that are not yet committed or have not all been placed.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    /// Not committed: their messages as they are where they come from.
    open: HashMap<TransferId, Pieces>,
    unplaced: HashMap<MailboxId, BTreeMap<TransferId, Unplaced>>,
}

/// Messages of a transfer by the number of their piece.
type Pieces = BTreeMap<u32, Vec<Message>>;

/// What of a committed transfer has no rows of its own yet.
#[derive(Debug)]
struct Unplaced {
    modseq: ModSeq,
    record: u64,
    /// Messages as they are where they went.
    pieces: Pieces,
}

impl Transfers {
    pub(super) fn load(view: &dyn ViewRead) -> Result<Self, StoreError> {
        let mut transfers = Self::default();
        for row in view.scan(rows::TRANSFERS, KeyRange::all(), Order::Forward)? {
            transfers.insert(decoded(&row?.1)?);
        }
        for row in view.scan(rows::UNPLACED, KeyRange::all(), Order::Forward)? {
            let (key, row) = row?;
            let (mailbox, transfer) = rows::unplaced_key_parts(&key)?;
            transfers.unplaced_insert(mailbox, transfer, &decoded(&row)?);
        }
        Ok(transfers)
    }

    /// The messages of an open transfer, in order.
    pub(crate) fn messages(&self, transfer: TransferId) -> Vec<Message> {
        self.open.get(&transfer).into_iter().flat_map(BTreeMap::values).flatten().cloned().collect()
    }

    /// The record that places a piece, unless it has been placed.
    pub(crate) fn unplaced(
        &self,
        mailbox: MailboxId,
        transfer: TransferId,
        index: u32,
    ) -> Option<TransferPlaced> {
        let unplaced = self.unplaced.get(&mailbox)?.get(&transfer)?;
        let messages = Grouped(unplaced.pieces.get(&index)?.clone());
        Some(TransferPlaced { mailbox, transfer, index, record: unplaced.record, messages })
    }

    /// The pieces that have not been placed and hold one of these messages.
    pub(crate) fn unplaced_with(&self, mailbox: MailboxId, uids: &UidSet) -> Vec<(TransferId, u32)> {
        let Some(transfers) = self.unplaced.get(&mailbox) else { return Vec::new() };
        let meets = |messages: &Vec<Message>| {
            let before = messages.first().and_then(|first| Uid::new(first.uid.number() - 1));
            uids.meets(before, messages.last().map(|last| last.uid))
        };
        let mut with = Vec::new();
        for (transfer, unplaced) in transfers {
            let pieces = unplaced.pieces.iter().filter(|(_, messages)| meets(messages));
            with.extend(pieces.map(|(index, _)| (*transfer, *index)));
        }
        with
    }

    pub(super) fn add(&mut self, rows: &TransferRows, batch: &mut ViewBatch) {
        batch.put(rows::TRANSFERS, rows::transfer_key(rows.transfer, rows.index), encoded(rows));
        for message in rows.messages.iter() {
            let key = rows::transfer_reference_key(message.body, rows.transfer, rows.index);
            batch.put(rows::TRANSFER_REFERENCES, key, Bytes::new());
        }
        self.insert(rows.clone());
    }

    fn insert(&mut self, rows: TransferRows) {
        self.open.entry(rows.transfer).or_default().insert(rows.index, rows.messages.0);
    }

    /// The messages are visible from now on. Of a transfer that is not open, this record has been applied before, and the
    /// rest was done with it.
    pub(super) fn commit(&mut self, committed: &TransferCommitted, record: u64, batch: &mut ViewBatch) {
        let TransferCommitted { transfer, mailbox, counters, uid_first } = committed;
        let Some(open) = self.open.get(transfer) else { return };
        let mut next = *uid_first;
        let mut pieces = Vec::new();
        for (index, messages) in open {
            let count = messages.len() as u32;
            pieces.push(UnplacedPiece { index: *index, uid_first: next, count });
            next = Uid::new(next.number().saturating_add(count)).unwrap_or(next);
        }
        let row = UnplacedRow { modseq: counters.modseq, record, pieces };
        batch.put(rows::UNPLACED, rows::unplaced_key(*mailbox, *transfer), encoded(&row));
        self.unplaced_insert(*mailbox, *transfer, &row);
    }

    /// The transfer is open no longer.
    fn unplaced_insert(&mut self, mailbox: MailboxId, transfer: TransferId, row: &UnplacedRow) {
        let mut open = self.open.remove(&transfer).unwrap_or_default();
        let mut pieces = Pieces::new();
        for piece in &row.pieces {
            let messages = open.remove(&piece.index).unwrap_or_default();
            pieces.insert(piece.index, arrived(messages, piece.uid_first, row.modseq));
        }
        let unplaced = Unplaced { modseq: row.modseq, record: row.record, pieces };
        self.unplaced.entry(mailbox).or_default().insert(transfer, unplaced);
    }

    /// Makes the rows of one piece.
    pub(super) fn placed(&mut self, placed: &TransferPlaced, lsn: Lsn, batch: &mut ViewBatch) {
        let TransferPlaced { mailbox, transfer, index, record, messages } = placed;
        let says = Says { stated: lsn.0, record: *record, arrival: Arrival::Copied, from: None };
        put(*mailbox, messages, says, batch);
        keywords(*mailbox, messages.iter().map(|message| &message.flags), batch);
        remove(*transfer, *index, messages, batch);
        self.open_take(*transfer, *index);
        self.unplaced_take(*mailbox, *transfer, *index, batch);
    }

    /// In a replay that misses the commit, the piece is still open.
    fn open_take(&mut self, transfer: TransferId, index: u32) {
        let Some(open) = self.open.get_mut(&transfer) else { return };
        open.remove(&index);
        if open.is_empty() {
            self.open.remove(&transfer);
        }
    }

    fn unplaced_take(&mut self, mailbox: MailboxId, transfer: TransferId, index: u32, batch: &mut ViewBatch) {
        let Some(transfers) = self.unplaced.get_mut(&mailbox) else { return };
        let Some(unplaced) = transfers.get_mut(&transfer) else { return };
        unplaced.pieces.remove(&index);
        let key = rows::unplaced_key(mailbox, transfer);
        if !unplaced.pieces.is_empty() {
            return batch.put(rows::UNPLACED, key, encoded(&unplaced.row()));
        }
        batch.remove(rows::UNPLACED, key);
        transfers.remove(&transfer);
        if transfers.is_empty() {
            self.unplaced.remove(&mailbox);
        }
    }

    /// What has not been committed comes to nothing; what has stays.
    pub(super) fn abort(&mut self, transfer: TransferId, batch: &mut ViewBatch) {
        let open = self.open.remove(&transfer).unwrap_or_default();
        open.iter().for_each(|(index, messages)| remove(transfer, *index, messages, batch));
    }

    /// The transfer is at its end: in a replay that misses some of its records, the rest goes.
    pub(super) fn end(&mut self, transfer: TransferId, batch: &mut ViewBatch) {
        self.abort(transfer, batch);
        let mut left = Pieces::new();
        for (mailbox, transfers) in &mut self.unplaced {
            if let Some(unplaced) = transfers.remove(&transfer) {
                batch.remove(rows::UNPLACED, rows::unplaced_key(*mailbox, transfer));
                left.extend(unplaced.pieces);
            }
        }
        self.unplaced.retain(|_, transfers| !transfers.is_empty());
        left.iter().for_each(|(index, messages)| remove(transfer, *index, messages, batch));
    }
}

impl Unplaced {
    fn row(&self) -> UnplacedRow {
        let piece = |(index, messages): (&u32, &Vec<Message>)| {
            let uid_first = messages.first().map_or(Uid::FIRST, |message| message.uid);
            UnplacedPiece { index: *index, uid_first, count: messages.len() as u32 }
        };
        let pieces = self.pieces.iter().map(piece).collect();
        UnplacedRow { modseq: self.modseq, record: self.record, pieces }
    }
}

/// A piece is no longer needed.
fn remove(transfer: TransferId, index: u32, messages: &[Message], batch: &mut ViewBatch) {
    batch.remove(rows::TRANSFERS, rows::transfer_key(transfer, index));
    for message in messages {
        let key = rows::transfer_reference_key(message.body, transfer, index);
        batch.remove(rows::TRANSFER_REFERENCES, key);
    }
}

/// The messages of a transfer as they are in their new mailbox.
pub(crate) fn arrived(mut messages: Vec<Message>, uid_first: Uid, modseq: ModSeq) -> Vec<Message> {
    let mut uid = Some(uid_first);
    for message in &mut messages {
        message.uid = uid.unwrap_or(message.uid);
        message.modseq = modseq;
        uid = message.uid.successor();
    }
    messages
}
