//! The thread that drives a store.

use std::sync::Arc;

use crate::Journal;
use crate::error::SequencerError;
use crate::store::Store;
use crate::view::View;

/// How a sequencer works.
#[derive(Debug, Clone)]
pub struct SequencerSettings {
    /// Names it in threads, logs and metrics: `spool`, `directory`, `mailstore`.
    pub name: &'static str,
    /// Bytes of commands that wait; further callers wait for room.
    pub queued_bytes_max: usize,
    /// Records of bulk work in one frame.
    pub bulk_records_max: usize,
}

impl SequencerSettings {
    /// The usual limits.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            queued_bytes_max: limits::SEQUENCER_QUEUED_BYTES_MAX,
            bulk_records_max: limits::BULK_RECORDS_MAX,
        }
    }
}

/// Owns the thread that drives a store. Dropping it stops the thread after what waits has been answered.
pub struct Sequencer<S: Store> {
    handle: SequencerHandle<S>,
}

impl<S: Store> Sequencer<S> {
    /// Loads the store from the view, replays what the view has not seen, and starts the thread.
    pub fn open(
        store: S,
        journal: Arc<dyn Journal>,
        view: Arc<dyn View>,
        settings: SequencerSettings,
    ) -> Result<Self, SequencerError> {
        let _ = (store, journal, view, settings);
        unimplemented!("open")
    }

    /// A handle to submit commands by.
    pub fn handle(&self) -> SequencerHandle<S> {
        self.handle.clone()
    }

    /// Answers what waits, makes the view durable, closes the journal.
    pub fn stop(self) -> Result<(), SequencerError> {
        unimplemented!("stop")
    }
}

/// Submits commands to a store. Cheap to clone.
pub struct SequencerHandle<S: Store> {
    queue: Arc<std::marker::PhantomData<fn() -> S>>,
}

impl<S: Store> Clone for SequencerHandle<S> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<S: Store> SequencerHandle<S> {
    /// Queues a command, waiting for room, and waits for its answer. A caller that goes away does not take its command
    /// back.
    pub async fn submit(&self, _command: S::Command) -> Result<S::Reply, SequencerError> {
        unimplemented!("submit")
    }

    /// The same for work that can wait: it goes behind what others submit, few records at a time. A bulk command stages
    /// at most `limits::BULK_RECORDS_MAX` records.
    pub async fn submit_bulk(&self, _command: S::Command) -> Result<S::Reply, SequencerError> {
        unimplemented!("submit_bulk")
    }

    /// [`SequencerHandle::submit`] for threads outside the runtime.
    pub fn submit_blocking(&self, _command: S::Command) -> Result<S::Reply, SequencerError> {
        unimplemented!("submit_blocking")
    }
}
