//! What waits for a store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::SequencerSettings;
use crate::error::{JournalError, SequencerError};
use crate::restate::{Restated, Restating};
use crate::store::Store;

#[derive(Clone, Copy)]
pub(super) enum Lane {
    Usual,
    /// As the usual one, but what comes by it waits a little for a frame that goes anyway.
    Lazy,
    Bulk,
}

pub(super) type Answer<S> = oneshot::Sender<Result<<S as Store>::Reply, SequencerError>>;
pub(super) type Answered<S> = oneshot::Receiver<Result<<S as Store>::Reply, SequencerError>>;

/// A command that waits, with the room that it takes until it is answered.
pub(super) struct Waiting<S: Store> {
    pub command: S::Command,
    pub answer: Answer<S>,
    pub room: Option<OwnedSemaphorePermit>,
    /// It waits until then for others.
    lazy_until: Option<Instant>,
}

/// Keys that wait to be said anew.
pub(super) struct Opening<S: Store> {
    pub restating: Restating<S::Key>,
    pub answer: oneshot::Sender<Result<Restated, SequencerError>>,
}

pub(super) struct Queue<S: Store> {
    lanes: Mutex<Lanes<S>>,
    wake: Condvar,
    room: Arc<Semaphore>,
    room_bytes: usize,
    command_bytes_max: usize,
    lazy_time_max: Duration,
    lazy_commands_max: usize,
    /// Why it ended, once it has.
    ended: watch::Sender<Option<SequencerError>>,
    /// When the frame in work was begun.
    began: Mutex<Option<Instant>>,
    name: &'static str,
}

struct Lanes<S: Store> {
    /// Taken only as the first of a frame, one at a time.
    opening: VecDeque<Opening<S>>,
    /// With the lazy ones, in their order.
    usual: VecDeque<Waiting<S>>,
    /// Of them, those that are not lazy.
    urgent: usize,
    bulk: VecDeque<Waiting<S>>,
    state: State,
}

enum State {
    Running,
    Stopping,
    Ended(SequencerError),
}

impl<S: Store> Lanes<S> {
    fn new() -> Self {
        let (opening, usual, bulk) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { opening, usual, urgent: 0, bulk, state: State::Running }
    }

    fn failure(&self) -> Option<SequencerError> {
        match &self.state {
            State::Running => None,
            State::Stopping => Some(SequencerError::Stopped),
            State::Ended(error) => Some(error.clone()),
        }
    }

    fn is_empty(&self) -> bool {
        self.opening.is_empty() && self.usual.is_empty() && self.bulk.is_empty()
    }

    fn push(&mut self, waiting: Waiting<S>) {
        self.urgent += usize::from(waiting.lazy_until.is_none());
        self.usual.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting<S>> {
        let waiting = self.usual.pop_front()?;
        self.urgent -= usize::from(waiting.lazy_until.is_none());
        Some(waiting)
    }

    /// Until when all that waits waits for others; none if something will not.
    fn lazy_until(&self, commands_max: usize) -> Option<Instant> {
        let is_lazy = self.urgent == 0 && self.opening.is_empty() && self.bulk.is_empty();
        let may_wait = is_lazy && self.usual.len() < commands_max && matches!(self.state, State::Running);
        self.usual.front().filter(|_| may_wait)?.lazy_until
    }
}

impl<S: Store> Queue<S> {
    pub fn new(settings: &SequencerSettings) -> Self {
        let room_bytes = settings.queued_bytes_max.clamp(1, u32::MAX as usize);
        Self {
            lanes: Mutex::new(Lanes::new()),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
            command_bytes_max: settings.command_bytes_max,
            lazy_time_max: settings.lazy_time_max,
            lazy_commands_max: settings.lazy_commands_max,
            ended: watch::Sender::new(None),
            began: Mutex::new(None),
            name: settings.name,
        }
    }

    /// Refuses a command that is too heavy, before anything is done for it.
    pub fn weigh(&self, bytes: usize) -> Result<(), SequencerError> {
        if bytes > self.command_bytes_max { Err(JournalError::TooLarge(bytes).into()) } else { Ok(()) }
    }

