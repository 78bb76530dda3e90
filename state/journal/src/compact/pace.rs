//! Work at a bounded rate that can be stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Asks a thread to stop, also while it waits.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    pub fn ask(&self) {
        *self.asked.lock() = true;
        self.wake.notify_all();
    }

    pub fn is_asked(&self) -> bool {
        *self.asked.lock()
    }

    /// Waits; false if it was asked to stop.
    pub fn wait(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut asked = self.asked.lock();
        while !*asked && !self.wake.wait_until(&mut asked, end).timed_out() {}
        !*asked
    }
}

/// Keeps work at so many bytes in a second; 0 for as many as there are.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    stop: Arc<Stop>,
    /// Time that the work done was worth and that was not waited for yet.
    owed: Duration,
}

/// Time that is worth waiting for.
const WAIT_TIME_MIN: Duration = Duration::from_millis(5);

impl Pace {
    pub fn new(bytes_per_second: u64, stop: Arc<Stop>) -> Self {
        Self { bytes_per_second, stop, owed: Duration::ZERO }
    }

    /// So much was done: waits as long as that should have taken. False if it is time to stop.
    pub fn done(&mut self, bytes: u64) -> bool {
        if self.bytes_per_second > 0 {
            self.owed += Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        }
        match self.owed >= WAIT_TIME_MIN {
            true => self.stop.wait(std::mem::take(&mut self.owed)),
            false => !self.stop.is_asked(),
        }
    }
}
