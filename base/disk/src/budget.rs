//! Memory that all bodies of a process share while they come in.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// Bytes that are still free. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<AtomicUsize>);

/// A part of a budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: MemoryBudget,
    bytes: usize,
}

/// Memory belongs to the process, so that is what has the budget, whichever role takes from it.
static PROCESS: LazyLock<MemoryBudget> = LazyLock::new(|| MemoryBudget::new(limits::BODIES_MEMORY_BYTES_MAX));

impl MemoryBudget {
    /// A budget of its own, for tests.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// The budget of this process, `limits::BODIES_MEMORY_BYTES_MAX`.
    pub fn process() -> Self {
        PROCESS.clone()
    }

    /// Bytes that nobody has.
    pub fn free_bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A share of nothing, to begin with.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Where it is from.
    pub(crate) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Makes the share `bytes` big. False, and nothing changes, where the budget does not have them.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            self.budget.0.fetch_add(self.bytes - bytes, Ordering::Relaxed);
        } else {
            let more = bytes - self.bytes;
            let take = |free: usize| free.checked_sub(more);
            if self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                return false;
            }
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// Bytes with the share that they take; what a `Bytes` owns.
pub(crate) struct Shared {
    pub(crate) bytes: Vec<u8>,
    pub(crate) _share: Share,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
