//! The handle by which all others use the queue.

use std::sync::Arc;

use disk::{Body, Disk};
use jiff::Timestamp;

use crate::accept::Accepted;
use crate::audit::TraceEvent;
use crate::due::Due;
use crate::error::SpoolError;
use crate::outcome::{Completed, Outcome};
use crate::queue_id::QueueId;
use crate::routed::Routed;
use crate::settings::SpoolSettings;
use crate::shown::{Shown, SpoolStat};

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Spool {}

impl Spool {
    /// Opens the queue in `settings.dir`, making it if there is none. Blocks until it is as the last process left it.
    pub fn open(settings: SpoolSettings, disk: Arc<dyn Disk>) -> Result<Self, SpoolError> {
        let _ = (settings, disk);
        unimplemented!("open")
    }

    /// A name for a message that is about to come in.
    pub fn queue_id_next(&self, now: Timestamp) -> QueueId {
        let _ = now;
        unimplemented!("queue_id_next")
    }

    /// Makes a message durable and takes responsibility for it.
    pub async fn accept(&self, routed: Routed) -> Result<Accepted, SpoolError> {
        let _ = routed;
        unimplemented!("accept")
    }

    /// Claims up to `max` copies that are due at `now`, oldest attempts first.
    pub fn due(&self, now: Timestamp, max: usize) -> Vec<Due> {
        let _ = (now, max);
        unimplemented!("due")
    }

    /// Waits until something may be due. Wakes for each new message, and by the clock.
    pub async fn wait_due(&self) {
        unimplemented!("wait_due")
    }

    /// The message's body.
    pub async fn body(&self, queue_id: QueueId) -> Result<Body, SpoolError> {
        let _ = queue_id;
        unimplemented!("body")
    }

    /// Makes durable what came of a copy, with the audit and the reports that follow from it. Recipients without an
    /// outcome are due again as if nothing had been tried.
    pub async fn complete(
        &self,
        due: Due,
        outcomes: Vec<Outcome>,
        now: Timestamp,
    ) -> Result<Completed, SpoolError> {
        let _ = (due, outcomes, now);
        unimplemented!("complete")
    }

    /// Keeps a message from being tried until it is released.
    pub async fn hold(&self, queue_id: QueueId, reason: &str, now: Timestamp) -> Result<(), SpoolError> {
        let _ = (queue_id, reason, now);
        unimplemented!("hold")
    }

    /// Lets a held message go on, forgives its strikes, and makes it due at once.
    pub async fn retry(&self, queue_id: QueueId, now: Timestamp) -> Result<(), SpoolError> {
        let _ = (queue_id, now);
        unimplemented!("retry")
    }

    /// Deletes a message; nobody is told.
    pub async fn delete(&self, queue_id: QueueId, now: Timestamp) -> Result<(), SpoolError> {
        let _ = (queue_id, now);
        unimplemented!("delete")
    }

    /// All messages in the queue, oldest first.
    pub fn list(&self) -> Vec<Shown> {
        unimplemented!("list")
    }

    /// One message.
    pub fn show(&self, queue_id: QueueId) -> Option<Shown> {
        let _ = queue_id;
        unimplemented!("show")
    }

    /// The way of a message, oldest step first; it outlives the message.
    pub fn trace(&self, queue_id: QueueId) -> Result<Vec<TraceEvent>, SpoolError> {
        let _ = queue_id;
        unimplemented!("trace")
    }

    /// The messages that had this `Message-ID` (with or without its angle brackets), oldest first.
    pub fn message_id_find(&self, message_id: &str) -> Result<Vec<QueueId>, SpoolError> {
        let _ = message_id;
        unimplemented!("message_id_find")
    }

    /// The queue in numbers.
    pub fn stat(&self) -> SpoolStat {
        unimplemented!("stat")
    }

    /// Ends in good order: what waits is answered, nothing more is taken. Other clones get errors.
    pub fn stop(&self) -> Result<(), SpoolError> {
        unimplemented!("stop")
    }
}
