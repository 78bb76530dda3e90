//! Whether the view is what the journal says.

use std::fmt;

use bytes::Bytes;
use journal::{Journal, KeyRange, Lsn, MemoryView, Order, Row, Table, View, ViewBatch, ViewRead};

use crate::apply::Applier;
use crate::rows::{self, TABLES};
use crate::{BodyId, Mailstore, MailstoreError};

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

impl Mailstore {
    /// Replays the whole journal and compares the outcome with the view as it is now. Blocks, and takes as long as
    /// reading the journal does.
    pub fn check(&self) -> Result<Vec<Difference>, MailstoreError> {
        let maintained = self.inner.shared.view.snapshot();
        let rebuilt = rebuilt(&*self.inner.journal, maintained.applied_lsn())?;
        differences(&*maintained, &rebuilt)
    }

    /// How many messages share a body, expunged ones included; a large copy that is under way counts too.
    pub fn body_references(&self, body: BodyId) -> Result<usize, MailstoreError> {
        let mut references = 0;
        for table in [rows::REFERENCES, rows::TRANSFER_REFERENCES] {
            let range = KeyRange::prefix(&rows::body_key(body));
            let rows = self.inner.shared.view.scan(table, range, Order::Forward)?;
            references += rows.collect::<Result<Vec<_>, _>>()?.len();
        }
        Ok(references)
    }
}

/// A view made of all records up to `last`, by the code that maintains the other one.
fn rebuilt(journal: &dyn Journal, last: Lsn) -> Result<MemoryView, MailstoreError> {
    let view = MemoryView::new(&TABLES);
    let mut applier = Applier::default();
    for frame in journal.read(Lsn::FIRST)? {
        let frame = frame?;
        if frame.records.is_empty() || frame.first > last {
            continue;
        }
        let mut batch = ViewBatch::new();
        for stored in &frame.records {
            applier.apply(&stored.record, &stored.place, &mut batch)?;
        }
        view.apply(Lsn(frame.lsn_next().0 - 1), batch)?;
    }
    Ok(view)
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
