//! The request to stop.

use std::sync::Arc;
use tokio::sync::watch;

/// A request to stop, shared by all who must hear of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone to stop.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Whether a stop was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes when a stop is asked for, at once if it was.
    pub async fn asked(&self) {
        let mut seen = self.0.subscribe();
        let _ = seen.wait_for(|asked| *asked).await;
    }
}
