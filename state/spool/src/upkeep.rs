//! What the queue does by itself: its journal is compacted, and the audit of messages long gone is forgotten.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use journal::Compactor;

use crate::retention::Retention;

/// How often it is looked for audit notes that are over.
const FORGET_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The threads that do it; they end when it is dropped. To be dropped before the store is stopped.
pub(crate) struct Upkeep {
    _compactor: Compactor,
    _forgetter: Forgetter,
}

impl Upkeep {
    pub fn start(compactor: Compactor, retention: Retention) -> io::Result<Self> {
        Ok(Self { _compactor: compactor, _forgetter: Forgetter::start(retention)? })
    }
}

struct Forgetter {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Forgetter {
    fn start(retention: Retention) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let work = move || loop {
            forget(&retention);
            if !matches!(stopped.recv_timeout(FORGET_INTERVAL), Err(RecvTimeoutError::Timeout)) {
                return;
            }
        };
        let thread = thread::Builder::new().name("spool-forgetter".into()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Forgetter {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic was reported where it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn forget(retention: &Retention) {
    match retention.forget(Timestamp::now()) {
        Ok(0) => {}
        Ok(messages) => tracing::info!(messages, "the audit of messages long gone is forgotten"),
        // Where the store has failed, it has told why.
        Err(error) => tracing::debug!(%error, "the audit is not looked through"),
    }
}
