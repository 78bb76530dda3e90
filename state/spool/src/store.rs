//! The state behind the spool's journal: commands, records, rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use journal::{
    KeyRange, Lsn, Order, Place, Record, Slot, Staged, Store, StoreError, Synced, Table, ViewBatch, ViewRead,
};

use crate::accept::Accepted;
use crate::audit::{AuditEvent, AuditNote};
use crate::bodies::{BodyDir, Packed};
use crate::claim::Claim;
use crate::codec::{entry_decode, entry_encode, note_encode, said_decode, said_encode};
use crate::entry::{Entry, Stored, later};
use crate::outcome::Completed;
use crate::queue::Queue;
use crate::queue_id::QueueId;
use crate::record::{Adjusted, BODY, Progressed, Said, What};

/// Messages by queue id.
pub(crate) const MESSAGES: Table = Table("message");
/// Audit notes by queue id, record and number; they outlive their message.
pub(crate) const AUDIT: Table = Table("audit");
/// Queue ids by the `Message-ID` field, a zero byte between.
pub(crate) const MESSAGE_IDS: Table = Table("message_id");
/// The `Message-ID` field by queue id; outlives the message.
pub(crate) const MESSAGE_ID_OF: Table = Table("message_id_of");
pub(crate) const TABLES: [Table; 4] = [MESSAGES, AUDIT, MESSAGE_IDS, MESSAGE_ID_OF];

/// Bytes of a `Message-ID` that count for finding it.
const MESSAGE_ID_BYTES_MAX: usize = 500;
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
    Complete { claim: Box<Claim>, progressed: Progressed, notes: Vec<AuditNote>, reports: Vec<Incoming> },
    Adjust { queue_id: QueueId, adjust: Adjust, now: Timestamp },
    Delete { queue_id: QueueId, now: Timestamp },
}

pub(crate) enum Adjust {
    Hold(String),
    Retry,
    /// A worker broke, or could not say what came of it; its claim ends when the strike is durable.
    Strike(Box<Claim>, String),
}

/// What `release` needs.
pub(crate) enum Pending {
    Accepted(QueueId, Slot),
    Completed(Completed, Box<Claim>),
    Done(Option<Box<Claim>>),
    Taken(QueueId),
    NotFound(QueueId),
}

pub(crate) enum Reply {
    Accepted(Accepted),
    Completed(Completed),
    Done,
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
}

