//! Who waits for which destination: a queue for each, with as many workers as the destination may have.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use spool::Due;
use tokio::sync::Notify;

use crate::Destination;

/// The queues of all destinations. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Lanes(Arc<Mutex<HashMap<Destination, Lane>>>);

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Due>,
    workers: usize,
    /// Workers that have nothing to do and keep a connection open a little longer.
    idle: usize,
    /// Workers with a connection.
    connected: usize,
    arrival: Arc<Notify>,
}

/// A worker's place in its lane, given back when the worker ends, by whatever way.
pub(crate) struct Place {
    lanes: Lanes,
    destination: Destination,
    connected: bool,
    /// The worker is to end: others of its lane have a connection and it cannot get one.
    retired: bool,
}

impl Lanes {
    /// Queues a copy. A place comes back where one more worker is to be started for it.
    pub(crate) fn push(&self, due: Due, workers_max: usize) -> Option<Place> {
        let destination = Destination::from(&due.next_hop);
        let mut lanes = self.0.lock();
        let lane = lanes.entry(destination.clone()).or_default();
        lane.waiting.push_back(due);
        if lane.idle >= lane.waiting.len() {
            lane.arrival.notify_one();
            return None;
        }
        if lane.workers >= workers_max.max(1) {
            return None;
        }
        lane.workers += 1;
        Some(Place { lanes: self.clone(), destination, connected: false, retired: false })
    }

    /// A place for a worker in a lane whose last one has gone, by a crash or as something came in, while
    /// something waits.
    pub(crate) fn revive(&self, destination: &Destination) -> Option<Place> {
        let mut lanes = self.0.lock();
        let lane = lanes.get_mut(destination).filter(|lane| lane.workers == 0 && !lane.waiting.is_empty())?;
        lane.workers += 1;
        Some(Place {
            lanes: self.clone(),
            destination: destination.clone(),
            connected: false,
            retired: false,
        })
    }

    /// Copies that wait for a worker, of all destinations.
    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().values().map(|lane| lane.waiting.len()).sum()
    }
}

impl Place {
    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The next copy; none when nothing came in `idle_time`.
    pub(crate) async fn next(&self, idle_time: Duration) -> Option<Due> {
        if self.retired {
            return None;
        }
        if let Some(due) = self.take() {
            return Some(due);
        }
        let arrival = self.with_lane(|lane| {
            lane.idle += 1;
            Arc::clone(&lane.arrival)
        });
        let idling = Idling(self);
        // Woken or not, what counts is whether there is something.
        let _ = tokio::time::timeout(idle_time, arrival.notified()).await;
        drop(idling);
        self.take()
    }

    fn take(&self) -> Option<Due> {
        self.with_lane(|lane| lane.waiting.pop_front())
    }

    /// Says whether the worker has a connection now.
    pub(crate) fn connected_set(&mut self, connected: bool) {
        if self.connected != connected {
            self.with_lane(|lane| if connected { lane.connected += 1 } else { lane.connected -= 1 });
            self.connected = connected;
        }
    }

    /// What is to be done with a copy for which no connection could be had, and with what waits behind
    /// it: where no worker of the destination has a connection, the failure is that of all, and all come
    /// back; otherwise the copy is left to the others, and this worker ends.
    pub(crate) fn unreachable(&mut self, due: Due) -> Vec<Due> {
        let (all, others_connected) = self.with_lane(|lane| {
            lane.waiting.push_front(due);
            match lane.connected {
                0 => (lane.waiting.drain(..).collect(), false),
                _ => (Vec::new(), true),
            }
        });
        self.retired = others_connected;
        all
    }

    fn with_lane<T>(&self, change: impl FnOnce(&mut Lane) -> T) -> T {
        change(self.lanes.0.lock().entry(self.destination.clone()).or_default())
    }
}

/// Counts a worker as idle; also where its wait is cancelled.
struct Idling<'a>(&'a Place);

impl Drop for Idling<'_> {
    fn drop(&mut self) {
        self.0.with_lane(|lane| lane.idle -= 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connected_set(false);
        let mut lanes = self.lanes.0.lock();
        if let Some(lane) = lanes.get_mut(&self.destination) {
            lane.workers -= 1;
            if lane.workers == 0 && lane.waiting.is_empty() {
                lanes.remove(&self.destination);
            }
        }
    }
}
