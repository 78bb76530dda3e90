//! What compaction needs to know: which things records speak of, what of a record is still needed, and how a thing is
//! said anew.

use journal::{
    Encoder, KeyRange, Needed, Order, Record, Restating, Staged, Stated, StoreError, ViewError, ViewRead,
};

use crate::codec::{entry_decode, note_decode};
use crate::entry::{Entry, Stored};
use crate::queue_id::QueueId;
use crate::record::{BODY, Forgotten, NotePlace, Noted, Said, Statement, What};
use crate::store::{AUDIT, MESSAGE_ID_OF, MESSAGES, audit_key, audit_key_parse};

/// Bytes of audit notes in one record, about.
const NOTED_BYTES_MAX: usize = 64 * 1024;

/// A thing that records speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A message in the queue, with its body.
    Message(QueueId),
    /// The audit notes of a message, and its `Message-ID`; they outlive it.
    Audit(QueueId),
}

impl journal::Key for Key {
    fn encode(&self, encoder: &mut Encoder) {
        let (tag, queue_id) = match self {
            Self::Message(queue_id) => (1, queue_id),
            Self::Audit(queue_id) => (2, queue_id),
        };
        encoder.byte(tag);
        encoder.uint(queue_id.as_u64());
    }
}

impl Statement {
    fn keys(&self) -> Vec<Key> {
        match self {
            Self::Noted(Noted { queue_id, .. }) | Self::Forgotten(Forgotten { queue_id, .. }) => {
                vec![Key::Audit(*queue_id)]
            }
            Self::Said(said) => {
                let mut keys = vec![Key::Message(said.queue_id)];
                keys.extend(said.speaks_of_audit().then_some(Key::Audit(said.queue_id)));
                keys
            }
        }
    }
}

impl Said {
    fn speaks_of_audit(&self) -> bool {
        let names_id = matches!(&self.what, What::Message(entry) if entry.message_id.is_some());
        names_id || !self.notes.is_empty()
    }
}

fn statement(record: &Record) -> Result<Statement, StoreError> {
    Statement::decode(record)?.ok_or(StoreError::Kind(record.kind))
}

pub(crate) fn keys(record: &Record) -> Result<Vec<Key>, StoreError> {
    Ok(statement(record)?.keys())
}

/// What would be written again of a record, about: the state of a message that is still in the queue, and notes that are
/// not forgotten.
pub(crate) fn needed(view: &dyn ViewRead, stated: &Stated<'_>) -> Result<Needed, StoreError> {
    let bytes = stated.record.bytes.len() as u64;
    Ok(match statement(stated.record)? {
        Statement::Forgotten(_) => Needed { is_removed: true, ..Needed::default() },
        Statement::Noted(noted) => {
            let is_kept = is_kept(view, &noted)?;
            Needed { state_bytes: if is_kept { bytes } else { 0 }, data: false, is_removed: !is_kept }
        }
        Statement::Said(said) => {
            let row = view.get(MESSAGES, &said.queue_id.key())?;
            let entry = row.map(|row| entry_decode(said.queue_id, &row)).transpose()?;
            let data =
                entry.as_ref().is_some_and(|entry| stated.data.is_some() && place(entry) == stated.data);
            let note = audit_key(said.queue_id, NotePlace { lsn: stated.place.lsn, number: 0 });
            let is_noted = view.get(AUDIT, &note)?.is_some();
            let state_bytes = if entry.is_some() || is_noted { bytes } else { 0 };
            Needed { state_bytes, data, is_removed: entry.is_none() }
        }
    })
}

fn is_kept(view: &dyn ViewRead, noted: &Noted) -> Result<bool, ViewError> {
    match noted.notes.first() {
        Some((place, _)) => Ok(view.get(AUDIT, &audit_key(noted.queue_id, *place))?.is_some()),
        None => Ok(view.get(MESSAGE_ID_OF, &noted.queue_id.key())?.is_some()),
    }
}

/// Where a message's body stands in the journal.
fn place(entry: &Entry) -> Option<journal::Place> {
    if let Stored::Journal(_, place) = entry.body { place } else { None }
}

/// Says what a message in the queue is now, or that it is gone. Its body goes along if it came along; else it stands
/// in another segment, and its place is said.
pub(crate) fn message_restate(
    entry: Option<&Entry>,
    queue_id: QueueId,
    restating: &Restating<Key>,
    staged: &mut Staged,
) {
    let key = Key::Message(queue_id);
    let say = |what| Statement::Said(Said { queue_id, what, notes: Vec::new() }).record();
    let Some(mut entry) = entry.cloned() else {
        if restating.held_before(&key) {
            staged.push(say(What::Deleted));
        }
        return;
    };
    if let Stored::Journal(packing, Some(place)) = entry.body
        && let Some(body) = restating.carried(&key, &place)
    {
        staged.push(Record::body(BODY, body.bytes.clone()));
        entry.body = Stored::Journal(packing, None);
    }
    staged.push(say(What::Message(Box::new(entry))));
}

/// Says the audit notes of a message anew, or that they are forgotten.
pub(crate) fn audit_restate(
    view: &dyn ViewRead,
    queue_id: QueueId,
    restating: &Restating<Key>,
    staged: &mut Staged,
) -> Result<(), StoreError> {
    let noted = noted_read(view, queue_id)?;
    if noted.notes.is_empty() && noted.message_id.is_none() {
        if restating.held_before(&Key::Audit(queue_id)) {
            let gone = Forgotten { queue_id, message_id: None, notes: Vec::new() };
            staged.push(Statement::Forgotten(gone).record());
        }
        return Ok(());
    }
    for noted in noted.parts() {
        staged.push(Statement::Noted(noted).record());
    }
    Ok(())
}

/// The audit notes of a message and its `Message-ID`, as the view has them.
pub(crate) fn noted_read(view: &dyn ViewRead, queue_id: QueueId) -> Result<Noted, StoreError> {
    let mut notes = Vec::new();
    for row in view.scan(AUDIT, KeyRange::prefix(&queue_id.key()), Order::Forward)? {
        let (key, value) = row?;
        let (_, place) =
            audit_key_parse(&key).ok_or(journal::DecodeError::Invalid("key of an audit note"))?;
        notes.push((place, note_decode(&value)?));
    }
    let message_id = view.get(MESSAGE_ID_OF, &queue_id.key())?;
    let message_id = message_id.map(|id| String::from_utf8_lossy(&id).into());
    Ok(Noted { queue_id, message_id, notes })
}

impl Noted {
    /// The same in records of bounded size; one at least.
    fn parts(self) -> Vec<Self> {
        let Self { queue_id, message_id, notes } = self;
        let part = |notes| Self { queue_id, message_id: message_id.clone(), notes };
        let (mut parts, mut some, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (place, note) in notes {
            if bytes > NOTED_BYTES_MAX {
                parts.push(part(std::mem::take(&mut some)));
                bytes = 0;
            }
            bytes += note.text.len();
            some.push((place, note));
        }
        parts.push(part(some));
        parts
    }

    /// What says that all of them are over.
    pub fn forgotten(&self) -> Forgotten {
        let notes = self.notes.iter().map(|(place, _)| *place).collect();
        Forgotten { queue_id: self.queue_id, message_id: self.message_id.clone(), notes }
    }
}
