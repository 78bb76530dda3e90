//! The thread that drives a store.

mod handle;
mod queue;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::Journal;
use crate::error::{JournalError, SequencerError};
use crate::lsn::Lsn;
use crate::read::Frame;
use crate::record::Class;
use crate::store::Store;
use crate::view::{View, ViewBatch};
pub use handle::SequencerHandle;
use queue::Queue;
use worker::Worker;

/// How a sequencer works.
#[derive(Debug, Clone)]
pub struct SequencerSettings {
    /// Names it in threads, logs and metrics: `spool`, `directory`, `mailstore`.
    pub name: &'static str,
    /// Bytes of commands that wait; further callers wait for room.
    pub queued_bytes_max: usize,
    /// Bytes of records in one frame after which it takes no further command; what waits comes in the next.
    pub frame_bytes_max: usize,
    /// Bytes that one command may hold or stage, by its weight; a heavier one is refused.
    pub command_bytes_max: usize,
    /// Records of bulk work in one frame.
    pub bulk_records_max: usize,
    /// Bytes of bulk work in one frame after which it takes no further bulk command.
    pub bulk_bytes_max: usize,
}

impl SequencerSettings {
    /// The usual limits.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            queued_bytes_max: limits::SEQUENCER_QUEUED_BYTES_MAX,
            frame_bytes_max: limits::SEQUENCER_FRAME_BYTES_MAX,
            command_bytes_max: limits::SEQUENCER_COMMAND_BYTES_MAX,
            bulk_records_max: limits::BULK_RECORDS_MAX,
            bulk_bytes_max: limits::BULK_BYTES_MAX,
        }
    }
}

/// Owns the thread that drives a store. Dropping it stops the thread after what waits has been answered.
pub struct Sequencer<S: Store> {
    handle: SequencerHandle<S>,
    driver: Option<Driver>,
}

/// What runs a store.
enum Driver {
    Thread(JoinHandle<()>),
    /// Nothing: its state is damaged and it takes no commands. Its journal stays owned until the end.
    Damaged(Arc<dyn Journal>),
}

impl<S: Store> Sequencer<S> {
    /// Loads the store from the view, replays what the view has not seen, and starts the thread.
    ///
    /// If state is damaged, the store opens with what stands before the damage and has [ended](SequencerHandle::ended)
    /// from the start: it shows what it has, and takes no command until an operator has decided.
    pub fn open(
        mut store: S,
        journal: Arc<dyn Journal>,
        view: Arc<dyn View>,
        settings: SequencerSettings,
    ) -> Result<Self, SequencerError> {
        view_check(&*journal, &*view, settings.name)?;
        store.load(&*view)?;
        replay(&mut store, &*journal, &*view, settings.name)?;
        let queue = Arc::new(Queue::new(&settings));
        let handle = SequencerHandle::new(queue.clone(), journal.clone());
        let damage = journal.damage().into_iter().find(|damage| damage.class == Class::State);
        let driver = match damage {
            Some(damage) => {
                queue.fail(JournalError::Damaged(damage).into());
                Driver::Damaged(journal)
            }
            None => {
                let epoch = journal.epoch();
                Driver::Thread(Worker { store, epoch, journal, view, queue, settings }.spawn()?)
            }
        };
        Ok(Self { handle, driver: Some(driver) })
    }

    /// A handle to submit commands by.
    pub fn handle(&self) -> SequencerHandle<S> {
        self.handle.clone()
    }

    /// Answers what waits, makes the view durable, closes the journal. Commands are refused from now on. A store that was
    /// damaged from the start has nothing to lose here and ends well.
    pub fn stop(mut self) -> Result<(), SequencerError> {
        self.join();
        match self.handle.queue().end() {
            SequencerError::Stopped => Ok(()),
            error if error.is_damage() => Ok(()),
            error => Err(error),
        }
    }

    fn join(&mut self) {
        self.handle.queue().stop();
        match self.driver.take() {
            // A panic has been reported where it happened, and ended the queue.
            Some(Driver::Thread(thread)) => drop(thread.join()),
            // A read-only journal writes no mark at its end, so that nothing can fail.
            Some(Driver::Damaged(journal)) => drop(journal.close()),
            None => {}
        }
    }
}

impl<S: Store> Drop for Sequencer<S> {
    fn drop(&mut self) {
        self.join();
    }
}

/// A view that has seen more than the journal holds is of another journal, and is made again.
fn view_check(journal: &dyn Journal, view: &dyn View, name: &'static str) -> Result<(), SequencerError> {
    if view.applied_lsn() < journal.lsn_next() || !journal.damage().is_empty() {
        return Ok(());
    }
    tracing::warn!(store = name, "the view is ahead of its journal and is made again");
    Ok(view.clear()?)
}

fn replay<S: Store>(
    store: &mut S,
    journal: &dyn Journal,
    view: &dyn View,
    name: &'static str,
) -> Result<(), SequencerError> {
    let from = view.applied_lsn().next();
    for frame in journal.read(from)? {
        match frame {
            Ok(frame) => replay_frame(store, view, &frame, from)?,
            Err(JournalError::Damaged(damage)) => {
                tracing::error!(store = name, %damage, "replay ends at a damage; the store is read-only");
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    store.publish();
    Ok(())
}

fn replay_frame<S: Store>(
    store: &mut S,
    view: &dyn View,
    frame: &Frame,
    from: Lsn,
) -> Result<(), SequencerError> {
    let mut batch = ViewBatch::new();
    for stored in frame.records.iter().filter(|stored| stored.lsn() >= from) {
        store.apply(stored.lsn(), &stored.record, &stored.place, &mut batch)?;
    }
    Ok(view.apply(Lsn(frame.lsn_next().0 - 1), batch)?)
}
