//! Whether the directory is what its journal says.

use journal::{Journal, JournalError, Lsn, SequencerError, ViewRead};
use serde::{Deserialize, Serialize};

use super::Embedded;
use super::record::{ROWS, RowKey};
use super::tables::{Change, Tables};

/// What a check of the directory found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Rows that the journal makes.
    pub rows: u64,
    /// What is not as it should be.
    pub findings: Vec<String>,
}

impl CheckReport {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Embedded {
    /// Reads the whole journal, names what is damaged, and compares what the rest of it says with what is shown. The
    /// directory may be in use. Blocks.
    pub fn check(&self) -> Result<CheckReport, SequencerError> {
        let mut report = CheckReport::default();
        report.findings.extend(self.journal.verify()?.iter().map(ToString::to_string));
        let _pin = self.journal.pin();
        let shown = self.view.snapshot();
        let rebuilt = self.rebuilt(shown.applied_lsn())?;
        report.rows = (rebuilt.domains.len() + rebuilt.accounts.len() + rebuilt.addresses.len()) as u64;
        let shown = tables_of(&*shown)?;
        let keys = shown.keys().into_iter().chain(rebuilt.keys());
        let mut differ: Vec<_> = keys.filter(|key| shown.row_put(key) != rebuilt.row_put(key)).collect();
        differ.sort_by_key(|key| format!("{key}"));
        differ.dedup();
        report.findings.extend(differ.iter().map(|key| format!("{key} is not what the journal says")));
        Ok(report)
    }

    /// The tables as the records up to `last` make them.
    fn rebuilt(&self, last: Lsn) -> Result<Tables, SequencerError> {
        let mut tables = Tables::default();
        for frame in self.journal.read(Lsn::FIRST)? {
            let frame = match frame {
                Ok(frame) => frame,
                // It is among the damage that was found.
                Err(JournalError::Damaged(_)) => break,
                Err(error) => return Err(error.into()),
            };
            for stored in frame.records.iter().filter(|stored| stored.lsn() <= last) {
                tables.change(Change::decode(stored.record.kind, &stored.record.bytes)?);
            }
        }
        Ok(tables)
    }
}

/// The tables that a view has.
pub(super) fn tables_of(view: &dyn ViewRead) -> Result<Tables, journal::StoreError> {
    let mut tables = Tables::default();
    for (table, kind) in ROWS {
        for row in view.scan(table, journal::KeyRange::all(), journal::Order::Forward)? {
            tables.change(Change::decode(kind, &row?.1)?);
        }
    }
    Ok(tables)
}

impl Tables {
    /// All rows that there are.
    fn keys(&self) -> Vec<RowKey> {
        let domains = self.domains.keys().cloned().map(RowKey::Domain);
        let accounts = self.accounts.keys().cloned().map(RowKey::Account);
        let addresses = self.addresses.values().map(|entry| RowKey::address(&entry.address));
        domains.chain(accounts).chain(addresses).chain(self.secret.map(|_| RowKey::Secret)).collect()
    }
}
