//! Whether the view is what the journal says: the journal is replayed into a second view, and all rows are compared.

use std::fmt;

use bytes::Bytes;
use journal::{Journal, KeyRange, Lsn, Order, Row, Table, View, ViewBatch, ViewRead};

use super::Pace;
use crate::MailstoreError;
use crate::apply::Applier;
use crate::rows::TABLES;

/// A row that the view has and should not have, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The row's key.
    pub key: Bytes,
    /// What the view has.
    pub maintained: Option<Bytes>,
    /// What the journal says.
    pub rebuilt: Option<Bytes>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, maintained, rebuilt } = self;
        write!(f, "{table} {key:02x?}: the view has {maintained:02x?}, the journal says {rebuilt:02x?}")
    }
}

/// Makes a view of all records up to `last`, by the code that maintains the other one.
pub(super) fn rebuild(
    journal: &dyn Journal,
    view: &dyn View,
    last: Lsn,
    pace: &Pace,
) -> Result<(), MailstoreError> {
    let mut applier = Applier::default();
    for frame in journal.read(Lsn::FIRST)? {
        let frame = frame?;
        if frame.records.is_empty() || frame.first > last {
            continue;
        }
        let mut batch = ViewBatch::new();
        for stored in &frame.records {
            applier.apply(&stored.record, &stored.place, &mut batch)?;
            pace.read(stored.record.bytes.len());
        }
        view.apply(Lsn(frame.lsn_next().0 - 1), batch)?;
    }
    Ok(())
}

/// All rows in which two views differ.
pub(crate) fn differences(
    maintained: &dyn ViewRead,
    rebuilt: &dyn ViewRead,
) -> Result<Vec<Difference>, MailstoreError> {
    let mut differences = Vec::new();
    for table in TABLES {
        compare(table, maintained, rebuilt, &mut differences)?;
    }
    Ok(differences)
}

/// Walks through both tables in step.
fn compare(
    table: Table,
    maintained: &dyn ViewRead,
    rebuilt: &dyn ViewRead,
    differences: &mut Vec<Difference>,
) -> Result<(), MailstoreError> {
    let mut left = maintained.scan(table, KeyRange::all(), Order::Forward)?.peekable();
    let mut right = rebuilt.scan(table, KeyRange::all(), Order::Forward)?.peekable();
    loop {
        let (left_key, right_key) = (key(left.peek())?, key(right.peek())?);
        let Some(key) = left_key.iter().chain(&right_key).min().cloned() else { return Ok(()) };
        let value = |rows: &mut dyn Iterator<Item = _>, at: &Option<Bytes>| -> Result<_, MailstoreError> {
            let row: Option<Row> = if at.as_ref() == Some(&key) { rows.next().transpose()? } else { None };
            Ok(row.map(|(_, value)| value))
        };
        let (maintained, rebuilt) = (value(&mut left, &left_key)?, value(&mut right, &right_key)?);
        if maintained != rebuilt {
            differences.push(Difference { table: table.0, key, maintained, rebuilt });
        }
    }
}

fn key(row: Option<&Result<Row, journal::ViewError>>) -> Result<Option<Bytes>, MailstoreError> {
    match row {
        Some(Ok((key, _))) => Ok(Some(key.clone())),
        Some(Err(error)) => Err(error.clone().into()),
        None => Ok(None),
    }
}
