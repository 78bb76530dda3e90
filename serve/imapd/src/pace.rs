//! Long work in small steps.

/// Work done before other tasks get their turn, in steps of a few nanoseconds each: well under a millisecond.
const STEPS_AT_ONCE_MAX: usize = 50_000;

/// Counts work and yields in time. A command that a client can make long spends its steps here.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    spent: usize,
}

impl Pace {
    /// So much is done, or will be at once.
    pub(crate) async fn spend(&mut self, steps: usize) {
        self.spent = self.spent.saturating_add(steps);
        if self.spent > STEPS_AT_ONCE_MAX {
            self.spent = 0;
            tokio::task::yield_now().await;
        }
    }
}
