//! The state behind the spool's journal: commands, records, rows.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use journal::{
    KeyRange, Lsn, Needed, Order, Place, Record, Restating, Slot, Staged, Stated, Store, StoreError, Synced,
    Table, View, ViewBatch, ViewError, ViewRead,
};

use crate::accept::Accepted;
use crate::audit::{AuditEvent, AuditNote};
use crate::bodies::{BodyDir, Packed};
use crate::claim::Claim;
use crate::codec::{copy_decode, copy_encode, entry_decode, entry_encode, note_encode};
use crate::compaction::{self, Key, audit_restate, message_restate, noted_read};
use crate::entry::{Entry, Stored, later};
use crate::outcome::Completed;
use crate::queue::Queue;
use crate::queue_id::QueueId;
use crate::record::{Adjusted, BODY, Forgotten, NotePlace, Noted, Progressed, Said, Statement, What};

/// Messages by queue id.
pub(crate) const MESSAGES: Table = Table("message");
/// Recipients by queue id and number.
pub(crate) const RECIPIENTS: Table = Table("recipient");
/// Audit notes by queue id, record and number; they outlive their message.
pub(crate) const AUDIT: Table = Table("audit");
/// Queue ids by the `Message-ID` field, a zero byte between.
pub(crate) const MESSAGE_IDS: Table = Table("message_id");
/// The `Message-ID` field by queue id; outlives the message.
pub(crate) const MESSAGE_ID_OF: Table = Table("message_id_of");
pub(crate) const TABLES: [Table; 5] = [MESSAGES, RECIPIENTS, AUDIT, MESSAGE_IDS, MESSAGE_ID_OF];

/// Bytes of a `Message-ID` that count for finding it.
const MESSAGE_ID_BYTES_MAX: usize = 500;
/// Why a message is on trial.
const DIED: &str = "the process died while it was in hand";
/// Bytes that a command holds besides bodies, roughly.
const COMMAND_BYTES: usize = 1_024;

/// A new message, packed.
pub(crate) struct Incoming {
    pub entry: Entry,
    pub body: Packed,
    pub notes: Vec<AuditNote>,
}

pub(crate) enum Command {
    Accept(Box<Incoming>),
    Complete(Box<Completion>),
    Adjust {
        queue_id: QueueId,
        adjust: Adjust,
        now: Timestamp,
    },
    Delete {
        queue_id: QueueId,
        now: Timestamp,
    },
    /// Audit notes of messages that are gone are over.
    Forget(Vec<Forgotten>),
}

/// What came of a copy.
pub(crate) struct Completion {
    pub claim: Box<Claim>,
    pub progressed: Progressed,
    pub notes: Vec<AuditNote>,
    pub reports: Vec<Incoming>,
    /// Why it counts as a strike, if it does.
    pub strike: Option<String>,
    pub now: Timestamp,
}

pub(crate) enum Adjust {
    Hold(String),
    Retry,
    /// A message that was in hand when the process died is tried by itself: a strike, until something comes of it.
    Trial,
    /// A worker broke, or could not say what came of it; its claim ends when the strike is durable.
    Strike(Box<Claim>, String),
}

/// What `release` needs.
pub(crate) enum Pending {
    Accepted(QueueId, Slot),
    Completed(Completed, Box<Claim>),
    Done(Option<Box<Claim>>),
    /// Whether it may be tried.
    Trial(bool),
    Taken(QueueId),
    NotFound(QueueId),
}

pub(crate) enum Reply {
    Accepted(Accepted),
    Completed(Completed),
    Done,
    Trial(bool),
    Taken(QueueId),
    NotFound(QueueId),
}

/// The store. What is staged and not yet durable is in `staged`, what is applied and not yet in the view in `applied`;
/// both are the queue's next state for the messages that they name.
pub(crate) struct SpoolStore {
    queue: Arc<Queue>,
    bodies: BodyDir,
    strikes_max: u32,
    back_off: Duration,
    staged: HashMap<QueueId, Option<Arc<Entry>>>,
    applied: HashMap<QueueId, Option<Arc<Entry>>>,
    /// The body record just applied, for the message record that follows.
    body: Option<Place>,
    /// Messages that are done and had a body of their own.
    files_left: Vec<QueueId>,
    /// Messages of this frame whose bodies are files.
    files_staged: Vec<QueueId>,
    /// What was made of all frames before this one.
    view: Arc<dyn View>,
}

