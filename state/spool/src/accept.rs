//! Taking responsibility for a message.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;
use disk::Body;
use journal::{Slot, Synced};

use crate::audit::{AuditEvent, AuditNote};
use crate::bodies::BodyDir;
use crate::entry::{Copy, Entry};
use crate::error::SpoolError;
use crate::queue_id::QueueId;
use crate::routed::{Origin, Routed};
use crate::store::{Incoming, spool_note};

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
    let packed = bodies.pack(&body, queue_id).map_err(failed)?;
    let to: Vec<_> = envelope.recipients.iter().map(|to| format!("<{}>", to.address)).collect();
    let entry = Entry {
        queue_id,
        reverse_path: envelope.reverse_path,
        params: envelope.params,
        bytes: body.len(),
        message_id,
        body: packed.stored(),
        recipients: routes.into_iter().map(|route| Copy::new(route, origin.arrival).into()).collect(),
        held: hold,
        strikes: 0,
        origin,
    };
    let notes = first_notes(&entry, &to.join(","), notes);
    Ok(Incoming { entry, body: packed, notes })
}

/// What the audit says of a new message: how it came, what the hops before said, that it is ours now.
fn first_notes(entry: &Entry, to: &str, said: Vec<AuditNote>) -> Vec<AuditNote> {
    let Origin { role, session, arrival, .. } = entry.origin.clone();
    let own = |event, text| AuditNote { session: session.clone(), ..spool_note(arrival, event, text) };
    let received = AuditNote { role, ..own(AuditEvent::Received, received(entry, to)) };
    let copies = entry.recipients.len();
    let accepted = own(AuditEvent::Accepted, format!("copies={copies}, on disk"));
    let held = entry.held.clone().map(|reason| own(AuditEvent::Held, reason));
    std::iter::once(received).chain(said).chain([accepted]).chain(held).collect()
}

/// All that is known of how a message came, in one line.
fn received(entry: &Entry, to: &str) -> String {
    let Origin { peer, helo, account, tls, .. } = &entry.origin;
    let account = account.as_ref().map(|account| format!(" account={account}")).unwrap_or_default();
    let message_id = entry.message_id.as_ref().map(|id| format!(" message-id=<{id}>")).unwrap_or_default();
    let tls = if *tls { "yes" } else { "no" };
    format!(
        "from={} to={to} peer={peer} helo={helo} tls={tls}{account} bytes={}{message_id}",
        entry.reverse_path, entry.bytes
    )
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
