//! A worker's claim on recipients.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use journal::SequencerHandle;

use crate::queue::Queue;
use crate::queue_id::QueueId;
use crate::store::{Adjust, Command, SpoolStore};

/// A worker's claim on recipients of a message. In memory alone: after a crash all is unclaimed.
pub(crate) struct Claim {
    pub queue: Arc<Queue>,
    pub store: SequencerHandle<SpoolStore>,
    pub queue_id: QueueId,
    pub indexes: Vec<u32>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("queue_id", &self.queue_id).field("indexes", &self.indexes).finish()
    }
}

impl Drop for Claim {
    /// Gives the recipients back. If a worker broke on the message, the strike is queued first, with the claim's
    /// successor, so that nobody gets the message in between.
    fn drop(&mut self) {
        if std::thread::panicking() && !self.indexes.is_empty() {
            let indexes = std::mem::take(&mut self.indexes);
            let claim = Self {
                queue: self.queue.clone(),
                store: self.store.clone(),
                queue_id: self.queue_id,
                indexes,
            };
            let adjust = Adjust::Strike(Box::new(claim));
            let now = Timestamp::now();
            self.store.submit_detached(Command::Adjust { queue_id: self.queue_id, adjust, now });
        } else if !self.indexes.is_empty() {
            self.queue.unclaim(self.queue_id, &self.indexes);
        }
    }
}
