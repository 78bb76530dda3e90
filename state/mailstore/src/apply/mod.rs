//! From records to rows: the same code for a record just written and for one that is replayed.
//!
//! What a record makes of the view follows from the record alone, with two exceptions that the applier keeps in
//! memory: the place of the body data before a `BodyStored`, and the messages of transfers (`transfers.rs`) that are not yet
//! committed or have not all been placed. Records that were compacted away are missing in a replay, and what they said
//! comes last: on the way there rows may be odd, and nothing here may take offence at that.

mod stated;
mod transfers;

use std::collections::HashSet;

use bytes::Bytes;
use journal::{Lsn, Place, Record, StoreError, ViewBatch, ViewRead};

use crate::codec::{decoded, encoded};
use crate::compaction::Stated;
use crate::counters::Counters;
use crate::entry::{
    BODY_DATA, BodyStored, Entry, FlagsSet, MailboxCreated, MailboxRow, MessageAppended, MessagesExpunged,
    MessagesMoved, SubscriptionSet, TransferCommitted,
};
use crate::message_row::Message;
use crate::rows::{
    self, Arrival, BodyRow, ChangeKind, ChangeRow, ExpungedRow, FixedRow, Marks, ReferenceRow, StateRow,
    ThreadRow,
};
use crate::{Flags, MailboxId, Uid, UidSet};
pub(crate) use transfers::{Transfers, arrived};

/// Writes rows. One for each view that is written.
#[derive(Debug, Default)]
pub(crate) struct Applier {
    marks: Marks,
    transfers: Transfers,
    /// Where the last body data is.
    body_place: Option<Place>,
}

impl Applier {
    /// Goes on where the view was left.
    pub(crate) fn load(view: &dyn ViewRead) -> Result<Self, StoreError> {
        let marks = view.get(rows::MARKS, rows::MARKS_KEY)?;
        let marks = marks.map(|row| decoded(&row)).transpose()?.unwrap_or_default();
        Ok(Self { marks, transfers: Transfers::load(view)?, body_place: None })
    }

    pub(crate) fn marks(&self) -> Marks {
        self.marks
    }

    /// Large copies that are not at their end.
    pub(crate) fn transfers(&self) -> &Transfers {
        &self.transfers
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
        let says = Says { stated: lsn.0, record: lsn.0, arrival: Arrival::Copied, from: None };
        match entry {
            Entry::BodyStored(stored) => self.body(stored, lsn, batch),
            Entry::MessageAppended(appended) => append(appended, says, batch),
            Entry::FlagsSet(set) => flags(set, says, batch),
            Entry::MessagesExpunged(expunged) => expunge(expunged, says, batch),
            Entry::MessagesCopied(copied) => {
                add(copied.mailbox, &copied.counters, &copied.messages, says, batch)
            }
            Entry::MessagesMoved(moved) => move_messages(moved, says, batch),
            Entry::TransferRows(rows) => self.transfers.add(rows, batch),
            Entry::TransferCommitted(committed) => self.transfer_commit(committed, says, batch),
            Entry::TransferPlacedOnly(placed) => {
                if let Some(placed) = self.transfers.unplaced(placed.mailbox, placed.transfer, placed.index) {
                    self.transfers.placed(&placed, lsn, batch);
                }
            }
            Entry::TransferPlaced(placed) => self.transfers.placed(placed, lsn, batch),
            Entry::TransferAborted(aborted) => self.transfers.abort(aborted.transfer, batch),
            Entry::NameRow(row) => batch.put(rows::NAMES, rows::name_key(row.id), encoded(row)),
            Entry::NameRemoved(removed) => batch.remove(rows::NAMES, rows::name_key(removed.id)),
            Entry::MailboxRow(row) | Entry::MailboxCreated(MailboxCreated { mailbox: row }) => {
                mailbox(row, batch)
            }
            Entry::SubscriptionSet(set) => subscription(set, batch),
            Entry::Restated(restated) => restated.things.iter().for_each(|thing| thing.apply(lsn, batch)),
            Entry::Removed(removed) => removed.keys.iter().for_each(|key| self.remove(key, batch)),
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

    /// The messages are visible from now on; they get rows of their own when they are placed.
    fn transfer_commit(&mut self, committed: &TransferCommitted, says: Says, batch: &mut ViewBatch) {
        let TransferCommitted { mailbox, counters, uid_first, .. } = committed;
        let end = Uid::new(counters.uid_next.number().saturating_sub(1)).unwrap_or(*uid_first);
        says.change(*mailbox, counters, ChangeKind::Added, UidSet::range(*uid_first, end), batch);
        self.transfers.commit(committed, says.record, batch);
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
        if let Entry::Restated(restated) = entry {
            restated.things.iter().for_each(|thing| self.raise_restated(thing));
        }
    }

    fn raise_restated(&mut self, thing: &Stated) {
        if let Stated::Marks(marks) = thing {
            self.modseq = self.modseq.max(marks.modseq);
            self.body = self.body.max(marks.body);
            self.uid_validity = self.uid_validity.max(marks.uid_validity);
        }
    }
}

fn append(appended: &MessageAppended, says: Says, batch: &mut ViewBatch) {
    let message = &appended.message;
    let thread = encoded(&ThreadRow { thread: message.thread_id, body: message.body });
    for key in rows::thread_keys(appended.owner, &appended.thread_keys) {
        batch.put(rows::THREADS, rows::thread_row_key(&key), thread.clone());
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
        batch.put(rows::MESSAGES, key.clone(), encoded(&FixedRow::of(message, says.stated)));
        batch.put(rows::STATES, key, encoded(&StateRow::of(message, says.stated)));
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
    /// The record itself.
    stated: u64,
    /// The record by which it came about.
    record: u64,
    arrival: Arrival,
    from: Option<MailboxId>,
}

impl Says {
    fn state(self, counters: &Counters, expunged: Option<i64>, flags: &Flags) -> StateRow {
        let (stated, modseq) = (self.stated, counters.modseq);
        StateRow { stated, modseq, expunged, flags: flags.clone() }
    }

    fn reference(self) -> ReferenceRow {
        let Self { record, arrival, from, .. } = self;
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
    states(set.mailbox, &set.groups, |flags| says.state(&set.counters, None, flags), batch);
    keywords(set.mailbox, set.groups.iter().map(|(flags, _)| flags), batch);
    says.change(set.mailbox, &set.counters, ChangeKind::Changed, all(&set.groups), batch);
}

fn expunge(expunged: &MessagesExpunged, says: Says, batch: &mut ViewBatch) {
    let MessagesExpunged { mailbox, counters, at, groups } = expunged;
    states(*mailbox, groups, |flags| says.state(counters, Some(*at), flags), batch);
    let row = ExpungedRow { uids: all(groups), record: says.record };
    batch.put(rows::EXPUNGED, rows::expunged_key(*at, *mailbox, counters.modseq), encoded(&row));
    says.change(*mailbox, counters, ChangeKind::Gone, row.uids, batch);
}

fn states(
    mailbox: MailboxId,
    groups: &[(Flags, UidSet)],
    state: impl Fn(&Flags) -> StateRow,
    batch: &mut ViewBatch,
) {
    for (flags, uids) in groups {
        let row = encoded(&state(flags));
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
    use crate::{ModSeq, SpecialUse, UidValidity};

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
