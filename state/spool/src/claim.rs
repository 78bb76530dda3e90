//! A worker's claim on recipients.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use journal::SequencerHandle;

use crate::marks::Mark;
use crate::queue::{Ended, Queue};
use crate::queue_id::QueueId;
use crate::store::{Adjust, Command, SpoolStore};

/// A worker's claim on recipients of a message. In memory alone: after a crash all is unclaimed.
pub(crate) struct Claim {
    pub queue: Arc<Queue>,
    pub store: SequencerHandle<SpoolStore>,
    pub queue_id: QueueId,
    pub indexes: Vec<u32>,
    /// Says that an attempt is being made.
    pub mark: Option<Mark>,
    /// The message has a strike for this attempt, to be taken back when something comes of it.
    pub on_trial: bool,
    pub ended: Ended,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("queue_id", &self.queue_id).field("indexes", &self.indexes).finish()
    }
}

impl Claim {
    /// Ends the claim: what came of the attempt is durable.
    pub fn conclude(mut self) {
        self.ended = Ended::Concluded;
    }

    /// Queues a strike that carries the claim's successor, so that nobody gets the message before it is durable. A store
    /// that takes no more gives the recipients back to this claim.
    fn strike(&mut self) {
        let successor = Self {
            queue: self.queue.clone(),
            store: self.store.clone(),
            queue_id: self.queue_id,
            indexes: std::mem::take(&mut self.indexes),
            mark: self.mark.take(),
            on_trial: self.on_trial,
            ended: self.ended,
        };
        let adjust = Adjust::Strike(Box::new(successor), "a worker broke on it".to_owned());
        let command = Command::Adjust { queue_id: self.queue_id, adjust, now: Timestamp::now() };
        let refused = self.store.submit_detached(command);
        if let Err(Command::Adjust { adjust: Adjust::Strike(mut successor, _), .. }) = refused {
            self.indexes = std::mem::take(&mut successor.indexes);
        }
    }
}

impl Drop for Claim {
    /// Gives the recipients back, with a strike if a worker broke on the message.
    fn drop(&mut self) {
        if std::thread::panicking() && !self.indexes.is_empty() {
            self.strike();
        }
        if !self.indexes.is_empty() {
            self.queue.unclaim(self.queue_id, &self.indexes, self.ended);
        }
    }
}
