//! From records to rows: the same code for a record just written and for one that is replayed.
//!
//! What a record makes of the view follows from the record alone, with two exceptions that the applier keeps in
//! memory: the place of the body data before a `BodyStored`, and the rows of transfers that are not yet committed.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use journal::{KeyRange, Order, Place, Record, StoreError, ViewBatch, ViewRead};

use crate::codec::{decoded, encoded};
use crate::counters::Counters;
use crate::entry::{
    BODY_DATA, BodyStored, Entry, FlagsSet, MailboxCreated, MailboxRow, MessageAppended, MessagesExpunged,
    MessagesMoved, SubscriptionSet, TransferCommitted, TransferRows,
};
use crate::id::TransferId;
use crate::message_row::Message;
use crate::rows::{self, BodyRow, ChangeKind, ChangeRow, FixedRow, Marks, StateRow};
use crate::{Flags, MailboxId, ModSeq, Uid, UidSet};

/// Writes rows. One for each view that is written.
#[derive(Debug, Default)]
pub(crate) struct Applier {
    marks: Marks,
    transfers: HashMap<TransferId, BTreeMap<u32, Vec<Message>>>,
    /// Where the last body data is.
    body_place: Option<Place>,
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
        self.rows(&entry, batch);
        Ok(Some(entry))
    }

    fn rows(&mut self, entry: &Entry, batch: &mut ViewBatch) {
        match entry {
            Entry::BodyStored(stored) => self.body(stored, batch),
            Entry::MessageAppended(appended) => append(appended, batch),
            Entry::FlagsSet(set) => flags(set, batch),
            Entry::MessagesExpunged(expunged) => expunge(expunged, batch),
            Entry::MessagesCopied(copied) => add(copied.mailbox, &copied.counters, &copied.messages, batch),
            Entry::MessagesMoved(moved) => move_messages(moved, batch),
            Entry::TransferRows(rows) => self.transfer(rows, batch),
            Entry::TransferCommitted(committed) => self.transfer_commit(committed, batch),
            Entry::TransferAborted(aborted) => drop(self.transfer_take(aborted.transfer, batch)),
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

    fn body(&mut self, stored: &BodyStored, batch: &mut ViewBatch) {
        let place = if stored.file.is_none() { self.body_place.take() } else { None };
        let key = rows::body_key(stored.body);
        batch.put(rows::PRESENTATIONS, key.clone(), stored.presentation.clone());
        batch.put(rows::BODIES, key.clone(), encoded(&BodyRow::of(stored, place)));
        if let Some(file) = stored.file {
            batch.put(rows::FILES, rows::file_key(file), key);
        }
    }

    fn transfer(&mut self, rows: &TransferRows, batch: &mut ViewBatch) {
        batch.put(rows::TRANSFERS, rows::transfer_key(rows.transfer, rows.index), encoded(rows));
        self.transfer_add(rows.clone());
    }

    fn transfer_add(&mut self, rows: TransferRows) {
        self.transfers.entry(rows.transfer).or_default().insert(rows.index, rows.messages.0);
    }

    fn transfer_take(&mut self, transfer: TransferId, batch: &mut ViewBatch) -> Vec<Message> {
        let chunks = self.transfers.remove(&transfer).unwrap_or_default();
        for index in chunks.keys() {
            batch.remove(rows::TRANSFERS, rows::transfer_key(transfer, *index));
        }
        chunks.into_values().flatten().collect()
    }

    fn transfer_commit(&mut self, committed: &TransferCommitted, batch: &mut ViewBatch) {
        let messages = self.transfer_take(committed.transfer, batch);
        let messages = arrived(messages, committed.uid_first, committed.counters.modseq);
        add(committed.mailbox, &committed.counters, &messages, batch);
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

fn append(appended: &MessageAppended, batch: &mut ViewBatch) {
    let message = &appended.message;
    let thread = Bytes::copy_from_slice(&message.thread_id.0.to_be_bytes());
    for key in rows::thread_row_keys(appended.owner, &appended.thread_keys) {
        batch.put(rows::THREADS, key, thread.clone());
    }
    add(appended.mailbox, &appended.counters, std::slice::from_ref(message), batch);
}

fn add(mailbox: MailboxId, counters: &Counters, messages: &[Message], batch: &mut ViewBatch) {
    for message in messages {
        let key = rows::message_key(mailbox, message.uid);
        batch.put(rows::MESSAGES, key.clone(), encoded(&FixedRow::of(message)));
        batch.put(rows::STATES, key, encoded(&StateRow::of(message)));
        batch.put(rows::REFERENCES, rows::reference_key(message.body, mailbox, message.uid), Bytes::new());
    }
    let uids = messages.iter().map(|message| message.uid).collect();
    change(mailbox, counters, ChangeKind::Added, uids, batch);
}

fn change(mailbox: MailboxId, counters: &Counters, kind: ChangeKind, uids: UidSet, batch: &mut ViewBatch) {
    let key = rows::change_key(mailbox, counters.modseq);
    batch.put(rows::CHANGES, key, encoded(&ChangeRow { kind, uids }));
}

fn flags(set: &FlagsSet, batch: &mut ViewBatch) {
    states(set.mailbox, &set.counters, &set.groups, None, batch);
    change(set.mailbox, &set.counters, ChangeKind::Changed, all(&set.groups), batch);
}

fn expunge(expunged: &MessagesExpunged, batch: &mut ViewBatch) {
    states(expunged.mailbox, &expunged.counters, &expunged.groups, Some(expunged.at), batch);
    change(expunged.mailbox, &expunged.counters, ChangeKind::Gone, all(&expunged.groups), batch);
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
fn move_messages(moved: &MessagesMoved, batch: &mut ViewBatch) {
    for (uid, message) in moved.messages.iter() {
        let key = rows::message_key(moved.from, *uid);
        batch.remove(rows::MESSAGES, key.clone());
        batch.remove(rows::STATES, key);
        batch.remove(rows::REFERENCES, rows::reference_key(message.body, moved.from, *uid));
    }
    let gone = moved.messages.iter().map(|(uid, _)| *uid).collect();
    change(moved.from, &moved.from_counters, ChangeKind::Gone, gone, batch);
    let messages: Vec<_> = moved.messages.iter().map(|(_, message)| message.clone()).collect();
    add(moved.to, &moved.to_counters, &messages, batch);
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