    pub async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, SequencerError> {
        let bytes = bytes.clamp(1, self.room_bytes) as u32;
        self.room.clone().acquire_many_owned(bytes).await.map_err(|_| SequencerError::Stopped)
    }

    /// Queues a command, or gives it back with the reason.
    pub fn push(
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
        let lazy_until = matches!(lane, Lane::Lazy).then(|| Instant::now() + self.lazy_time_max);
        let waiting = Waiting { command, answer, room, lazy_until };
        match lane {
            Lane::Usual | Lane::Lazy => lanes.push(waiting),
            Lane::Bulk => lanes.bulk.push_back(waiting),
        }
        // Of several lazy ones the first says how long to wait.
        if lazy_until.is_none() || [1, self.lazy_commands_max].contains(&lanes.usual.len()) {
            self.wake.notify_one();
        }
        Ok(answered)
    }

    /// Queues keys to be said anew.
    pub fn push_opening(
        &self,
        restating: Restating<S::Key>,
    ) -> Result<oneshot::Receiver<Result<Restated, SequencerError>>, SequencerError> {
        let (answer, answered) = oneshot::channel();
        let mut lanes = self.lanes.lock();
        if let Some(error) = lanes.failure() {
            return Err(error);
        }
        lanes.opening.push_back(Opening { restating, answer });
        self.wake.notify_one();
        Ok(answered)
    }

    /// How long the frame in work has been so.
    pub fn busy_for(&self) -> Option<Duration> {
        self.began.lock().map(|began| began.elapsed())
    }

    /// Waits until something waits, and its time has come, and counts what is in the usual lane; none once stopped and drained.
    pub fn wait(&self) -> Option<usize> {
        *self.began.lock() = None;
        let mut lanes = self.lanes.lock();
        loop {
            match lanes.lazy_until(self.lazy_commands_max) {
                Some(until) if Instant::now() < until => {
                    let _ = self.wake.wait_until(&mut lanes, until);
                }
                _ if !lanes.is_empty() => break,
                _ if !matches!(lanes.state, State::Running) => return None,
                _ => self.wake.wait(&mut lanes),
            }
        }
        *self.began.lock() = Some(Instant::now());
        Some(lanes.usual.len())
    }

    pub fn take(&self) -> Option<Waiting<S>> {
        self.lanes.lock().pop()
    }

    pub fn take_bulk(&self) -> Option<Waiting<S>> {
        self.lanes.lock().bulk.pop_front()
    }

    pub fn take_opening(&self) -> Option<Opening<S>> {
        self.lanes.lock().opening.pop_front()
    }

    pub fn stop(&self) {
        let mut lanes = self.lanes.lock();
        if matches!(lanes.state, State::Running) {
            lanes.state = State::Stopping;
        }
        self.wake.notify_all();
    }

    /// Ends for good: what waits hears of it.
    pub fn fail(&self, error: SequencerError) {
        let Lanes { opening, usual, bulk, .. } = {
            let mut lanes = self.lanes.lock();
            std::mem::replace(&mut *lanes, Lanes { state: State::Ended(error.clone()), ..Lanes::new() })
        };
        let waiting = usual.into_iter().chain(bulk);
        waiting.for_each(|waiting| drop(waiting.answer.send(Err(error.clone()))));
        opening.into_iter().for_each(|opening| drop(opening.answer.send(Err(error.clone()))));
        *self.began.lock() = None;
        let failed = !matches!(error, SequencerError::Stopped);
        metrics::gauge!("tartan_store_failed", "store" => self.name).set(if failed { 1.0 } else { 0.0 });
        self.ended.send_replace(Some(error));
    }

    /// What keeps the store from taking commands, if something does.
    pub fn failure(&self) -> Option<SequencerError> {
        self.lanes.lock().failure()
    }

    /// Whether it has ended for good.
    pub fn has_ended(&self) -> bool {
        matches!(self.lanes.lock().state, State::Ended(_))
    }

    /// Why it ended, once it has.
    pub fn ended(&self) -> watch::Receiver<Option<SequencerError>> {
        self.ended.subscribe()
    }

    /// Why it ended.
    pub fn end(&self) -> SequencerError {
        self.failure().unwrap_or(SequencerError::Stopped)
    }
}
