//! Whether anybody still waits for the outcome of work on another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Held by who waits; dropping it ends the wait.
#[derive(Debug, Default)]
pub(crate) struct Watch(Arc<AtomicBool>);

/// Asked by who works.
#[derive(Clone, Debug)]
pub(crate) struct Watched(Arc<AtomicBool>);

impl Watch {
    pub(crate) fn watched(&self) -> Watched {
        Watched(self.0.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Watched {
    pub(crate) fn is_on(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;

    #[test]
    fn a_watch_ends_when_it_is_dropped() {
        let watch = Watch::default();
        let watched = watch.watched();
        assert!(watched.is_on());
        drop(watch);
        assert!(!watched.is_on());
    }
}
