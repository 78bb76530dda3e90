//! The thread that purges from time to time.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::mailstore::Inner;
use crate::{Mailstore, Purged};

/// Purges a store at intervals, until it is dropped.
pub(crate) struct PurgeWorker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PurgeWorker {
    /// Does not keep the store.
    pub(crate) fn start(inner: &Arc<Inner>, every: Duration, retention: Duration) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let (stop, stopped) = mpsc::channel();
        let inner = Arc::downgrade(inner);
        let thread = thread::Builder::new().name("mailstore-purge".into()).spawn(move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if !purge(&runtime, &inner, retention) {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// Purges once; false when there is no store any more.
fn purge(runtime: &Runtime, inner: &Weak<Inner>, retention: Duration) -> bool {
    let Some(inner) = inner.upgrade() else { return false };
    let store = Mailstore { inner };
    match runtime.block_on(store.purge(retention)) {
        Ok(purged) => count(&purged),
        Err(_) if store.has_ended() => return false,
        Err(error) => tracing::warn!(%error, "a purge was cut short and is tried again"),
    }
    true
}

fn count(purged: &Purged) {
    metrics::counter!("tartan_mailstore_purged_messages_total").increment(purged.messages);
    metrics::counter!("tartan_mailstore_purged_bodies_total").increment(purged.bodies);
}

impl Drop for PurgeWorker {
    /// Waits for a purge under way, which ends at once when its store does.
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        // The last handle to a store may be the one that a purge holds.
        if thread.thread().id() != thread::current().id() {
            // A panic has been reported where it happened.
            drop(thread.join());
        }
    }
}
