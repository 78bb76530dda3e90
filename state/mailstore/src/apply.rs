//! From records to rows: the same code for a record just written and for one that is replayed.
//!
//! What a record makes of the view follows from the record alone, with two exceptions that the applier keeps in
//! memory: the place of the body data before a `BodyStored`, and the messages of transfers that are not yet committed or
//! have not all been placed.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use journal::{KeyRange, Lsn, Order, Place, Record, StoreError, ViewBatch, ViewRead};

use crate::codec::{decoded, encoded};
use crate::counters::Counters;
use crate::entry::{
    BODY_DATA, BodyStored, Entry, FlagsSet, MailboxCreated, MailboxRow, MessageAppended, MessagesExpunged,
    MessagesMoved, SubscriptionSet, TransferCommitted, TransferPlaced, TransferRows,
};
use crate::id::TransferId;
use crate::message_row::Message;
use crate::rows::{
    self, Arrival, BodyRow, ChangeKind, ChangeRow, FixedRow, Marks, ReferenceRow, StateRow, UnplacedPiece,
    UnplacedRow,
};
use crate::{Flags, MailboxId, ModSeq, Uid, UidSet};

/// Writes rows. One for each view that is written.
#[derive(Debug, Default)]
pub(crate) struct Applier {
    marks: Marks,
    /// Open transfers: their messages as they are where they come from.
    transfers: HashMap<TransferId, Pieces>,
    unplaced: HashMap<MailboxId, BTreeMap<TransferId, Unplaced>>,
    /// Where the last body data is.
    body_place: Option<Place>,
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

impl Applier {
    /// Goes on where the view was left.
    pub(crate) fn load(view: &dyn ViewRead) -> Result<Self, StoreError> {
        let mut applier = Self::default();
        if let Some(row) = view.get(rows::MARKS, rows::MARKS_KEY)? {
            applier.marks = decoded(&row)?;
        }
        for row in view.scan(rows::TRANSFERS, KeyRange::all(), Order::Forward)? {
            applier.transfer_add(decoded(&row?.1)?);
        }
        for row in view.scan(rows::UNPLACED, KeyRange::all(), Order::Forward)? {
            let (key, row) = row?;
            let (mailbox, transfer) = rows::unplaced_key_parts(&key)?;
            applier.unplaced_add(mailbox, transfer, &decoded(&row)?);
        }
        Ok(applier)
    }

    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    /// The messages of an open transfer, in order.
    pub(crate) fn transfer_messages(&self, transfer: TransferId) -> Vec<Message> {
        self.transfers.get(&transfer).into_iter().flat_map(BTreeMap::values).flatten().cloned().collect()
    }

    /// Applies one record; gives what it says, or nothing for body data, whose bytes may be damaged.
    pub(crate) fn apply(
        &mut self,
        record: &Record,
        place: &Place,
        batch: &mut ViewBatch,
    ) -> Result<Option<Entry>, StoreError> {
        if record.kind == BODY_DATA {
            self.body_place = Some(*place);
            return Ok(None);
        }
        let entry = Entry::decode(record)?;
        self.mark(&entry, batch);
        for (mailbox, counters) in entry.counters() {
            batch.put(rows::COUNTERS, rows::mailbox_key(mailbox), encoded(&counters));
        }
        self.rows(&entry, place.lsn, batch);
        Ok(Some(entry))
    }

    fn rows(&mut self, entry: &Entry, lsn: Lsn, batch: &mut ViewBatch) {
        let says = Says { record: lsn.0, arrival: Arrival::Copied, from: None };
        match entry {
            Entry::BodyStored(stored) => self.body(stored, lsn, batch),
            Entry::MessageAppended(appended) => append(appended, says, batch),
            Entry::FlagsSet(set) => {
                self.place_any(set.mailbox, &all(&set.groups), batch);
                flags(set, says, batch);
            }
            Entry::MessagesExpunged(expunged) => {
                self.place_any(expunged.mailbox, &all(&expunged.groups), batch);
                expunge(expunged, says, batch);
            }
            Entry::MessagesCopied(copied) => {
                add(copied.mailbox, &copied.counters, &copied.messages, says, batch)
            }
            Entry::MessagesMoved(moved) => {
                self.place_any(moved.from, &moved.messages.iter().map(|(uid, _)| *uid).collect(), batch);
                move_messages(moved, says, batch);
            }
            Entry::TransferRows(rows) => self.transfer(rows, batch),
            Entry::TransferCommitted(committed) => self.transfer_commit(committed, says, batch),
            Entry::TransferPlaced(TransferPlaced { mailbox, transfer, index }) => {
                self.place(*mailbox, *transfer, *index, batch);
            }
            Entry::TransferAborted(aborted) => self.transfer_abort(aborted.transfer, batch),
            Entry::NameRow(row) => batch.put(rows::NAMES, rows::name_key(row.id), encoded(row)),
            Entry::NameRemoved(removed) => batch.remove(rows::NAMES, rows::name_key(removed.id)),
            Entry::MailboxRow(row) | Entry::MailboxCreated(MailboxCreated { mailbox: row }) => {
                mailbox(row, batch)
            }
            Entry::SubscriptionSet(set) => subscription(set, batch),
        }
    }

