//! Changes that a view takes in one step.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Table;

/// Bytes of a key; the engines' limit.
const KEY_BYTES_MAX: usize = 65_535;

/// Changes that a view takes in one step. The last change of a key wins. A key has 1 to 65,535 bytes.
#[derive(Debug, Clone, Default)]
pub struct ViewBatch {
    changes: BTreeMap<(Table, Bytes), Option<Bytes>>,
}

impl ViewBatch {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value at `key`.
    ///
    /// # Panics
    /// If the key is empty or too long: a bug in the store.
    pub fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.change(table, key.into(), Some(value.into()));
    }

    /// Removes the row at `key`, if there is one.
    pub fn remove(&mut self, table: Table, key: impl Into<Bytes>) {
        self.change(table, key.into(), None);
    }

    /// What this batch will make of `key`: `None` if it does not touch it, `Some(None)` if it removes it. A store that
    /// applies several records of a frame needs it, because the view does not show the earlier ones yet.
    pub fn pending(&self, table: Table, key: &[u8]) -> Option<Option<&Bytes>> {
        self.changes.get(&(table, Bytes::copy_from_slice(key))).map(Option::as_ref)
    }

    /// Keys touched.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn into_changes(self) -> impl Iterator<Item = (Table, Bytes, Option<Bytes>)> {
        self.changes.into_iter().map(|((table, key), value)| (table, key, value))
    }

    fn change(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
        assert!(
            (1..=KEY_BYTES_MAX).contains(&key.len()),
            "a key of {} bytes in table {}",
            key.len(),
            table.0
        );
        self.changes.insert((table, key), value);
    }
}
