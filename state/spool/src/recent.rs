//! Bodies of messages that were taken a moment ago. Most go out at once: their first attempt need not read them back.

use std::collections::{HashMap, VecDeque};

use disk::Body;
use parking_lot::Mutex;

use crate::queue_id::QueueId;

/// Bodies in memory, each for one reader; the oldest goes for want of room. What is not here stands on the disk.
#[derive(Debug)]
pub(crate) struct Recent {
    held: Mutex<Held>,
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct Held {
    bodies: HashMap<QueueId, Body>,
    /// In the order in which they came; some have been taken since.
    order: VecDeque<QueueId>,
    bytes: u64,
}

impl Recent {
    pub fn new(bytes_max: u64) -> Self {
        Self { held: Mutex::default(), bytes_max }
    }

    /// Keeps a body that is in memory anyway.
    pub fn keep(&self, queue_id: QueueId, body: &Body) {
        if body.is_file() || body.len() > self.bytes_max {
            return;
        }
        let mut held = self.held.lock();
        held.take(queue_id);
        held.bytes += body.len();
        held.bodies.insert(queue_id, body.clone());
        held.order.push_back(queue_id);
        while held.bytes > self.bytes_max || held.order.len() > 2 * held.bodies.len() {
            held.forget_oldest();
        }
    }

    pub fn take(&self, queue_id: QueueId) -> Option<Body> {
        self.held.lock().take(queue_id)
    }
}

impl Held {
    fn take(&mut self, queue_id: QueueId) -> Option<Body> {
        let body = self.bodies.remove(&queue_id)?;
        self.bytes -= body.len();
        Some(body)
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.take(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: usize) -> Body {
        Body::from_bytes(vec![b'x'; bytes])
    }

    fn id(number: u64) -> QueueId {
        QueueId::from_u64(number)
    }

    #[test]
    fn a_body_is_there_for_one_reader_and_the_oldest_goes_for_want_of_room() {
        let recent = Recent::new(100);
        (1..=3).for_each(|number| recent.keep(id(number), &body(40)));
        let there: Vec<_> = (1..=3).map(|number| recent.take(id(number)).is_some()).collect();
        assert_eq!(there, [false, true, true]);
        assert!(recent.take(id(2)).is_none());
        recent.keep(id(4), &body(101));
        assert!(recent.take(id(4)).is_none(), "it has more than all the room");
    }

    #[test]
    fn a_message_that_comes_twice_counts_once() {
        let recent = Recent::new(100);
        recent.keep(id(1), &body(60));
        recent.keep(id(1), &body(60));
        assert!(recent.take(id(1)).is_some());
        assert_eq!(recent.held.lock().bytes, 0, "or it would look for room that is nowhere");
        recent.keep(id(2), &body(60));
        assert!(recent.take(id(2)).is_some());
    }

    #[test]
    fn what_was_taken_leaves_nothing_behind() {
        let recent = Recent::new(100);
        for number in 1..=1_000 {
            recent.keep(id(number), &body(1));
            recent.take(id(number));
        }
        let held = recent.held.lock();
        assert_eq!(held.bytes, 0);
        assert!(held.order.len() <= 2, "{}", held.order.len());
    }
}
