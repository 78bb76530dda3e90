//! Following a journal.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use crate::error::JournalError;
use crate::lsn::Lsn;
use crate::read::{Frame, Frames};

/// Reads the frames that are synced now, from the one that holds a record on.
type ReadFrom = Arc<dyn Fn(Lsn) -> Result<Frames, JournalError> + Send + Sync>;

/// Follows a journal frame by frame as they become durable ([`crate::Journal::tail`]). Frames without records are
/// passed over.
pub struct Tail {
    read: ReadFrom,
    synced: watch::Receiver<Lsn>,
    next: Lsn,
    waiting: VecDeque<Frame>,
}

/// Frames taken from the disk at a time.
const FRAMES_AHEAD: usize = 16;

impl Tail {
    /// Follows from `next` on what `read` gives, woken by `synced`, the number after the last durable record.
    pub(crate) fn new(read: ReadFrom, synced: watch::Receiver<Lsn>, next: Lsn) -> Self {
        Self { read, synced, next, waiting: VecDeque::new() }
    }

    /// The next frame; waits for it. `Closed` once the journal has gone and all was read.
    pub async fn next(&mut self) -> Result<Frame, JournalError> {
        loop {
            if let Some(frame) = self.next_now()? {
                return Ok(frame);
            }
            let next = self.next;
            self.synced.wait_for(|synced| *synced > next).await.map_err(|_| JournalError::Closed)?;
        }
    }

    /// The next frame if there is one now. Reads from disk.
    pub fn next_now(&mut self) -> Result<Option<Frame>, JournalError> {
        if self.waiting.is_empty() && *self.synced.borrow() > self.next {
            self.fill()?;
        }
        let frame = self.waiting.pop_front();
        self.next = frame.as_ref().map_or(self.next, Frame::lsn_next);
        Ok(frame)
    }

    fn fill(&mut self) -> Result<(), JournalError> {
        let next = self.next;
        let fresh = |frame: &Result<Frame, _>| frame.as_ref().map_or(true, |frame| frame.lsn_next() > next);
        self.waiting = (self.read)(next)?.filter(fresh).take(FRAMES_AHEAD).collect::<Result<_, _>>()?;
        Ok(())
    }
}
