//! The thread that drives a store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::error::{JournalError, SequencerError, StoreError};
use crate::lsn::{Epoch, Lsn};
use crate::read::Frame;
use crate::record::Class;
use crate::store::{Staged, Store};
use crate::view::{View, ViewBatch};
use crate::{Journal, Synced};

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
        let handle = SequencerHandle { queue: queue.clone() };
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
        match self.handle.queue.end() {
            SequencerError::Stopped => Ok(()),
            error if error.is_damage() => Ok(()),
            error => Err(error),
        }
    }

    fn join(&mut self) {
        self.handle.queue.stop();
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

/// Submits commands to a store. Cheap to clone.
pub struct SequencerHandle<S: Store> {
    queue: Arc<Queue<S>>,
}

impl<S: Store> Clone for SequencerHandle<S> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<S: Store> SequencerHandle<S> {
    /// Queues a command, waiting for room, and waits for its answer. A caller that goes away does not take its command
    /// back.
    pub async fn submit(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send(command, Lane::Usual).await
    }

    /// The same for work that can wait: it goes behind what others submit, few records at a time. A bulk command stages
    /// at most `limits::BULK_RECORDS_MAX` records.
    pub async fn submit_bulk(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.send(command, Lane::Bulk).await
    }

    /// [`SequencerHandle::submit`] for threads outside the runtime.
    pub fn submit_blocking(&self, command: S::Command) -> Result<S::Reply, SequencerError> {
        self.queue.weigh(S::weight(&command))?;
        let answer = self.queue.push(command, Lane::Usual, None).map_err(|(_, error)| error)?;
        answer.blocking_recv().unwrap_or(Err(SequencerError::Panicked))
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

    /// What keeps the store from taking commands, if something does.
    pub fn failure(&self) -> Option<SequencerError> {
        self.queue.lanes.lock().failure()
    }

    /// Waits until the store has ended for good, and says why: [`SequencerError::Stopped`] after an orderly end. At once
    /// if it has ended before; with [`SequencerError::is_damage`] it had ended when it was opened.
    pub async fn ended(&self) -> SequencerError {
        let mut ended = self.queue.ended.subscribe();
        let error = ended.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        error.unwrap_or(SequencerError::Stopped)
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

#[derive(Clone, Copy)]
enum Lane {
    Usual,
    Bulk,
}

type Answer<S> = oneshot::Sender<Result<<S as Store>::Reply, SequencerError>>;
type Answered<S> = oneshot::Receiver<Result<<S as Store>::Reply, SequencerError>>;

/// A command that waits, with the room that it takes until it is answered.
struct Waiting<S: Store> {
    command: S::Command,
    answer: Answer<S>,
    room: Option<OwnedSemaphorePermit>,
}

struct Queue<S: Store> {
    lanes: Mutex<Lanes<S>>,
    wake: Condvar,
    room: Arc<Semaphore>,
    room_bytes: usize,
    command_bytes_max: usize,
    /// Why it ended, once it has.
    ended: watch::Sender<Option<SequencerError>>,
    name: &'static str,
}

struct Lanes<S: Store> {
    usual: VecDeque<Waiting<S>>,
    bulk: VecDeque<Waiting<S>>,
    state: State,
}

enum State {
    Running,
    Stopping,
    Ended(SequencerError),
}

impl<S: Store> Lanes<S> {
    fn failure(&self) -> Option<SequencerError> {
        match &self.state {
            State::Running => None,
            State::Stopping => Some(SequencerError::Stopped),
            State::Ended(error) => Some(error.clone()),
        }
    }

    fn is_empty(&self) -> bool {
        self.usual.is_empty() && self.bulk.is_empty()
    }
}

impl<S: Store> Queue<S> {
    fn new(settings: &SequencerSettings) -> Self {
        let room_bytes = settings.queued_bytes_max.clamp(1, u32::MAX as usize);
        Self {
            lanes: Mutex::new(Lanes { usual: VecDeque::new(), bulk: VecDeque::new(), state: State::Running }),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
            command_bytes_max: settings.command_bytes_max,
            ended: watch::Sender::new(None),
            name: settings.name,
        }
    }

    /// Refuses a command that is too heavy, before anything is done for it.
    fn weigh(&self, bytes: usize) -> Result<(), SequencerError> {
        if bytes > self.command_bytes_max { Err(JournalError::TooLarge(bytes).into()) } else { Ok(()) }
    }

    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, SequencerError> {
        let bytes = bytes.clamp(1, self.room_bytes) as u32;
        self.room.clone().acquire_many_owned(bytes).await.map_err(|_| SequencerError::Stopped)
    }

    /// Queues a command, or gives it back with the reason.
    fn push(
        &self,
        command: S::Command,
        lane: Lane,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<Answered<S>, (S::Command, SequencerError)> {
        let (answer, answered) = oneshot::channel();
        let mut lanes = self.lanes.lock();
        if let Some(error) = lanes.failure() {
            return Err((command, error));
        }
        let lane = match lane {
            Lane::Usual => &mut lanes.usual,
            Lane::Bulk => &mut lanes.bulk,
        };
        lane.push_back(Waiting { command, answer, room });
        self.wake.notify_one();
        Ok(answered)
    }

    /// Waits until something waits, and counts what is in the usual lane; none once stopped and drained.
    fn wait(&self) -> Option<usize> {
        let mut lanes = self.lanes.lock();
        while lanes.is_empty() {
            if !matches!(lanes.state, State::Running) {
                return None;
            }
            self.wake.wait(&mut lanes);
        }
        Some(lanes.usual.len())
    }

    fn take(&self) -> Option<Waiting<S>> {
        self.lanes.lock().usual.pop_front()
    }

    fn take_bulk(&self) -> Option<Waiting<S>> {
        self.lanes.lock().bulk.pop_front()
    }

    fn stop(&self) {
        let mut lanes = self.lanes.lock();
        if matches!(lanes.state, State::Running) {
            lanes.state = State::Stopping;
        }
        self.wake.notify_all();
    }

    /// Ends for good: what waits hears of it.
    fn fail(&self, error: SequencerError) {
        let waiting = {
            let mut lanes = self.lanes.lock();
            lanes.state = State::Ended(error.clone());
            let bulk = std::mem::take(&mut lanes.bulk);
            std::mem::take(&mut lanes.usual).into_iter().chain(bulk)
        };
        waiting.for_each(|waiting| drop(waiting.answer.send(Err(error.clone()))));
        let failed = !matches!(error, SequencerError::Stopped);
        metrics::gauge!("tartan_store_failed", "store" => self.name).set(if failed { 1.0 } else { 0.0 });
        self.ended.send_replace(Some(error));
    }

    /// Why it ended.
    fn end(&self) -> SequencerError {
        self.lanes.lock().failure().unwrap_or(SequencerError::Stopped)
    }
}

/// The thread's side.
struct Worker<S: Store> {
    store: S,
    journal: Arc<dyn Journal>,
    view: Arc<dyn View>,
    epoch: Epoch,
    queue: Arc<Queue<S>>,
    settings: SequencerSettings,
}

/// Sees to it that nobody waits for a thread that has gone.
struct EndGuard<S: Store>(Arc<Queue<S>>);

impl<S: Store> Drop for EndGuard<S> {
    fn drop(&mut self) {
        let ended = matches!(self.0.lanes.lock().state, State::Ended(_));
        if !ended {
            let panicked = thread::panicking();
            self.0.fail(if panicked { SequencerError::Panicked } else { SequencerError::Stopped });
        }
    }
}

/// A staged command that waits for the sync.
struct Held<S: Store> {
    pending: S::Pending,
    answer: Answer<S>,
    room: Option<OwnedSemaphorePermit>,
}

impl<S: Store> Worker<S> {
    fn spawn(self) -> Result<JoinHandle<()>, SequencerError> {
        let name = format!("{}-sequencer", self.settings.name);
        let thread = thread::Builder::new().name(name).spawn(move || self.run());
        Ok(thread.map_err(JournalError::io("sequencer thread"))?)
    }

    fn run(mut self) {
        let _guard = EndGuard(self.queue.clone());
        metrics::gauge!("tartan_store_failed", "store" => self.settings.name).set(0.0);
        while let Some(waiting) = self.queue.wait() {
            if let Err((held, error)) = self.round(waiting) {
                return self.fail(held, error);
            }
        }
        let ended = self.view.sync().map_err(SequencerError::from).and_then(|()| Ok(self.journal.close()?));
        if let Err(error) = ended {
            tracing::warn!(store = self.settings.name, %error, "the store did not end in good order");
        }
    }

    /// One frame: the `usual` commands that wait, as far as their records fit, and some of the bulk work behind it.
    fn round(&mut self, usual: usize) -> Result<(), (Vec<Held<S>>, SequencerError)> {
        let mut staged = Staged::new(self.journal.lsn_next());
        let mut held = Vec::new();
        while held.len() < usual
            && staged.bytes() < self.settings.frame_bytes_max
            && let Some(waiting) = self.queue.take()
        {
            held.push(self.stage(waiting, &mut staged));
        }
        let records_end = staged.len() + self.settings.bulk_records_max;
        let bytes_end = staged.bytes() + self.settings.bulk_bytes_max;
        while staged.len() < records_end
            && staged.bytes() < bytes_end
            && let Some(waiting) = self.queue.take_bulk()
        {
            held.push(self.stage(waiting, &mut staged));
        }
        match self.commit(&staged) {
            Ok(synced) => self.release(held, &synced),
            Err(error) => return Err((held, error)),
        }
        Ok(())
    }

    /// Ends for good. Who hears that its command failed finds the store failed.
    fn fail(&self, held: Vec<Held<S>>, error: SequencerError) {
        tracing::error!(store = self.settings.name, %error, "the store has failed and takes no more commands");
        // The mark at the end of a term would vouch for what was never synced; a failed journal writes none.
        let _ = self.journal.close();
        self.queue.fail(error.clone());
        held.into_iter().for_each(|held| drop(held.answer.send(Err(error.clone()))));
    }

    fn stage(&mut self, waiting: Waiting<S>, staged: &mut Staged) -> Held<S> {
        let Waiting { command, answer, room } = waiting;
        Held { pending: self.store.stage(command, staged), answer, room }
    }

    /// Makes the frame durable, then visible.
    fn commit(&mut self, staged: &Staged) -> Result<Synced, SequencerError> {
        let synced = self.journal.append(self.epoch, staged.records())?;
        if !staged.is_empty() {
            let batch = self.apply(staged, &synced)?;
            self.view.apply(Lsn(synced.lsn_next().0 - 1), batch)?;
            self.store.publish();
        }
        Ok(synced)
    }

    fn apply(&mut self, staged: &Staged, synced: &Synced) -> Result<ViewBatch, StoreError> {
        let mut batch = ViewBatch::new();
        for (record, place) in staged.records().iter().zip(synced.places()) {
            self.store.apply(place.lsn, record, place, &mut batch)?;
        }
        Ok(batch)
    }

    fn release(&mut self, held: Vec<Held<S>>, synced: &Synced) {
        let commands = held.len() as u64;
        metrics::counter!("tartan_sequencer_commands_total", "store" => self.settings.name)
            .increment(commands);
        for Held { pending, answer, room } in held {
            let reply = self.store.release(pending, synced);
            // A caller that has gone away misses its answer.
            let _ = answer.send(Ok(reply));
            drop(room);
        }
    }
}