impl SpoolStore {
    pub fn new(
        queue: Arc<Queue>,
        bodies: BodyDir,
        view: Arc<dyn View>,
        strikes_max: u32,
        back_off: Duration,
    ) -> Self {
        Self {
            view,
            files_staged: Vec::new(),
            queue,
            bodies,
            strikes_max,
            back_off,
            staged: HashMap::new(),
            applied: HashMap::new(),
            body: None,
            files_left: Vec::new(),
        }
    }

    /// A store for a replay into `view` that touches nothing else.
    pub fn for_check(view: Arc<dyn View>) -> Self {
        let bodies = BodyDir::new(Arc::new(disk::RealDisk), PathBuf::new());
        Self::new(Arc::default(), bodies, view, 0, Duration::ZERO)
    }

    /// After a frame of such a replay.
    pub fn settle(&mut self) {
        self.files_left.clear();
        self.queue.publish(self.applied.drain());
    }

    /// The message as the commands before this one leave it.
    fn entry_staged(&self, queue_id: QueueId) -> Option<Arc<Entry>> {
        self.staged.get(&queue_id).cloned().unwrap_or_else(|| self.queue.entry(queue_id))
    }

    /// The message as the records before this one leave it, to be changed.
    fn entry_take(&mut self, queue_id: QueueId) -> Option<Arc<Entry>> {
        self.applied.remove(&queue_id).unwrap_or_else(|| self.queue.entry(queue_id))
    }

    /// Stages a record; whether anything is left of the message then.
    fn say(&mut self, said: &Said, staged: &mut Staged) -> (Slot, bool) {
        let before = self.staged.remove(&said.queue_id).unwrap_or_else(|| self.queue.entry(said.queue_id));
        let entry = said.what.apply(before.map(unshare)).map(Arc::new);
        let left = entry.is_some();
        self.staged.insert(said.queue_id, entry);
        (staged.push(Statement::Said(said.clone()).record()), left)
    }

    /// Messages that have come back, by whatever way, keep their notes.
    fn forget(&mut self, forgotten: Vec<Forgotten>, staged: &mut Staged) -> Pending {
        for forgotten in forgotten {
            if self.entry_staged(forgotten.queue_id).is_none() {
                staged.push(Statement::Forgotten(forgotten).record());
            }
        }
        Pending::Done(None)
    }

    fn accept(&mut self, incoming: Incoming, staged: &mut Staged) -> Pending {
        let queue_id = incoming.entry.queue_id;
        if self.entry_staged(queue_id).is_some() {
            return Pending::Taken(queue_id);
        }
        match incoming.body {
            Packed::Record(_, body) => drop(staged.push(Record::body(BODY, body))),
            Packed::File(file) => {
                file.claim();
                self.files_staged.push(queue_id);
            }
        }
        let what = What::Message(Box::new(incoming.entry));
        let (slot, _) = self.say(&Said { queue_id, what, notes: incoming.notes }, staged);
        Pending::Accepted(queue_id, slot)
    }

    fn complete(&mut self, completion: Completion, staged: &mut Staged) -> Pending {
        let Completion { claim, mut progressed, mut notes, reports, strike, now } = completion;
        let queue_id = claim.queue_id;
        let Some(entry) = self.entry_staged(queue_id) else { return Pending::NotFound(queue_id) };
        progressed.added_at = entry.recipients.len() as u32;
        let finished = progressed.finishes(&entry);
        if finished {
            let session = notes.last().and_then(|note| note.session.clone());
            let finished = spool_note(now, AuditEvent::Finished, "nothing is left to do".to_owned());
            notes.push(AuditNote { session, ..finished });
        }
        drop(entry);
        self.say(&Said { queue_id, what: What::Progressed(progressed), notes }, staged);
        self.strikes_settle(&claim, strike, now, staged);
        let ids = reports.iter().map(|report| report.entry.queue_id).collect();
        for report in reports {
            self.accept(report, staged);
        }
        Pending::Completed(Completed { finished, reports: ids }, claim)
    }

