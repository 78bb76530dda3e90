//! How callers reach a store.

use std::sync::Arc;
use std::time::Duration;

use super::queue::{Lane, Queue};
use crate::error::SequencerError;
use crate::restate::{Restated, Restating};
use crate::store::Store;
use crate::{Journal, Room};

/// Submits commands to a store. Cheap to clone.
pub struct SequencerHandle<S: Store> {
    queue: Arc<Queue<S>>,
    journal: Arc<dyn Journal>,
}

impl<S: Store> Clone for SequencerHandle<S> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), journal: self.journal.clone() }
    }
}

impl<S: Store> SequencerHandle<S> {
    pub(super) fn new(queue: Arc<Queue<S>>, journal: Arc<dyn Journal>) -> Self {
        Self { queue, journal }
    }

    pub(super) fn queue(&self) -> &Queue<S> {
        &self.queue
    }

    /// Queues a command, waiting for room, and waits for its answer. A caller that goes away does not take its command
    /// back.
    pub async fn submit(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send(command, Lane::Usual).await
    }

    /// The same for a small command that nobody waits for: it goes with the next frame of others, or alone after a few
    /// milliseconds, so that it costs no sync in front of one that somebody does wait for.
    pub async fn submit_lazy(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send(command, Lane::Lazy).await
    }

    /// The same for work that can wait: it goes behind what others submit, few records at a time. A bulk command stages
    /// at most `limits::BULK_RECORDS_MAX` records.
    pub async fn submit_bulk(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send(command, Lane::Bulk).await
    }

    /// [`SequencerHandle::submit`] for threads outside the runtime.
    pub fn submit_blocking(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send_blocking(command, Lane::Usual)
    }

    /// [`SequencerHandle::submit_bulk`] for threads outside the runtime.
    pub fn submit_bulk_blocking(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send_blocking(command, Lane::Bulk)
    }

    /// Queues a small command whose answer nobody waits for, from anywhere, also while a panic unwinds. Gives it back if
    /// the store takes no more.
    pub fn submit_detached(&self, command: S::Command) -> Result<(), S::Command> {
        self.queue.push(command, Lane::Usual, None).map(drop).map_err(|(command, _)| command)
    }

    /// [`SequencerHandle::submit_detached`] behind the bulk work that was submitted before.
    pub fn submit_bulk_detached(&self, command: S::Command) -> Result<(), S::Command> {
        self.queue.push(command, Lane::Bulk, None).map(drop).map_err(|(command, _)| command)
    }

    /// Has the store say keys anew in front of all else of a frame, so that nothing in flight is overlooked. For
    /// compaction, from its own thread.
    pub fn restate_blocking(&self, restating: Restating<S::Key>) -> Result<Restated, SequencerError> {
        let answer = self.queue.push_opening(restating)?;
        answer.blocking_recv().unwrap_or(Err(SequencerError::Panicked))
    }

    /// How long the frame that is in work has been so; none while it waits for commands. Seconds are a slow disk; minutes
    /// are a disk, or the engine of the view, that has stopped, and an operator should hear of it.
    pub fn busy_for(&self) -> Option<Duration> {
        self.queue.busy_for()
    }

    /// Whether commands that grow would be refused now, for callers that write files before they submit.
    pub fn room(&self) -> Room {
        self.journal.room()
    }

    /// What keeps the store from taking commands, if something does.
    pub fn failure(&self) -> Option<SequencerError> {
        self.queue.failure()
    }

    /// Waits until the store has ended for good, and says why: [`SequencerError::Stopped`] after an orderly end. At once
    /// if it has ended before; with [`SequencerError::is_damage`] it had ended when it was opened.
    pub async fn ended(&self) -> SequencerError {
        let mut ended = self.queue.ended();
        let error = ended.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        error.unwrap_or(SequencerError::Stopped)
    }

    fn send_blocking(&self, command: S::Command, lane: Lane) -> Result<S::Reply, SequencerError> {
        self.queue.weigh(S::weight(&command))?;
        let answer = self.queue.push(command, lane, None).map_err(|(_, error)| error)?;
        answer.blocking_recv().unwrap_or(Err(SequencerError::Panicked))
    }

    async fn send(&self, command: S::Command, lane: Lane) -> Result<S::Reply, SequencerError> {
        let weight = S::weight(&command);
        self.queue.weigh(weight)?;
        let room = self.queue.room(weight).await?;
        let answer = self.queue.push(command, lane, Some(room)).map_err(|(_, error)| error)?;
        // The thread answers whatever it takes, unless it panics.
        answer.await.unwrap_or(Err(SequencerError::Panicked))
    }
}
