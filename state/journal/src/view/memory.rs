//! A view in memory, for state that is small and for tests.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::{KeyRange, Order, Row, Rows, Table, View, ViewBatch, ViewRead};
use crate::error::ViewError;
use crate::lsn::Lsn;

/// A view in memory: made from the whole journal at each start. Snapshots copy the tables that change after them.
#[derive(Debug)]
pub struct MemoryView {
    state: RwLock<State>,
}

#[derive(Debug, Clone)]
struct State {
    tables: HashMap<Table, Arc<BTreeMap<Bytes, Bytes>>>,
    applied: Lsn,
}

impl MemoryView {
    /// An empty view with these tables.
    pub fn new(tables: &[Table]) -> Self {
        let tables = tables.iter().map(|table| (*table, Arc::default())).collect();
        Self { state: RwLock::new(State { tables, applied: Lsn::ZERO }) }
    }
}

impl State {
    fn table(&self, table: Table) -> Result<&Arc<BTreeMap<Bytes, Bytes>>, ViewError> {
        self.tables.get(&table).ok_or(ViewError::NoTable(table.0))
    }
}

impl ViewRead for State {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        Ok(self.table(table)?.get(key).cloned())
    }

    fn scan(&self, table: Table, range: KeyRange, order: Order) -> Result<Rows, ViewError> {
        let table = self.table(table)?.clone();
        if range.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        Ok(Box::new(Scan { table, range, order }))
    }

    fn applied_lsn(&self) -> Lsn {
        self.applied
    }
}

/// A scan that owns its table: each step looks up the next key within what is left of the range.
struct Scan {
    table: Arc<BTreeMap<Bytes, Bytes>>,
    range: KeyRange,
    order: Order,
}

impl Iterator for Scan {
    type Item = Result<Row, ViewError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        let slice = |key: &Bound<Vec<u8>>| key.clone().map(Bytes::from);
        let bounds = (slice(&self.range.start), slice(&self.range.end));
        let mut rows = self.table.range::<Bytes, _>(bounds);
        let (key, value) = match self.order {
            Order::Forward => rows.next()?,
            Order::Reverse => rows.next_back()?,
        };
        let passed = Bound::Excluded(key.to_vec());
        match self.order {
            Order::Forward => self.range.start = passed,
            Order::Reverse => self.range.end = passed,
        }
        Some(Ok((key.clone(), value.clone())))
    }
}

impl ViewRead for MemoryView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        self.state.read().get(table, key)
    }

    fn scan(&self, table: Table, range: KeyRange, order: Order) -> Result<Rows, ViewError> {
        self.state.read().scan(table, range, order)
    }

    fn applied_lsn(&self) -> Lsn {
        self.state.read().applied
    }
}

impl View for MemoryView {
    fn apply(&self, lsn: Lsn, batch: ViewBatch) -> Result<(), ViewError> {
        let mut state = self.state.write();
        for (table, key, value) in batch.into_changes() {
            let rows = state.tables.get_mut(&table).ok_or(ViewError::NoTable(table.0))?;
            let rows = Arc::make_mut(rows);
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        state.applied = lsn;
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn ViewRead> {
        Box::new(self.state.read().clone())
    }

    fn clear(&self) -> Result<(), ViewError> {
        let mut state = self.state.write();
        state.tables.values_mut().for_each(|rows| *rows = Arc::default());
        state.applied = Lsn::ZERO;
        Ok(())
    }

    fn sync(&self) -> Result<(), ViewError> {
        Ok(())
    }
}