    /// After an attempt: the strike that it counts as, and that of a trial taken back.
    fn strikes_settle(&mut self, claim: &Claim, strike: Option<String>, now: Timestamp, staged: &mut Staged) {
        let queue_id = claim.queue_id;
        let Some(entry) = self.entry_staged(queue_id) else { return };
        let (adjusted, notes) = match strike {
            Some(why) => {
                let (adjusted, note) = self.strike(&entry, claim.on_trial, &why, now);
                (adjusted, vec![note])
            }
            None if claim.on_trial => {
                let strikes = entry.strikes.saturating_sub(1);
                (Adjusted { held: entry.held.clone(), strikes, next: None }, Vec::new())
            }
            None => return,
        };
        drop(entry);
        self.say(&Said { queue_id, what: What::Adjusted(adjusted), notes }, staged);
    }

    fn adjust(&mut self, queue_id: QueueId, adjust: Adjust, now: Timestamp, staged: &mut Staged) -> Pending {
        let Some(entry) = self.entry_staged(queue_id) else { return Pending::NotFound(queue_id) };
        if let Adjust::Trial = adjust {
            return self.trial(&entry, now, staged);
        }
        let (adjusted, note, claim) = match adjust {
            Adjust::Hold(reason) => {
                let note = operator_note(now, AuditEvent::Held, reason.clone());
                (Adjusted { held: Some(reason), strikes: entry.strikes, next: None }, note, None)
            }
            Adjust::Retry => {
                let note = operator_note(now, AuditEvent::Released, "to be tried at once".to_owned());
                (Adjusted { held: None, strikes: 0, next: Some(now) }, note, None)
            }
            Adjust::Strike(claim, why) => {
                let (adjusted, note) = self.strike(&entry, claim.on_trial, &why, now);
                (adjusted, note, Some(claim))
            }
            Adjust::Trial => unreachable!("answered above"),
        };
        self.say(&Said { queue_id, what: What::Adjusted(adjusted), notes: vec![note] }, staged);
        Pending::Done(claim)
    }

    /// A message that was in hand when the process died is tried again, by itself, with a strike that stays if the process
    /// dies once more; after too many it is held.
    fn trial(&mut self, entry: &Entry, now: Timestamp, staged: &mut Staged) -> Pending {
        let (queue_id, may_be_tried) = (entry.queue_id, entry.strikes < self.strikes_max);
        let (adjusted, note) = match may_be_tried {
            true => {
                let strikes = entry.strikes + 1;
                let text = format!("{DIED}, tried by itself, {strikes} of {}", self.strikes_max);
                let adjusted = Adjusted { held: entry.held.clone(), strikes, next: None };
                (adjusted, spool_note(now, AuditEvent::Struck, text))
            }
            false => {
                let reason = held(entry, entry.strikes, DIED);
                let adjusted = Adjusted { held: Some(reason.clone()), strikes: entry.strikes, next: None };
                (adjusted, spool_note(now, AuditEvent::Held, reason))
            }
        };
        self.say(&Said { queue_id, what: What::Adjusted(adjusted), notes: vec![note] }, staged);
        Pending::Trial(may_be_tried)
    }

    /// A worker did not come to an end with the message: it waits, and after too many times it is held (law 10). A trial
    /// has its strike already.
    fn strike(&self, entry: &Entry, on_trial: bool, why: &str, now: Timestamp) -> (Adjusted, AuditNote) {
        let strikes = entry.strikes + u32::from(!on_trial);
        let text = format!("{why}, {strikes} of {}", self.strikes_max);
        let held = (strikes >= self.strikes_max).then(|| held(entry, strikes, why));
        let adjusted = Adjusted {
            held: held.or_else(|| entry.held.clone()),
            strikes,
            next: Some(later(now, spread(entry.queue_id, self.back_off))),
        };
        (adjusted, spool_note(now, AuditEvent::Struck, text))
    }

