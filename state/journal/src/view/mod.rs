//! Views: ordered tables made from a journal.
//!
//! A view holds nothing that the journal does not: it is written without sync, may lag behind after a crash, and may be
//! thrown away. It never runs ahead of the journal, because a frame is applied after its sync. The number of the last
//! record applied is kept in the same transaction as the rows, so that replay can go on from there.

mod batch;
mod fjall;
mod memory;

use std::ops::Bound;

use bytes::Bytes;

use crate::error::ViewError;
use crate::lsn::Lsn;

pub use batch::ViewBatch;
pub use fjall::FjallView;
pub use memory::MemoryView;

/// The name of a table: ASCII letters, digits and `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// Rows in the order asked for.
pub type Rows = Box<dyn Iterator<Item = Result<Row, ViewError>> + Send>;

/// The order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// From the smallest key up.
    #[default]
    Forward,
    /// From the largest key down.
    Reverse,
}

/// Keys from one bound to another, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it starts.
    pub start: Bound<Vec<u8>>,
    /// Where it ends.
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// All keys.
    pub fn all() -> Self {
        Self { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// The keys that start with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { start: Bound::Included(prefix.to_vec()), end: prefix_end(prefix) }
    }

    /// The keys from `start` on, itself included.
    pub fn from(start: &[u8]) -> Self {
        Self { start: Bound::Included(start.to_vec()), end: Bound::Unbounded }
    }

    /// The keys from `start`, itself included, up to `end`, itself not.
    pub fn between(start: &[u8], end: &[u8]) -> Self {
        Self { start: Bound::Included(start.to_vec()), end: Bound::Excluded(end.to_vec()) }
    }

    /// Whether no key can be in it. Engines panic on a range that ends before it starts.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }
}

/// The smallest key after all that start with `prefix`.
fn prefix_end(prefix: &[u8]) -> Bound<Vec<u8>> {
    let keep = prefix.iter().rposition(|byte| *byte != u8::MAX);
    keep.map_or(Bound::Unbounded, |last| {
        let mut end = prefix[..=last].to_vec();
        end[last] += 1;
        Bound::Excluded(end)
    })
}

/// Reading a view, or a snapshot of one.
pub trait ViewRead: Send + Sync {
    /// The value at `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ViewError>;
    /// The rows in `range`, as of this call.
    fn scan(&self, table: Table, range: KeyRange, order: Order) -> Result<Rows, ViewError>;
    /// The last record that it shows; [`Lsn::ZERO`] for none.
    fn applied_lsn(&self) -> Lsn;
}

/// A view. One thread applies, anyone reads.
pub trait View: ViewRead {
    /// Applies a batch and moves [`ViewRead::applied_lsn`] to `lsn`, in one step for readers and for crashes.
    fn apply(&self, lsn: Lsn, batch: ViewBatch) -> Result<(), ViewError>;
    /// The view as it is now, whatever is applied afterwards.
    fn snapshot(&self) -> Box<dyn ViewRead>;
    /// Forgets everything, to be made again from the journal.
    fn clear(&self) -> Result<(), ViewError>;
    /// It has seen all of a journal that is sound: what was kept in case it could not is let go.
    fn settle(&self) -> Result<(), ViewError> {
        Ok(())
    }
    /// Makes durable what was applied. Only trimming the journal and a clean end need it.
    fn sync(&self) -> Result<(), ViewError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(prefix_end(b"ab"), Bound::Excluded(b"ac".to_vec()));
        assert_eq!(prefix_end(b"a\xff\xff"), Bound::Excluded(b"b".to_vec()));
        assert_eq!(prefix_end(b"\xff"), Bound::Unbounded);
        assert_eq!(prefix_end(b""), Bound::Unbounded);
    }
}
