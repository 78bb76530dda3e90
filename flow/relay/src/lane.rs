//! Who waits for which destination: a queue for each, with as many workers as the destination may have.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Destination;

/// The queues of all destinations, of copies `T`. Cheap to clone.
pub(crate) struct Lanes<T>(Arc<Mutex<HashMap<Destination, Lane<T>>>>);

struct Lane<T> {
    waiting: VecDeque<T>,
    workers: usize,
    /// Workers that have nothing to do and keep a connection open a little longer.
    idle: usize,
    /// Workers with a connection.
    connected: usize,
    arrival: Arc<Notify>,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), workers: 0, idle: 0, connected: 0, arrival: Arc::default() }
    }
}

impl<T> Clone for Lanes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A worker's place in its lane, given back when the worker ends, by whatever way.
pub(crate) struct Place<T> {
    lanes: Lanes<T>,
    destination: Destination,
    connected: bool,
    /// The worker is to end: others of its lane have a connection and it cannot get one.
    retired: bool,
}

impl<T> Lanes<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Queues a copy. A place comes back where one more worker is to be started for it.
    pub(crate) fn push(&self, destination: Destination, copy: T, workers_max: usize) -> Option<Place<T>> {
        let mut lanes = self.0.lock();
        let lane = lanes.entry(destination.clone()).or_default();
        lane.waiting.push_back(copy);
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
    pub(crate) fn revive(&self, destination: &Destination) -> Option<Place<T>> {
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

impl<T> Place<T> {
    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The next copy; none when nothing came in `idle_time`.
    pub(crate) async fn next(&self, idle_time: Duration) -> Option<T> {
        if self.retired {
            return None;
        }
        if let Some(copy) = self.take() {
            return Some(copy);
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

    fn take(&self) -> Option<T> {
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
    pub(crate) fn unreachable(&mut self, copy: T) -> Vec<T> {
        let (all, others_connected) = self.with_lane(|lane| {
            lane.waiting.push_front(copy);
            match lane.connected {
                0 => (lane.waiting.drain(..).collect(), false),
                _ => (Vec::new(), true),
            }
        });
        self.retired = others_connected;
        all
    }

    fn with_lane<R>(&self, change: impl FnOnce(&mut Lane<T>) -> R) -> R {
        change(self.lanes.0.lock().entry(self.destination.clone()).or_default())
    }
}

/// Counts a worker as idle; also where its wait is cancelled.
struct Idling<'a, T>(&'a Place<T>);

impl<T> Drop for Idling<'_, T> {
    fn drop(&mut self) {
        self.0.with_lane(|lane| lane.idle -= 1);
    }
}

impl<T> Drop for Place<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3600);

    fn lanes() -> Lanes<u32> {
        Lanes::new()
    }

    #[test]
    fn a_lane_gets_workers_up_to_its_limit() {
        let lanes = lanes();
        let places: Vec<bool> = (0..4).map(|n| lanes.push(Destination::Lmtp, n, 2)).map(keep).collect();
        assert_eq!(places, [true, true, false, false]);
        assert_eq!(lanes.waiting(), 4);
    }

    /// Tells whether there is a place, and keeps it.
    fn keep(place: Option<Place<u32>>) -> bool {
        place.map(std::mem::forget).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_worker_takes_what_comes_in_before_another_is_started() {
        let lanes = lanes();
        let place = lanes.push(Destination::Lmtp, 1, 9).unwrap();
        assert_eq!(place.next(SHORT).await, Some(1));
        let worker = tokio::spawn(async move { place.next(LONG).await });
        tokio::task::yield_now().await;
        assert!(lanes.push(Destination::Lmtp, 2, 9).is_none());
        assert_eq!(worker.await.unwrap(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_without_work_ends_and_its_lane_is_forgotten() {
        let lanes = lanes();
        let place = lanes.push(Destination::Lmtp, 1, 1).unwrap();
        assert_eq!(place.next(SHORT).await, Some(1));
        assert_eq!(place.next(SHORT).await, None);
        drop(place);
        assert!(lanes.0.lock().is_empty());
    }

    #[test]
    fn what_waits_behind_a_worker_that_is_gone_gets_another() {
        let lanes = lanes();
        let place = lanes.push(Destination::Lmtp, 1, 1).unwrap();
        assert!(lanes.push(Destination::Lmtp, 2, 1).is_none());
        assert!(lanes.revive(&Destination::Lmtp).is_none(), "its worker is there");
        drop(place);
        let place = lanes.revive(&Destination::Lmtp).unwrap();
        assert_eq!(place.take(), Some(1));
    }

    #[test]
    fn an_unreachable_destination_gives_all_back_unless_another_worker_is_connected() {
        let lanes = lanes();
        let mut first = lanes.push(Destination::Lmtp, 1, 2).unwrap();
        let mut second = lanes.push(Destination::Lmtp, 2, 2).unwrap();
        lanes.push(Destination::Lmtp, 3, 2);
        let (one, two) = (first.take().unwrap(), second.take().unwrap());
        first.connected_set(true);
        assert!(second.unreachable(two).is_empty());
        assert_eq!(first.take(), Some(2), "what another could not send comes first");
        first.connected_set(false);
        assert_eq!(first.unreachable(one), [1, 3]);
    }

    #[tokio::test]
    async fn a_worker_that_cannot_connect_where_others_can_ends() {
        let lanes = lanes();
        let mut first = lanes.push(Destination::Lmtp, 1, 2).unwrap();
        let mut second = lanes.push(Destination::Lmtp, 2, 2).unwrap();
        first.connected_set(true);
        let copy = second.take().unwrap();
        second.unreachable(copy);
        assert_eq!(second.next(SHORT).await, None);
        assert_eq!(lanes.waiting(), 2);
    }
}