    fn delete(&mut self, queue_id: QueueId, now: Timestamp, staged: &mut Staged) -> Pending {
        if self.entry_staged(queue_id).is_none() {
            return Pending::NotFound(queue_id);
        }
        let notes = vec![operator_note(now, AuditEvent::Deleted, "nobody is told".to_owned())];
        self.say(&Said { queue_id, what: What::Deleted, notes }, staged);
        Pending::Done(None)
    }

    /// The message record with the place of its body filled in, if it does not say it itself.
    fn placed(&mut self, mut said: Said, lsn: Lsn) -> Result<Said, StoreError> {
        let body = self.body.take().filter(|place| place.lsn.next() == lsn);
        if let What::Message(entry) = &mut said.what
            && let Stored::Journal(_, place @ None) = &mut entry.body
        {
            let unfit = || StoreError::Unfit { lsn, why: "its body is not before it".into() };
            *place = Some(body.ok_or_else(unfit)?);
        }
        Ok(said)
    }

    fn apply_said(&mut self, lsn: Lsn, said: &Said, batch: &mut ViewBatch) {
        let queue_id = said.queue_id;
        let before = self.entry_take(queue_id);
        let had_file = before.as_ref().is_some_and(|entry| entry.body == Stored::File);
        let recipients_before = before.as_ref().map_or(0, |entry| entry.recipients.len() as u32);
        let entry = said.what.apply(before.map(unshare)).map(Arc::new);
        match &entry {
            Some(entry) => rows_put(entry, &said.what, batch),
            None => rows_remove(queue_id, recipients_before, batch),
        }
        if let (What::Message(_), Some(id)) = (&said.what, entry.as_ref().and_then(|e| e.message_id.as_ref()))
        {
            message_id_put(queue_id, id, batch);
        }
        for (number, note) in (0..).zip(&said.notes) {
            batch.put(AUDIT, audit_key(queue_id, NotePlace { lsn, number }), note_encode(note));
        }
        if entry.is_none() && had_file {
            self.files_left.push(queue_id);
        }
        self.applied.insert(queue_id, entry);
    }
}

fn message_id_put(queue_id: QueueId, message_id: &str, batch: &mut ViewBatch) {
    batch.put(MESSAGE_IDS, message_id_key(message_id, Some(queue_id)), Bytes::new());
    batch.put(MESSAGE_ID_OF, queue_id.key().to_vec(), message_id.as_bytes().to_vec());
}

fn noted_put(noted: &Noted, batch: &mut ViewBatch) {
    if let Some(id) = &noted.message_id {
        message_id_put(noted.queue_id, id, batch);
    }
    for (place, note) in &noted.notes {
        batch.put(AUDIT, audit_key(noted.queue_id, *place), note_encode(note));
    }
}

fn forgotten_remove(forgotten: &Forgotten, batch: &mut ViewBatch) {
    let queue_id = forgotten.queue_id;
    if let Some(id) = &forgotten.message_id {
        batch.remove(MESSAGE_IDS, message_id_key(id, Some(queue_id)));
    }
    batch.remove(MESSAGE_ID_OF, queue_id.key().to_vec());
    for place in &forgotten.notes {
        batch.remove(AUDIT, audit_key(queue_id, *place));
    }
}

/// Up to twice the wait, for each message another: those that were on their way together when one of them ended their session or
/// worker do not come back together, so that the innocent get through.
fn spread(queue_id: QueueId, wait: Duration) -> Duration {
    let share = queue_id.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    wait + wait.mul_f64(share as f64 / f64::from(u32::MAX))
}

/// The rows that a record changes; an outcome changes those of its recipients alone.
fn rows_put(entry: &Entry, what: &What, batch: &mut ViewBatch) {
    if !matches!(what, What::Progressed(_)) {
        batch.put(MESSAGES, entry.queue_id.key().to_vec(), entry_encode(entry));
    }
    for index in what.touched(entry) {
        let copy = copy_encode(&entry.recipients[index as usize]);
        batch.put(RECIPIENTS, recipient_key(entry.queue_id, index), copy);
    }
}

