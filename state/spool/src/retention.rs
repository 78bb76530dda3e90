//! The audit of a message is kept for a while after the message is gone, then forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use journal::{KeyRange, Order, SequencerHandle, View};

use crate::codec::note_decode;
use crate::error::SpoolError;
use crate::queue::Queue;
use crate::queue_id::QueueId;
use crate::record::{Forgotten, NotePlace};
use crate::store::{AUDIT, Command, MESSAGE_ID_OF, SpoolStore, audit_key_parse};

/// Forgets what is old.
pub(crate) struct Retention {
    pub queue: Arc<Queue>,
    pub store: SequencerHandle<SpoolStore>,
    pub view: Arc<dyn View>,
    pub keep: Duration,
}

/// The audit of one message, as far as it was read.
struct Audited {
    queue_id: QueueId,
    notes: Vec<NotePlace>,
    last: Timestamp,
}

impl Retention {
    /// Forgets the audit of the messages that are gone and of which nothing was noted since `keep` before `now`; how many
    /// these were. The newest message stays known, so that its queue id is not given again. Blocks.
    pub fn forget(&self, now: Timestamp) -> Result<u64, SpoolError> {
        let before = now.checked_sub(self.keep).unwrap_or(Timestamp::MIN);
        let newest = self.newest()?;
        let (mut forgotten, mut count) = (Vec::new(), 0);
        for audited in self.audited(QueueId::first_of(before))? {
            let audited = audited?;
            let is_kept = Some(audited.queue_id) == newest || self.queue.entry(audited.queue_id).is_some();
            if is_kept || audited.last >= before {
                continue;
            }
            forgotten.push(self.forgotten(audited)?);
            count += 1;
            if forgotten.len() >= limits::BULK_RECORDS_MAX {
                self.store.submit_blocking(Command::Forget(std::mem::take(&mut forgotten)))?;
            }
        }
        if !forgotten.is_empty() {
            self.store.submit_blocking(Command::Forget(forgotten))?;
        }
        Ok(count)
    }

    fn newest(&self) -> Result<Option<QueueId>, SpoolError> {
        let last = self.view.scan(AUDIT, KeyRange::all(), Order::Reverse)?.next().transpose()?;
        Ok(last.and_then(|(key, _)| audit_key_parse(&key)).map(|(queue_id, _)| queue_id))
    }

    fn forgotten(&self, audited: Audited) -> Result<Forgotten, SpoolError> {
        let Audited { queue_id, notes, .. } = audited;
        let message_id = self.view.get(MESSAGE_ID_OF, &queue_id.key())?;
        let message_id = message_id.map(|id| String::from_utf8_lossy(&id).into());
        Ok(Forgotten { queue_id, message_id, notes })
    }

    /// The audits of the messages that came before `end`, oldest first.
    fn audited(&self, end: QueueId) -> Result<impl Iterator<Item = Result<Audited, SpoolError>>, SpoolError> {
        let range = KeyRange::between(&QueueId::from_u64(0).key(), &end.key());
        let rows = self.view.scan(AUDIT, range, Order::Forward)?;
        let mut notes = rows.map(|row| note_read(row?)).peekable();
        Ok(std::iter::from_fn(move || {
            let mut audited = match notes.next()? {
                Ok(audited) => audited,
                Err(error) => return Some(Err(error)),
            };
            let queue_id = audited.queue_id;
            let is_its =
                |note: &Result<Audited, _>| note.as_ref().is_ok_and(|note| note.queue_id == queue_id);
            while let Some(Ok(note)) = notes.next_if(is_its) {
                audited.last = audited.last.max(note.last);
                audited.notes.extend(note.notes);
            }
            Some(Ok(audited))
        }))
    }
}

fn note_read((key, value): journal::Row) -> Result<Audited, SpoolError> {
    let invalid = || journal::StoreError::from(journal::DecodeError::Invalid("key of an audit note"));
    let (queue_id, place) = audit_key_parse(&key).ok_or_else(invalid)?;
    let note = note_decode(&value).map_err(journal::StoreError::from)?;
    Ok(Audited { queue_id, notes: vec![place], last: note.time })
}
