//! Taking responsibility for a message.

use journal::Synced;

use crate::queue_id::QueueId;

/// A message for which we are responsible: it is durable, and a `250` may be sent. Made by the spool alone, from the
/// proof of a sync (law 2).
#[derive(Debug)]
#[must_use = "the sender waits for the reply that this allows"]
pub struct Accepted {
    queue_id: QueueId,
}

impl Accepted {
    pub(crate) fn new(queue_id: QueueId, _proof: &Synced) -> Self {
        Self { queue_id }
    }

    /// The message.
    pub fn queue_id(&self) -> QueueId {
        self.queue_id
    }
}