    fn mark(&mut self, entry: &Entry, batch: &mut ViewBatch) {
        let before = self.marks;
        self.marks.raise(entry);
        if self.marks != before {
            batch.put(rows::MARKS, rows::MARKS_KEY, encoded(&self.marks));
        }
    }

    fn body(&mut self, stored: &BodyStored, lsn: Lsn, batch: &mut ViewBatch) {
        let before = |place: &Place| stored.file.is_none() && place.lsn.next() == lsn;
        let place = self.body_place.filter(before);
        let key = rows::body_key(stored.body);
        batch.put(rows::PRESENTATIONS, key.clone(), stored.presentation.clone());
        batch.put(rows::BODIES, key.clone(), encoded(&BodyRow::of(stored, place)));
        if let Some(file) = stored.file {
            batch.put(rows::FILES, rows::file_key(file), key);
        }
    }

    fn transfer(&mut self, rows: &TransferRows, batch: &mut ViewBatch) {
        batch.put(rows::TRANSFERS, rows::transfer_key(rows.transfer, rows.index), encoded(rows));
        for message in rows.messages.iter() {
            let key = rows::transfer_reference_key(message.body, rows.transfer, rows.index);
            batch.put(rows::TRANSFER_REFERENCES, key, Bytes::new());
        }
        self.transfer_add(rows.clone());
    }

    fn transfer_add(&mut self, rows: TransferRows) {
        self.transfers.entry(rows.transfer).or_default().insert(rows.index, rows.messages.0);
    }

    fn transfer_abort(&mut self, transfer: TransferId, batch: &mut ViewBatch) {
        for (index, messages) in self.transfers.remove(&transfer).unwrap_or_default() {
            transfer_remove(transfer, index, &messages, batch);
        }
    }

    /// The messages are visible from now on; they get rows of their own when they are placed. Of a transfer that is not
    /// open, this record has been applied before, and the rest was done with it.
    fn transfer_commit(&mut self, committed: &TransferCommitted, says: Says, batch: &mut ViewBatch) {
        let TransferCommitted { transfer, mailbox, counters, uid_first } = committed;
        let end = Uid::new(counters.uid_next.number().saturating_sub(1)).unwrap_or(*uid_first);
        says.change(*mailbox, counters, ChangeKind::Added, UidSet::range(*uid_first, end), batch);
        let Some(open) = self.transfers.get(transfer) else { return };
        let mut next = *uid_first;
        let mut pieces = Vec::new();
        for (index, messages) in open {
            keywords(*mailbox, messages.iter().map(|message| &message.flags), batch);
            let count = messages.len() as u32;
            pieces.push(UnplacedPiece { index: *index, uid_first: next, count });
            next = Uid::new(next.number().saturating_add(count)).unwrap_or(next);
        }
        let row = UnplacedRow { modseq: counters.modseq, record: says.record, pieces };
        batch.put(rows::UNPLACED, rows::unplaced_key(*mailbox, *transfer), encoded(&row));
        self.unplaced_add(*mailbox, *transfer, &row);
    }

    /// The transfer is open no longer.
    fn unplaced_add(&mut self, mailbox: MailboxId, transfer: TransferId, row: &UnplacedRow) {
        let mut open = self.transfers.remove(&transfer).unwrap_or_default();
        let mut pieces = Pieces::new();
        for piece in &row.pieces {
            let messages = open.remove(&piece.index).unwrap_or_default();
            pieces.insert(piece.index, arrived(messages, piece.uid_first, row.modseq));
        }
        let unplaced = Unplaced { modseq: row.modseq, record: row.record, pieces };
        self.unplaced.entry(mailbox).or_default().insert(transfer, unplaced);
    }

