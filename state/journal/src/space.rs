//! Room on the disk: asked for once in a while, and a reserve for when it runs out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use disk::{Disk, OpenMode};
use parking_lot::Mutex;

use crate::Room;
use crate::local::JournalSettings;
use crate::names;

/// What is known of the room that a journal has.
pub(crate) struct Space {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    store: &'static str,
    reserve_bytes: u64,
    low_bytes: u64,
    /// Bytes appended since the disk was asked.
    appended: AtomicU64,
    state: Mutex<State>,
}

struct State {
    is_low: bool,
    asked: Option<Instant>,
    has_reserve: bool,
}

impl Space {
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, settings: &JournalSettings) -> Self {
        Self {
            disk,
            dir: dir.to_path_buf(),
            store: settings.store,
            reserve_bytes: settings.reserve_bytes,
            low_bytes: settings.space_low_bytes,
            appended: AtomicU64::new(0),
            state: Mutex::new(State { is_low: false, asked: None, has_reserve: false }),
        }
    }

    /// Counts what was appended.
    pub fn appended(&self, bytes: u64) {
        self.appended.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether room is low. Asks the disk at most once in `limits::SPACE_CHECK_TIME`, or when much was appended since.
    pub fn room(&self) -> Room {
        let mut state = self.state.lock();
        if self.is_due(&state) {
            self.ask(&mut state);
        }
        if state.is_low { Room::Low } else { Room::Enough }
    }

    fn is_due(&self, state: &State) -> bool {
        let watched = self.low_bytes > 0 || self.reserve_bytes > 0 || state.is_low;
        let old = |asked: Instant| asked.elapsed() >= limits::SPACE_CHECK_TIME;
        watched
            && (state.asked.is_none_or(old)
                || self.appended.load(Ordering::Relaxed) >= limits::SPACE_CHECK_BYTES)
    }

    fn ask(&self, state: &mut State) {
        state.asked = Some(Instant::now());
        self.appended.store(0, Ordering::Relaxed);
        let free = match self.disk.space_free(&self.dir) {
            Ok(free) => free,
            Err(error) => return tracing::debug!(store = self.store, %error, "free space is not known"),
        };
        metrics::gauge!("tartan_journal_free_bytes", "store" => self.store).set(free as f64);
        // A little more than the mark ends it, so that it does not begin again at once.
        let end = self.low_bytes + self.low_bytes / 8;
        let is_low = if state.is_low { free < end } else { free < self.low_bytes };
        if !is_low && !state.has_reserve && free >= end + self.reserve_bytes {
            state.has_reserve = self.reserve_make();
        }
        self.low_set(state, is_low, free);
        if is_low && state.has_reserve && free < self.low_bytes / 8 {
            self.reserve_remove(state);
        }
    }

    fn low_set(&self, state: &mut State, is_low: bool, free: u64) {
        if state.is_low == is_low {
            return;
        }
        state.is_low = is_low;
        metrics::gauge!("tartan_journal_space_low", "store" => self.store).set(if is_low {
            1.0
        } else {
            0.0
        });
        match is_low {
            true => tracing::error!(store = self.store, free, "space is low: what grows is refused"),
            false => tracing::info!(store = self.store, free, "there is space again"),
        }
    }

    /// Makes the reserve if there is room for it, at the start; else one that is there from before will do.
    pub fn begin(&self) {
        if self.reserve_bytes == 0 {
            return;
        }
        self.room();
        let mut state = self.state.lock();
        // What cannot be told is taken for absent: it is tried to give it back all the same when the disk is full.
        state.has_reserve |= self.disk.exists(&self.dir.join(names::RESERVE)).unwrap_or(false);
    }

    /// A write found no room: gives the reserve back, so that what is in hand can end. Room is low from now on.
    pub fn release(&self) {
        let mut state = self.state.lock();
        state.asked = Some(Instant::now());
        self.low_set(&mut state, true, 0);
        self.reserve_remove(&mut state);
    }

    /// Gives the reserve back: before the disk is quite full, because the engine of a view does not survive that.
    fn reserve_remove(&self, state: &mut State) {
        state.has_reserve = false;
        match self.disk.remove(&self.dir.join(names::RESERVE)) {
            Ok(()) => tracing::warn!(store = self.store, "the disk is full; the reserve is given back"),
            Err(error) => tracing::debug!(store = self.store, %error, "there is no reserve to give back"),
        }
    }

    /// Whether the reserve is there now.
    fn reserve_make(&self) -> bool {
        if self.reserve_bytes == 0 {
            return false;
        }
        let path = self.dir.join(names::RESERVE);
        let made = self.disk.open(&path, OpenMode::Create).and_then(|file| file.allocate(self.reserve_bytes));
        if let Err(error) = &made {
            tracing::warn!(store = self.store, %error, "no room could be reserved");
            // What there is of it keeps room from others and is too little; an error was told.
            let _ = self.disk.remove(&path);
        }
        made.is_ok()
    }
}