impl SpoolStore {
    pub fn new(queue: Arc<Queue>, bodies: BodyDir, strikes_max: u32, back_off: Duration) -> Self {
        Self {
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

    /// The message as the commands before this one leave it.
    fn entry_staged(&self, queue_id: QueueId) -> Option<Arc<Entry>> {
        self.staged.get(&queue_id).cloned().unwrap_or_else(|| self.queue.entry(queue_id))
    }

    /// The message as the records before this one leave it.
    fn entry_applied(&self, queue_id: QueueId) -> Option<Arc<Entry>> {
        self.applied.get(&queue_id).cloned().unwrap_or_else(|| self.queue.entry(queue_id))
    }

    /// Stages a record; whether anything is left of the message then.
    fn say(&mut self, said: &Said, staged: &mut Staged) -> (Slot, bool) {
        let entry = said.what.apply(self.entry_staged(said.queue_id).map(unshare)).map(Arc::new);
        let left = entry.is_some();
        self.staged.insert(said.queue_id, entry);
        (staged.push(Record::state(said.what.kind(), said_encode(said))), left)
    }

    fn accept(&mut self, incoming: Incoming, staged: &mut Staged) -> Pending {
        let queue_id = incoming.entry.queue_id;
        if self.entry_staged(queue_id).is_some() {
            return Pending::Taken(queue_id);
        }
        match incoming.body {
            Packed::Record(_, body) => drop(staged.push(Record::body(BODY, body))),
            Packed::File(file) => file.claim(),
        }
        let what = What::Message(Box::new(incoming.entry));
        let (slot, _) = self.say(&Said { queue_id, what, notes: incoming.notes }, staged);
        Pending::Accepted(queue_id, slot)
    }

    fn complete(
        &mut self,
        claim: Box<Claim>,
        mut progressed: Progressed,
        mut notes: Vec<AuditNote>,
        reports: Vec<Incoming>,
        staged: &mut Staged,
    ) -> Pending {
        let queue_id = claim.queue_id;
        let Some(entry) = self.entry_staged(queue_id) else { return Pending::NotFound(queue_id) };
        progressed.added_at = entry.recipients.len() as u32;
        let what = What::Progressed(progressed);
        let finished = what.apply(Some((*entry).clone())).is_none();
        if finished {
            let last = notes.last();
            let time = last.map_or(entry.origin.arrival, |note| note.time);
            let session = last.and_then(|note| note.session.clone());
            let finished = spool_note(time, AuditEvent::Finished, "nothing is left to do".to_owned());
            notes.push(AuditNote { session, ..finished });
        }
        self.say(&Said { queue_id, what, notes }, staged);
        let ids = reports.iter().map(|report| report.entry.queue_id).collect();
        for report in reports {
            self.accept(report, staged);
        }
        Pending::Completed(Completed { finished, reports: ids }, claim)
    }

    fn adjust(&mut self, queue_id: QueueId, adjust: Adjust, now: Timestamp, staged: &mut Staged) -> Pending {
        let Some(entry) = self.entry_staged(queue_id) else { return Pending::NotFound(queue_id) };
        let (adjusted, note, claim) = match adjust {
            Adjust::Hold(reason) => {
                let note = operator_note(now, AuditEvent::Held, reason.clone());
                (Adjusted { held: Some(reason), strikes: entry.strikes, next: None }, note, None)
            }
            Adjust::Retry => {
                let note = operator_note(now, AuditEvent::Released, String::new());
                (Adjusted { held: None, strikes: 0, next: Some(now) }, note, None)
            }
            Adjust::Strike(claim, why) => {
                let (adjusted, note) = self.strike(&entry, &why, now);
                (adjusted, note, Some(claim))
            }
        };
        self.say(&Said { queue_id, what: What::Adjusted(adjusted), notes: vec![note] }, staged);
        Pending::Done(claim)
    }

    /// A worker did not come to an end with the message: it waits, and after too many times it is held (law 10).
    fn strike(&self, entry: &Entry, why: &str, now: Timestamp) -> (Adjusted, AuditNote) {
        let strikes = entry.strikes + 1;
        let text = format!("{why}, {strikes} of {}", self.strikes_max);
        let held = (strikes >= self.strikes_max).then(|| format!("{strikes} workers came to no end with it: {why}"));
        if let Some(reason) = &held {
            tracing::error!(queue_id = %entry.queue_id, reason, "message held");
        }
        let adjusted = Adjusted {
            held: held.or_else(|| entry.held.clone()),
            strikes,
            next: Some(later(now, self.back_off)),
        };
        (adjusted, spool_note(now, AuditEvent::Struck, text))
    }

    fn delete(&mut self, queue_id: QueueId, now: Timestamp, staged: &mut Staged) -> Pending {
        if self.entry_staged(queue_id).is_none() {
            return Pending::NotFound(queue_id);
        }
        let notes = vec![operator_note(now, AuditEvent::Deleted, String::new())];
        self.say(&Said { queue_id, what: What::Deleted, notes }, staged);
        Pending::Done(None)
    }

    /// The message record with the place of its body filled in.
    fn placed(&mut self, mut said: Said, lsn: Lsn) -> Result<Said, StoreError> {
        let body = self.body.take().filter(|place| place.lsn.next() == lsn);
        if let What::Message(entry) = &mut said.what
            && let Stored::Journal(_, place) = &mut entry.body
        {
            let unfit = || StoreError::Unfit { lsn, why: "its body is not before it".into() };
            *place = Some(body.ok_or_else(unfit)?);
        }
        Ok(said)
    }

    fn apply_said(&mut self, lsn: Lsn, said: &Said, batch: &mut ViewBatch) {
        let queue_id = said.queue_id;
        let before = self.entry_applied(queue_id);
        let had_file = before.as_ref().is_some_and(|entry| entry.body == Stored::File);
        let entry = said.what.apply(before.map(unshare)).map(Arc::new);
        match &entry {
            Some(entry) => batch.put(MESSAGES, queue_id.key().to_vec(), entry_encode(entry)),
            None => batch.remove(MESSAGES, queue_id.key().to_vec()),
        }
        if let (What::Message(_), Some(id)) = (&said.what, entry.as_ref().and_then(|e| e.message_id.as_ref()))
        {
            batch.put(MESSAGE_IDS, message_id_key(id, Some(queue_id)), Bytes::new());
            batch.put(MESSAGE_ID_OF, queue_id.key().to_vec(), id.as_bytes().to_vec());
        }
        for (number, note) in said.notes.iter().enumerate() {
            batch.put(AUDIT, audit_key(queue_id, lsn, number), note_encode(note));
        }
        if entry.is_none() && had_file {
            self.files_left.push(queue_id);
        }
        self.applied.insert(queue_id, entry);
    }
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

fn audit_key(queue_id: QueueId, lsn: Lsn, number: usize) -> Vec<u8> {
    [&queue_id.key()[..], &lsn.0.to_be_bytes(), &(number as u16).to_be_bytes()].concat()
}

/// The queue id and the record in the key of an audit note.
pub(crate) fn audit_key_parse(key: &[u8]) -> Option<(QueueId, Lsn)> {
    let queue_id = u64::from_be_bytes(key.get(..8)?.try_into().ok()?);
    let lsn = u64::from_be_bytes(key.get(8..16)?.try_into().ok()?);
    Some((QueueId::from_u64(queue_id), Lsn(lsn)))
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
    type Command = Command;
    type Pending = Pending;
    type Reply = Reply;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        let mut entries = Vec::new();
        for row in view.scan(MESSAGES, KeyRange::all(), Order::Forward)? {
            let (key, value) = row?;
            let key =
                key.as_ref().try_into().map_err(|_| journal::DecodeError::Invalid("key of a message"))?;
            let queue_id = QueueId::from_u64(u64::from_be_bytes(key));
            entries.push((queue_id, Some(Arc::new(entry_decode(queue_id, &value)?))));
        }
        self.queue.publish(entries);
        Ok(())
    }

    fn weight(command: &Command) -> usize {
        let bytes = |incoming: &Incoming| {
            COMMAND_BYTES + incoming.body.memory_bytes() + incoming.entry.recipients.len() * 256
        };
        match command {
            Command::Accept(incoming) => bytes(incoming),
            Command::Complete { reports, .. } => COMMAND_BYTES + reports.iter().map(bytes).sum::<usize>(),
            Command::Adjust { .. } | Command::Delete { .. } => COMMAND_BYTES,
        }
    }

    fn stage(&mut self, command: Command, staged: &mut Staged) -> Pending {
        match command {
            Command::Accept(incoming) => self.accept(*incoming, staged),
            Command::Complete { claim, progressed, notes, reports } => {
                self.complete(claim, progressed, notes, reports, staged)
            }
            Command::Adjust { queue_id, adjust, now } => self.adjust(queue_id, adjust, now, staged),
            Command::Delete { queue_id, now } => self.delete(queue_id, now, staged),
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
        let said = said_decode(record.kind, &record.bytes)?.ok_or(StoreError::Kind(record.kind))?;
        let said = self.placed(said, lsn)?;
        self.apply_said(lsn, &said, batch);
        Ok(())
    }

    fn publish(&mut self) {
        self.staged.clear();
        self.queue.publish(self.applied.drain());
        for queue_id in self.files_left.drain(..) {
            // What cannot be removed now is swept at the next start.
            if let Err(error) = self.bodies.disk.remove(&self.bodies.path(queue_id)) {
                tracing::debug!(%queue_id, %error, "the body of a finished message stays behind");
            }
        }
    }

    fn release(&mut self, pending: Pending, synced: &Synced) -> Reply {
        match pending {
            Pending::Accepted(queue_id, slot) => Reply::Accepted(Accepted::new(queue_id, slot, synced)),
            Pending::Completed(completed, claim) => {
                drop(claim);
                Reply::Completed(completed)
            }
            Pending::Done(claim) => {
                drop(claim);
                Reply::Done
            }
            Pending::Taken(queue_id) => Reply::Taken(queue_id),
            Pending::NotFound(queue_id) => Reply::NotFound(queue_id),
        }
    }
}