fn rows_remove(queue_id: QueueId, recipients: u32, batch: &mut ViewBatch) {
    batch.remove(MESSAGES, queue_id.key().to_vec());
    (0..recipients).for_each(|index| batch.remove(RECIPIENTS, recipient_key(queue_id, index)));
}

fn recipient_key(queue_id: QueueId, index: u32) -> Vec<u8> {
    [&queue_id.key()[..], &index.to_be_bytes()].concat()
}

/// The messages of a view, with their recipients.
pub(crate) fn entries_load(view: &dyn ViewRead) -> Result<Vec<Entry>, StoreError> {
    let mut recipients = view.scan(RECIPIENTS, KeyRange::all(), Order::Forward)?.peekable();
    let mut entries = Vec::new();
    for row in view.scan(MESSAGES, KeyRange::all(), Order::Forward)? {
        let (key, value) = row?;
        let number =
            key.as_ref().try_into().map_err(|_| journal::DecodeError::Invalid("key of a message"))?;
        let mut entry = entry_decode(QueueId::from_u64(u64::from_be_bytes(number)), &value)?;
        let is_its = |row: &Result<(Bytes, Bytes), ViewError>| {
            row.as_ref().map_or(true, |(recipient, _)| recipient.starts_with(&key))
        };
        while let Some(row) = recipients.next_if(is_its) {
            entry.recipients.push(copy_decode(&row?.1)?.into());
        }
        entries.push(entry);
    }
    match recipients.next() {
        Some(_) => Err(journal::DecodeError::Invalid("recipient without a message").into()),
        None => Ok(entries),
    }
}

/// Why a message is held that has too many strikes; says so to operators.
fn held(entry: &Entry, strikes: u32, why: &str) -> String {
    let reason = format!("{strikes} attempts came to no end with it: {why}");
    tracing::error!(queue_id = %entry.queue_id, reason, "message held: `tartan spool` shows, retries or deletes it");
    reason
}

fn unshare(entry: Arc<Entry>) -> Entry {
    Arc::unwrap_or_clone(entry)
}

pub(crate) fn spool_note(time: Timestamp, event: AuditEvent, text: String) -> AuditNote {
    AuditNote { time, role: "spool".into(), session: None, event, text }
}

fn operator_note(time: Timestamp, event: AuditEvent, text: String) -> AuditNote {
    AuditNote { time, role: "operator".into(), session: None, event, text }
}

pub(crate) fn audit_key(queue_id: QueueId, place: NotePlace) -> Vec<u8> {
    [&queue_id.key()[..], &place.lsn.0.to_be_bytes(), &place.number.to_be_bytes()].concat()
}

/// The queue id and the record in the key of an audit note.
pub(crate) fn audit_key_parse(key: &[u8]) -> Option<(QueueId, NotePlace)> {
    let queue_id = u64::from_be_bytes(key.get(..8)?.try_into().ok()?);
    let lsn = u64::from_be_bytes(key.get(8..16)?.try_into().ok()?);
    let number = u16::from_be_bytes(key.get(16..)?.try_into().ok()?);
    Some((QueueId::from_u64(queue_id), NotePlace { lsn: Lsn(lsn), number }))
}

/// The key of a message id's row, or what the keys of all its rows begin with.
pub(crate) fn message_id_key(message_id: &str, queue_id: Option<QueueId>) -> Vec<u8> {
    let id = message_id.as_bytes();
    let mut key = id[..id.len().min(MESSAGE_ID_BYTES_MAX)].to_vec();
    key.push(0);
    key.extend(queue_id.map(QueueId::key).into_iter().flatten());
    key
}

