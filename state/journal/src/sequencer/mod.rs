//! The thread that drives a store.

mod handle;
mod queue;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Journal;
use crate::error::{Damage, JournalError, SequencerError};
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
    /// How long lazy commands wait for a frame that goes anyway.
    pub lazy_time_max: Duration,
    /// Lazy commands that wait no more: so many deserve a frame of their own.
    pub lazy_commands_max: usize,
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
            lazy_time_max: limits::SEQUENCER_LAZY_TIME_MAX,
            lazy_commands_max: limits::SEQUENCER_LAZY_COMMANDS_MAX,
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
        let found = match view_check(&*journal, &*view, settings.name)? {
            None => {
                store.load(&*view)?;
                replay(&mut store, &*journal, &*view, settings.name)?
            }
            damage => {
                store.load(&*view)?;
                damage
            }
        };
        store.publish();
        let queue = Arc::new(Queue::new(&settings));
        let handle = SequencerHandle::new(queue.clone(), journal.clone());
        let is_state = |damage: &Damage| damage.class == Class::State;
        let known = journal.damage().into_iter().find(is_state);
        if let (None, Some(damage)) = (&known, &found) {
            journal.damage_found(damage.clone());
        }
        let damage = known.or(found);
        let driver = match damage {
            Some(damage) => {
                queue.fail(JournalError::Damaged(damage).into());
                Driver::Damaged(journal)
            }
            None => {
                view.settle()?;
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

/// A view that has seen more than the journal holds is of another journal; one that has seen less than was compacted may
/// hold what is gone: both are made again, unless that would lose what damage has made unreadable. Gives that damage.
fn view_check(
    journal: &dyn Journal,
    view: &dyn View,
    name: &'static str,
) -> Result<Option<Damage>, SequencerError> {
    let applied = view.applied_lsn();
    let is_fit = applied < journal.lsn_next() && !journal.lags(applied);
    if is_fit || !journal.damage().is_empty() {
        return Ok(None);
    }
    let damage = damage_first(journal)?;
    match &damage {
        Some(damage) => {
            tracing::error!(store = name, %damage, "the view cannot be made again; the store is read-only")
        }
        None => {
            tracing::warn!(store = name, %applied, "the view does not fit its journal and is made again");
            view.clear()?;
        }
    }
    Ok(damage)
}

/// The first damage at which a replay from nothing would end.
fn damage_first(journal: &dyn Journal) -> Result<Option<Damage>, SequencerError> {
    match journal.read(Lsn::FIRST)?.find_map(Result::err) {
        None => Ok(None),
        Some(JournalError::Damaged(damage)) => Ok(Some(damage)),
        Some(error) => Err(error.into()),
    }
}

/// Shows the view and the store what they have not seen. Gives the damage at which that ended.
fn replay<S: Store>(
    store: &mut S,
    journal: &dyn Journal,
    view: &dyn View,
    name: &'static str,
) -> Result<Option<Damage>, SequencerError> {
    let from = view.applied_lsn().next();
    let frames = match journal.read(from) {
        // What the view has is all that there is to show.
        Err(JournalError::Compacted(_) | JournalError::Trimmed(_)) if !journal.damage().is_empty() => {
            return Ok(None);
        }
        frames => frames?,
    };
    for frame in frames {
        match frame {
            Ok(frame) => replay_frame(store, view, &frame, from)?,
            Err(JournalError::Damaged(damage)) => {
                tracing::error!(store = name, %damage, "replay ends at a damage; the store is read-only");
                return Ok(Some(damage));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
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
