//! Taking responsibility for a message.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;
use disk::Body;
use journal::{Slot, Synced};

use crate::audit::{AuditEvent, AuditNote};
use crate::entry::{Copy, Entry, Packing, Stored};
use crate::error::SpoolError;
use crate::queue_id::QueueId;
use crate::routed::{Origin, Routed};
use crate::store::{BodyDir, Incoming, spool_note};

/// A message for which we are responsible: it is durable, and a `250` may be sent. Made by the spool alone, from the
/// proof of a sync (law 2).
#[derive(Debug)]
#[must_use = "the sender waits for the reply that this allows"]
pub struct Accepted {
    queue_id: QueueId,
}

impl Accepted {
    /// The record in `slot` says so, and it is synced.
    pub(crate) fn new(queue_id: QueueId, slot: Slot, proof: &Synced) -> Self {
        let _record = proof.place(slot);
        Self { queue_id }
    }

    /// The message.
    pub fn queue_id(&self) -> QueueId {
        self.queue_id
    }
}

/// Makes a message ready for the journal: its body packed, or durable in a file of its own. Blocks.
pub(crate) fn prepare(routed: Routed, bodies: &BodyDir) -> Result<Incoming, SpoolError> {
    let Routed { queue_id, origin, envelope, body, routes, hold, notes } = routed;
    if routes.is_empty() {
        return Err(SpoolError::NoRoute(queue_id));
    }
    let failed = |error: io::Error| SpoolError::Body { queue_id, error: Arc::new(error) };
    let message_id = message_id(&body).map_err(failed)?;
    let (stored, packed) = pack(&body, queue_id, bodies).map_err(failed)?;
    let entry = Entry {
        queue_id,
        reverse_path: envelope.reverse_path,
        params: envelope.params,
        bytes: body.len(),
        message_id,
        body: stored,
        recipients: routes.into_iter().map(|route| Copy::new(route, origin.arrival)).collect(),
        held: hold,
        strikes: 0,
        origin,
    };
    let notes = first_notes(&entry, notes);
    Ok(Incoming { entry, body: packed, notes })
}

/// What the audit says of a new message: how it came, what the hops before said, that it is ours now.
fn first_notes(entry: &Entry, said: Vec<AuditNote>) -> Vec<AuditNote> {
    let Origin { role, session, peer, helo, arrival, .. } = entry.origin.clone();
    let from = format!("from={} peer={peer} helo={helo} bytes={}", entry.reverse_path, entry.bytes);
    let mut notes = vec![AuditNote { time: arrival, role, session, event: AuditEvent::Received, text: from }];
    notes.extend(said);
    let to: Vec<_> = entry.recipients.iter().map(|copy| format!("<{}>", copy.route.address())).collect();
    notes.push(spool_note(arrival, AuditEvent::Accepted, format!("to={}", to.join(","))));
    notes.extend(entry.held.clone().map(|reason| spool_note(arrival, AuditEvent::Held, reason)));
    notes
}

/// The `Message-ID` of a message, without its brackets.
fn message_id(body: &Body) -> io::Result<Option<CompactString>> {
    let start = header(body)?;
    let value = message::first_header(&start, b"message-id");
    let id = value.as_deref().and_then(|value| message::message_ids(value).first().copied());
    Ok(id.map(|id| String::from_utf8_lossy(id).into()))
}

/// The header of a message, its blank line included, as far as `limits::HEADER_BYTES_MAX`.
pub(crate) fn header(body: &Body) -> io::Result<Bytes> {
    let start = body.read_at(0, limits::HEADER_BYTES_MAX)?;
    let end = memchr::memmem::find(&start, b"\r\n\r\n").map_or(start.len(), |blank| blank + 4);
    Ok(start.slice(..end))
}

/// A body as it goes into the journal; a large one goes into a file, which is durable when this returns.
pub(crate) fn pack(body: &Body, queue_id: QueueId, bodies: &BodyDir) -> io::Result<(Stored, Option<Bytes>)> {
    if body.len() > limits::BODY_MEMORY_BYTES_MAX as u64 {
        body.save(&*bodies.disk, &bodies.path(queue_id))?;
        return Ok((Stored::File, None));
    }
    let plain = body.read_all()?;
    let packed = lz4_flex::compress(&plain);
    if packed.len() < plain.len() {
        return Ok((Stored::Journal(Packing::Lz4, None), Some(packed.into())));
    }
    Ok((Stored::Journal(Packing::Plain, None), Some(plain)))
}

/// The opposite of [`pack`], for what stands in the journal.
pub(crate) fn unpack(packing: Packing, stored: Bytes, bytes: u64) -> Option<Bytes> {
    match packing {
        Packing::Plain => Some(stored),
        Packing::Lz4 => lz4_flex::decompress(&stored, usize::try_from(bytes).ok()?).ok().map(Bytes::from),
    }
}