impl Store for SpoolStore {
    type Key = Key;
    type Command = Command;
    type Pending = Pending;
    type Reply = Reply;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        let entries = entries_load(view)?.into_iter();
        self.queue.publish(entries.map(|entry| (entry.queue_id, Some(Arc::new(entry)))));
        Ok(())
    }

    fn weight(command: &Command) -> usize {
        let bytes = |incoming: &Incoming| {
            COMMAND_BYTES + incoming.body.memory_bytes() + incoming.entry.recipients.len() * 256
        };
        match command {
            Command::Accept(incoming) => bytes(incoming),
            Command::Complete(completion) => {
                COMMAND_BYTES + completion.reports.iter().map(bytes).sum::<usize>()
            }
            Command::Adjust { .. } | Command::Delete { .. } => COMMAND_BYTES,
            Command::Forget(forgotten) => forgotten.len() * COMMAND_BYTES,
        }
    }

    fn stage(&mut self, command: Command, staged: &mut Staged) -> Pending {
        match command {
            Command::Accept(incoming) => self.accept(*incoming, staged),
            Command::Complete(completion) => self.complete(*completion, staged),
            Command::Adjust { queue_id, adjust, now } => self.adjust(queue_id, adjust, now, staged),
            Command::Delete { queue_id, now } => self.delete(queue_id, now, staged),
            Command::Forget(forgotten) => self.forget(forgotten, staged),
        }
    }

    fn apply(
        &mut self,
        lsn: Lsn,
        record: &Record,
        place: &Place,
        batch: &mut ViewBatch,
    ) -> Result<(), StoreError> {
        if record.kind == BODY {
            self.body = Some(*place);
            return Ok(());
        }
        match Statement::decode(record)?.ok_or(StoreError::Kind(record.kind))? {
            Statement::Said(said) => {
                let said = self.placed(said, lsn)?;
                self.apply_said(lsn, &said, batch);
            }
            Statement::Noted(noted) => noted_put(&noted, batch),
            Statement::Forgotten(forgotten) => {
                forgotten_remove(&noted_read(&*self.view, forgotten.queue_id)?.forgotten(), batch);
                forgotten_remove(&forgotten, batch);
            }
        }
        Ok(())
    }

    fn publish(&mut self) {
        self.staged.clear();
        self.files_staged.clear();
        self.queue.publish(self.applied.drain());
        self.queue.measure();
        self.files_left.drain(..).for_each(|queue_id| self.bodies.remove(queue_id));
    }

    fn revert(&mut self, _view: &dyn ViewRead) -> Result<(), StoreError> {
        self.staged.clear();
        self.files_staged.drain(..).for_each(|queue_id| self.bodies.remove(queue_id));
        Ok(())
    }

    /// What ends work in hand goes on with little space too, reports included: the message that they are about goes.
    fn grows(command: &Command) -> bool {
        matches!(command, Command::Accept(_))
    }

    fn keys(record: &Record) -> Result<Vec<Key>, StoreError> {
        compaction::keys(record)
    }

    fn needed(view: &dyn ViewRead, stated: &Stated<'_>) -> Result<Needed, StoreError> {
        compaction::needed(view, stated)
    }

    fn restate(
        &mut self,
        view: &dyn ViewRead,
        restating: &Restating<Key>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        for key in &restating.keys {
            match *key {
                Key::Audit(queue_id) => audit_restate(view, queue_id, restating, staged)?,
                Key::Message(queue_id) => {
                    let entry = self.queue.entry(queue_id);
                    message_restate(entry.as_deref(), queue_id, restating, staged);
                }
            }
        }
        Ok(())
    }

    fn release(&mut self, pending: Pending, synced: &Synced) -> Reply {
        match pending {
            Pending::Accepted(queue_id, slot) => Reply::Accepted(Accepted::new(queue_id, slot, synced)),
            Pending::Completed(completed, claim) => {
                claim.conclude();
                Reply::Completed(completed)
            }
            Pending::Done(claim) => {
                claim.into_iter().for_each(|claim| claim.conclude());
                Reply::Done
            }
            Pending::Trial(may_be_tried) => Reply::Trial(may_be_tried),
            Pending::Taken(queue_id) => Reply::Taken(queue_id),
            Pending::NotFound(queue_id) => Reply::NotFound(queue_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use address::{MailParams, Recipient, ReversePath};
    use disk::FaultDisk;
    use journal::{MemoryView, View};

    use super::*;
    use crate::entry::{Copy, Progress, State};
    use crate::routed::{NextHop, Origin, Route};

    const RECIPIENTS_OF_ALL: u32 = 1_000;

    fn store() -> SpoolStore {
        let bodies = BodyDir::new(Arc::new(FaultDisk::new()), PathBuf::from("/bodies"));
        let view = Arc::new(MemoryView::new(&TABLES));
        SpoolStore::new(Arc::default(), bodies, view, 3, Duration::from_secs(60))
    }

    fn copy(number: u32) -> Arc<Copy> {
        let address = address::Address::parse(&format!("{number}@example.org")).unwrap();
        let route = Route::new(Recipient::new(address), NextHop::Unrouted);
        Copy::new(route, Timestamp::UNIX_EPOCH).into()
    }

    fn entry() -> Entry {
        Entry {
            queue_id: QueueId::from_u64(7),
            origin: Origin {
                role: "mx".into(),
                session: None,
                peer: "".into(),
                helo: "".into(),
                account: None,
                tls: false,
                arrival: Timestamp::UNIX_EPOCH,
            },
            reverse_path: ReversePath::Null,
            params: MailParams::default(),
            bytes: 1,
            message_id: None,
            body: Stored::File,
            recipients: (0..RECIPIENTS_OF_ALL).map(copy).collect(),
            held: None,
            strikes: 0,
        }
    }

    fn delivered(index: u32) -> (u32, Progress) {
        (index, Progress { state: State::Delivered, ..copy(index).progress.clone() })
    }

    fn progressed(indexes: impl Iterator<Item = u32>) -> What {
        let changed = indexes.map(delivered).collect();
        What::Progressed(Progressed { changed, added_at: RECIPIENTS_OF_ALL, added: Vec::new() })
    }

    /// The batch of a frame with this one record, which `view` takes.
    fn applied(store: &mut SpoolStore, view: &MemoryView, lsn: u64, what: What) -> ViewBatch {
        let mut batch = ViewBatch::new();
        let said = Said { queue_id: QueueId::from_u64(7), what, notes: Vec::new() };
        store.apply_said(Lsn(lsn), &said, &mut batch);
        store.publish();
        view.apply(Lsn(lsn), batch.clone()).unwrap();
        batch
    }

    #[test]
    fn an_outcome_costs_a_row_and_not_the_whole_message() {
        let (mut store, view) = (store(), MemoryView::new(&TABLES));
        let first = applied(&mut store, &view, 1, What::Message(Box::new(entry())));
        assert_eq!(first.len() as u32, 1 + RECIPIENTS_OF_ALL);
        assert_eq!(applied(&mut store, &view, 2, progressed([5].into_iter())).len(), 1);
        assert_eq!(
            entries_load(&view).unwrap(),
            [(*store.queue.entry(QueueId::from_u64(7)).unwrap()).clone()]
        );
        applied(&mut store, &view, 3, progressed(0..RECIPIENTS_OF_ALL));
        assert!(view.scan(RECIPIENTS, KeyRange::all(), Order::Forward).unwrap().next().is_none());
        assert!(entries_load(&view).unwrap().is_empty());
    }

    #[test]
    fn messages_that_were_struck_together_come_back_apart() {
        let wait = Duration::from_secs(60);
        let mut waits: Vec<_> = (1_000..1_016).map(|id| spread(QueueId::from_u64(id), wait)).collect();
        assert!(waits.iter().all(|spread| (wait..=wait * 2).contains(spread)));
        waits.sort();
        assert!(waits.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_millis(500)), "{waits:?}");
    }

    #[test]
    fn recipients_that_are_as_before_are_the_same_in_memory() {
        let (mut store, view) = (store(), MemoryView::new(&TABLES));
        applied(&mut store, &view, 1, What::Message(Box::new(entry())));
        let before = store.queue.entry(QueueId::from_u64(7)).unwrap();
        applied(&mut store, &view, 2, progressed([5].into_iter()));
        let after = store.queue.entry(QueueId::from_u64(7)).unwrap();
        let pairs = before.recipients.iter().zip(&after.recipients).enumerate();
        let changed: Vec<_> =
            pairs.filter(|(_, (a, b))| !Arc::ptr_eq(a, b)).map(|(index, _)| index).collect();
        assert_eq!(changed, [5]);
    }
}
