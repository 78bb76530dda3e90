//! The threads that search, shared by all sessions.

use std::sync::Arc;

use mailstore::MailstoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Runs what takes long off the async threads, no more than so much at once. Who waits is served in order, so that
/// a session with a long search gets one turn as any other does.
#[derive(Clone, Debug)]
pub(crate) struct SearchPool(Arc<Semaphore>);

impl SearchPool {
    pub(crate) fn new(at_once_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once_max)))
    }

    /// A turn; `work` ends with it.
    pub(crate) async fn turn(&self) -> Turn {
        Turn { _permit: self.0.clone().acquire_owned().await.ok() }
    }
}

/// The right to search until it is dropped. Work that has begun keeps it, also when its session is gone.
pub(crate) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turn {
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, MailstoreError> {
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(self);
            done
        });
        working.await.map_err(|_| MailstoreError::TaskDied)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn no_more_work_runs_at_once_than_is_allowed() {
        let pool = SearchPool::new(2);
        let running = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let (pool, running) = (pool.clone(), running.clone());
            tasks.push(tokio::spawn(async move {
                let work = move || {
                    let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                    std::thread::sleep(Duration::from_millis(10));
                    running.fetch_sub(1, Ordering::SeqCst);
                    at_once
                };
                pool.turn().await.run(work).await
            }));
        }
        for task in tasks {
            assert!(task.await.is_ok_and(|done| done.is_ok_and(|at_once| at_once <= 2)));
        }
    }

    #[tokio::test]
    async fn a_turn_is_kept_until_the_work_ends_though_nobody_waits() {
        let pool = SearchPool::new(1);
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let working = tokio::spawn(pool.turn().await.run(move || ended.recv().is_ok()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        working.abort();
        assert!(tokio::time::timeout(Duration::from_millis(50), pool.turn()).await.is_err());
        assert!(end.send(()).is_ok());
        assert!(tokio::time::timeout(Duration::from_secs(10), pool.turn()).await.is_ok());
    }
}
