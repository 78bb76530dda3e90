//! The thread's side.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::SequencerSettings;
use super::queue::{Answer, Opening, Queue, Waiting};
use crate::error::{JournalError, SequencerError, StoreError};
use crate::lsn::{Epoch, Lsn};
use crate::restate::Restated;
use crate::store::{Staged, Store};
use crate::view::{View, ViewBatch};
use crate::{Journal, Room, Synced};

/// What the thread works with.
pub(super) struct Worker<S: Store> {
    pub store: S,
    pub journal: Arc<dyn Journal>,
    pub view: Arc<dyn View>,
    pub epoch: Epoch,
    pub queue: Arc<Queue<S>>,
    pub settings: SequencerSettings,
}

/// Sees to it that nobody waits for a thread that has gone.
struct EndGuard<S: Store>(Arc<Queue<S>>);

impl<S: Store> Drop for EndGuard<S> {
    fn drop(&mut self) {
        if !self.0.has_ended() {
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

/// Keys that were said anew and wait for the sync.
struct HeldOpening {
    restated: Restated,
    answer: oneshot::Sender<Result<Restated, SequencerError>>,
}

/// All that waits for the sync of one frame.
struct Round<S: Store> {
    opening: Option<HeldOpening>,
    held: Vec<Held<S>>,
}

impl<S: Store> Round<S> {
    /// Nothing of it was done.
    fn refuse(self, error: &SequencerError) {
        self.opening.into_iter().for_each(|opening| drop(opening.answer.send(Err(error.clone()))));
        self.held.into_iter().for_each(|held| drop(held.answer.send(Err(error.clone()))));
    }
}

impl<S: Store> Worker<S> {
    pub fn spawn(self) -> Result<JoinHandle<()>, SequencerError> {
        let name = format!("{}-sequencer", self.settings.name);
        let thread = thread::Builder::new().name(name).spawn(move || self.run());
        Ok(thread.map_err(JournalError::io("sequencer thread"))?)
    }

    fn run(mut self) {
        let _guard = EndGuard(self.queue.clone());
        metrics::gauge!("tartan_store_failed", "store" => self.settings.name).set(0.0);
        while let Some(waiting) = self.queue.wait() {
            if let Err((round, error)) = self.round(waiting) {
                return self.fail(round, error);
            }
        }
        let ended = self.view.sync().map_err(SequencerError::from).and_then(|()| Ok(self.journal.close()?));
        if let Err(error) = ended {
            tracing::warn!(store = self.settings.name, %error, "the store did not end in good order");
        }
    }

    /// One frame: keys to be said anew, then the `usual` commands that wait, as far as their records fit, and some of the
    /// bulk work behind them.
    fn round(&mut self, usual: usize) -> Result<(), (Round<S>, SequencerError)> {
        let room = self.journal.room();
        let mut staged = Staged::new(self.journal.lsn_next());
        let opening = self.queue.take_opening().and_then(|opening| self.open(opening, room, &mut staged));
        let mut held = Vec::new();
        let mut taken = 0;
        while taken < usual
            && staged.bytes() < self.settings.frame_bytes_max
            && let Some(waiting) = self.queue.take()
        {
            taken += 1;
            held.extend(self.stage(waiting, room, &mut staged));
        }
        let records_end = staged.len() + self.settings.bulk_records_max;
        let bytes_end = staged.bytes() + self.settings.bulk_bytes_max;
        while staged.len() < records_end
            && staged.bytes() < bytes_end
            && let Some(waiting) = self.queue.take_bulk()
        {
            held.extend(self.stage(waiting, room, &mut staged));
        }
        let round = Round { opening, held };
        match self.commit(&staged) {
            Ok(synced) => {
                self.release(round, &synced);
                Ok(())
            }
            Err(error) if error.is_refusal() => self.refuse(round, error),
            Err(error) => Err((round, error)),
        }
    }

    /// Ends for good. Who hears that its command failed finds the store failed.
    fn fail(&self, round: Round<S>, error: SequencerError) {
        tracing::error!(store = self.settings.name, %error, "the store has failed and takes no more commands");
        // The mark at the end of a term would vouch for what was never synced; a failed journal writes none.
        let _ = self.journal.close();
        self.queue.fail(error.clone());
        round.refuse(&error);
    }

    /// Lets go of a frame of which nothing was written.
    fn refuse(&mut self, round: Round<S>, error: SequencerError) -> Result<(), (Round<S>, SequencerError)> {
        tracing::warn!(store = self.settings.name, %error, commands = round.held.len(), "a frame was refused");
        match self.store.revert(&*self.view) {
            Ok(()) => {
                round.refuse(&error);
                Ok(())
            }
            Err(error) => Err((round, error.into())),
        }
    }

    /// Says keys anew, in front of all else.
    fn open(&mut self, opening: Opening<S>, room: Room, staged: &mut Staged) -> Option<HeldOpening> {
        let Opening { restating, answer } = opening;
        let done = match room {
            Room::Full => Err(SequencerError::NoSpace),
            _ => self.store.restate(&*self.view, &restating, staged).map_err(SequencerError::from),
        };
        match done {
            Ok(()) => {
                let restated = Restated { records: staged.len(), bytes: staged.bytes() };
                Some(HeldOpening { restated, answer })
            }
            Err(error) => {
                staged.clear();
                // Compaction may have been stopped meanwhile.
                let _ = answer.send(Err(error));
                None
            }
        }
    }

    /// Stages a command; none if there is no room for it, which it then hears.
    fn stage(&mut self, waiting: Waiting<S>, room: Room, staged: &mut Staged) -> Option<Held<S>> {
        let Waiting { command, answer, room: permit, .. } = waiting;
        if room == Room::Full || (room == Room::Low && S::grows(&command)) {
            metrics::counter!("tartan_sequencer_no_space_total", "store" => self.settings.name).increment(1);
            // A caller that has gone away misses its answer.
            let _ = answer.send(Err(SequencerError::NoSpace));
            return None;
        }
        Some(Held { pending: self.store.stage(command, staged), answer, room: permit })
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

    fn release(&mut self, round: Round<S>, synced: &Synced) {
        let commands = round.held.len() as u64;
        metrics::counter!("tartan_sequencer_commands_total", "store" => self.settings.name)
            .increment(commands);
        for Held { pending, answer, room } in round.held {
            let reply = self.store.release(pending, synced);
            // A caller that has gone away misses its answer.
            let _ = answer.send(Ok(reply));
            drop(room);
        }
        if let Some(opening) = round.opening {
            let _ = opening.answer.send(Ok(opening.restated));
        }
    }
}