    /// True while messages of a committed transfer have no rows of their own.
    pub(crate) fn is_unplaced(&self, mailbox: MailboxId, transfer: TransferId, index: u32) -> bool {
        let transfers = self.unplaced.get(&mailbox);
        let unplaced = transfers.and_then(|transfers| transfers.get(&transfer));
        unplaced.is_some_and(|unplaced| unplaced.pieces.contains_key(&index))
    }

    /// Messages that are about to change get rows of their own first.
    fn place_any(&mut self, mailbox: MailboxId, uids: &UidSet, batch: &mut ViewBatch) {
        let Some(transfers) = self.unplaced.get(&mailbox) else { return };
        let mut touched = Vec::new();
        for (transfer, unplaced) in transfers {
            let meets = |messages: &Vec<Message>| {
                let before = messages.first().and_then(|first| Uid::new(first.uid.number() - 1));
                uids.meets(before, messages.last().map(|last| last.uid))
            };
            let pieces = unplaced.pieces.iter().filter(|(_, messages)| meets(messages));
            touched.extend(pieces.map(|(index, _)| (*transfer, *index)));
        }
        touched.into_iter().for_each(|(transfer, index)| self.place(mailbox, transfer, index, batch));
    }

    /// Makes the rows of one piece. If that has been done before, there is nothing to do.
    fn place(&mut self, mailbox: MailboxId, transfer: TransferId, index: u32, batch: &mut ViewBatch) {
        let Some(transfers) = self.unplaced.get_mut(&mailbox) else { return };
        let Some(unplaced) = transfers.get_mut(&transfer) else { return };
        let Some(messages) = unplaced.pieces.remove(&index) else { return };
        let says = Says { record: unplaced.record, arrival: Arrival::Copied, from: None };
        put(mailbox, &messages, says, batch);
        transfer_remove(transfer, index, &messages, batch);
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

/// A piece of a transfer is no longer needed.
fn transfer_remove(transfer: TransferId, index: u32, messages: &[Message], batch: &mut ViewBatch) {
    batch.remove(rows::TRANSFERS, rows::transfer_key(transfer, index));
    for message in messages {
        let key = rows::transfer_reference_key(message.body, transfer, index);
        batch.remove(rows::TRANSFER_REFERENCES, key);
    }
}

/// The keywords that messages of a mailbox have; flags that share them are looked at once.
fn keywords<'a>(mailbox: MailboxId, flags: impl Iterator<Item = &'a Flags>, batch: &mut ViewBatch) {
    let mut known = HashSet::new();
    for flags in flags {
        if flags.keywords_at().is_some_and(|at| known.insert(at)) {
            let keys = flags.keywords().iter().map(|keyword| rows::keyword_key(mailbox, &keyword.folded()));
            keys.for_each(|key| batch.put(rows::KEYWORDS, key, Bytes::new()));
        }
    }
}

impl Marks {
    /// Takes in what a record has used up.
    pub(crate) fn raise(&mut self, entry: &Entry) {
        self.modseq = self.modseq.max(entry.modseq().unwrap_or_default());
        if let Entry::BodyStored(stored) = entry {
            self.body = self.body.max(stored.body.0);
        }
        if let Some(mailbox) = entry.mailbox() {
            self.uid_validity = self.uid_validity.max(mailbox.uid_validity.number());
        }
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

fn append(appended: &MessageAppended, says: Says, batch: &mut ViewBatch) {
    let message = &appended.message;
    let thread = Bytes::copy_from_slice(&message.thread_id.0.to_be_bytes());
    for key in rows::thread_row_keys(appended.owner, &appended.thread_keys) {
        batch.put(rows::THREADS, key, thread.clone());
    }
    // Its own message id is the last of the keys, if it has one.
    if let Some(hash) = appended.thread_keys.message_ids.last() {
        batch.put(rows::MESSAGE_IDS, rows::message_id_key(hash, Some(message.body)), Bytes::new());
    }
    let says = Says { arrival: Arrival::Appended, ..says };
    add(appended.mailbox, &appended.counters, std::slice::from_ref(message), says, batch);
}

fn add(mailbox: MailboxId, counters: &Counters, messages: &[Message], says: Says, batch: &mut ViewBatch) {
    put(mailbox, messages, says, batch);
    keywords(mailbox, messages.iter().map(|message| &message.flags), batch);
    let uids = messages.iter().map(|message| message.uid).collect();
    says.change(mailbox, counters, ChangeKind::Added, uids, batch);
}

/// The rows of messages that are in a mailbox.
fn put(mailbox: MailboxId, messages: &[Message], says: Says, batch: &mut ViewBatch) {
    let reference = encoded(&says.reference());
    for message in messages {
        let key = rows::message_key(mailbox, message.uid);
        batch.put(rows::MESSAGES, key.clone(), encoded(&FixedRow::of(message)));
        batch.put(rows::STATES, key, encoded(&StateRow::of(message)));
        batch.put(
            rows::REFERENCES,
            rows::reference_key(message.body, mailbox, message.uid),
            reference.clone(),
        );
    }
}

/// What rows keep of the record that they come from.
#[derive(Clone, Copy)]
struct Says {
    record: u64,
    arrival: Arrival,
    from: Option<MailboxId>,
}

impl Says {
    fn reference(self) -> ReferenceRow {
        let Self { record, arrival, from } = self;
        ReferenceRow { arrival, from, record }
    }

    fn change(
        self,
        mailbox: MailboxId,
        counters: &Counters,
        kind: ChangeKind,
        uids: UidSet,
        batch: &mut ViewBatch,
    ) {
        let key = rows::change_key(mailbox, counters.modseq);
        batch.put(rows::CHANGES, key, encoded(&ChangeRow { kind, uids, record: self.record }));
    }
}

fn flags(set: &FlagsSet, says: Says, batch: &mut ViewBatch) {
    states(set.mailbox, &set.counters, &set.groups, None, batch);
    keywords(set.mailbox, set.groups.iter().map(|(flags, _)| flags), batch);
    says.change(set.mailbox, &set.counters, ChangeKind::Changed, all(&set.groups), batch);
}

fn expunge(expunged: &MessagesExpunged, says: Says, batch: &mut ViewBatch) {
    states(expunged.mailbox, &expunged.counters, &expunged.groups, Some(expunged.at), batch);
    says.change(expunged.mailbox, &expunged.counters, ChangeKind::Gone, all(&expunged.groups), batch);
}

fn states(
    mailbox: MailboxId,
    counters: &Counters,
    groups: &[(Flags, UidSet)],
    expunged: Option<i64>,
    batch: &mut ViewBatch,
) {
    for (flags, uids) in groups {
        let row = encoded(&StateRow { modseq: counters.modseq, expunged, flags: flags.clone() });
        uids.iter().for_each(|uid| batch.put(rows::STATES, rows::message_key(mailbox, uid), row.clone()));
    }
}

fn all(groups: &[(Flags, UidSet)]) -> UidSet {
    groups.iter().flat_map(|(_, uids)| uids.iter()).collect()
}

/// At the source nothing is left to restore.
fn move_messages(moved: &MessagesMoved, says: Says, batch: &mut ViewBatch) {
    for (uid, message) in moved.messages.iter() {
        let key = rows::message_key(moved.from, *uid);
        batch.remove(rows::MESSAGES, key.clone());
        batch.remove(rows::STATES, key);
        batch.remove(rows::REFERENCES, rows::reference_key(message.body, moved.from, *uid));
    }
    let gone = moved.messages.iter().map(|(uid, _)| *uid).collect();
    says.change(moved.from, &moved.from_counters, ChangeKind::Gone, gone, batch);
    let messages: Vec<_> = moved.messages.iter().map(|(_, message)| message.clone()).collect();
    let says = Says { arrival: Arrival::Moved, from: Some(moved.from), ..says };
    add(moved.to, &moved.to_counters, &messages, says, batch);
}

fn mailbox(row: &MailboxRow, batch: &mut ViewBatch) {
    batch.put(rows::MAILBOXES, rows::mailbox_key(row.id), encoded(row));
}

fn subscription(set: &SubscriptionSet, batch: &mut ViewBatch) {
    let key = rows::subscription_key(set.owner, &set.path);
    match set.subscribed {
        true => batch.put(rows::SUBSCRIPTIONS, key, Bytes::new()),
        false => batch.remove(rows::SUBSCRIPTIONS, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SpecialUse, UidValidity};

    fn mailbox_row() -> MailboxRow {
        let (id, uid_validity) = (MailboxId(1), UidValidity::new(1).unwrap());
        MailboxRow { id, uid_validity, special_use: None, created: 0, modseq: ModSeq::new(1), deleted: None }
    }

    #[test]
    fn a_change_of_a_mailbox_leaves_its_counters_alone() {
        let created = Entry::from(MailboxCreated { mailbox: mailbox_row() });
        assert_eq!(created.counters().len(), 1);
        let special_use = Some(SpecialUse::Junk);
        let changed = Entry::from(MailboxRow { special_use, modseq: ModSeq::new(9), ..mailbox_row() });
        assert!(changed.counters().is_empty());
        assert_eq!(changed.modseq(), Some(ModSeq::new(9)));
    }
}
