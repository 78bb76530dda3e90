//! A view on the `fjall` engine.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use parking_lot::RwLock;

use super::{KeyRange, Order, Row, Rows, Table, View, ViewBatch, ViewRead};
use crate::error::ViewError;
use crate::lsn::Lsn;

/// The engine's table for the view's own facts.
const OWN: &str = "_view";
/// The key in it under which the last applied record stands, 8 bytes, big-endian.
const APPLIED: &[u8] = b"applied";
/// The key in it under which the names of the view's tables stand, one a line.
const TABLE_NAMES: &[u8] = b"tables";

/// A view on disk.
///
/// The engine opens its own files: the one exception to "all file access goes through `disk`". Nothing is lost with
/// them; a view that cannot be opened is made again from the journal.
pub struct FjallView {
    database: Database,
    tables: HashMap<Table, Keyspace>,
    own: Keyspace,
    /// The last applied record; readers of a pair of rows and number hold it while they take a snapshot.
    applied: RwLock<Lsn>,
    /// Where one with other tables is kept meanwhile.
    aside: PathBuf,
}

fn engine(error: fjall::Error) -> ViewError {
    let full = match &error {
        fjall::Error::Io(error) => disk::is_no_space(error),
        fjall::Error::Storage(error) => source(error).is_some_and(disk::is_no_space),
        _ => false,
    };
    if full { ViewError::NoSpace } else { ViewError::Engine(error.to_string()) }
}

fn file(error: io::Error) -> ViewError {
    if disk::is_no_space(&error) { ViewError::NoSpace } else { ViewError::Engine(error.to_string()) }
}

fn aside_path(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

/// Moves a view with other tables aside. If one is there already, it was made again from that and not to the end: then the
/// first is the one to keep.
fn aside(dir: &Path) -> Result<(), ViewError> {
    let aside = aside_path(dir);
    if aside.exists() {
        return fs::remove_dir_all(dir).map_err(file);
    }
    tracing::info!(view = %dir.display(), aside = %aside.display(), "a view with other tables is made again");
    fs::rename(dir, &aside).map_err(file)
}

impl FjallView {
    /// Opens the view in `dir` with these tables, making what is missing. One that is damaged is removed and begun anew.
    /// One with other tables, which a program of another version has made, is moved aside and begun anew; it is removed
    /// when the new one has seen the whole journal ([`View::settle`]), so that damage on the way there never costs what
    /// the old one shows. One that another process has open, or that the disk will not give, is an error.
    pub fn open(dir: &Path, tables: &[Table]) -> Result<Self, ViewError> {
        let view = Self::open_there(dir, tables).or_else(|error| {
            if !is_damage(&error) {
                return Err(engine(error));
            }
            tracing::warn!(view = %dir.display(), %error, "view is damaged and is made again from the journal");
            fs::remove_dir_all(dir).map_err(file)?;
            Self::open_there(dir, tables).map_err(engine)
        })?;
        let names = names(tables);
        let known = view.own.get(TABLE_NAMES).map_err(engine)?;
        if view.applied_lsn() == Lsn::ZERO {
            // A `clear` that a crash cut short leaves rows but no number.
            return view.begin(&names);
        }
        if known.as_deref() == Some(names.as_bytes()) {
            return Ok(view);
        }
        drop(view);
        aside(dir)?;
        Self::open_there(dir, tables).map_err(engine)?.begin(&names)
    }

    /// Begins a view from nothing.
    fn begin(self, names: &str) -> Result<Self, ViewError> {
        self.clear()?;
        self.own.insert(TABLE_NAMES, names).map_err(engine)?;
        Ok(self)
    }

    fn open_there(dir: &Path, tables: &[Table]) -> fjall::Result<Self> {
        let database = Database::builder(dir).open()?;
        let keyspace = |name: &str| database.keyspace(name, KeyspaceCreateOptions::default);
        let own = keyspace(OWN)?;
        let tables =
            tables.iter().map(|table| Ok((*table, keyspace(table.0)?))).collect::<fjall::Result<_>>()?;
        let applied = RwLock::new(applied_read(own.get(APPLIED)?.as_deref())?);
        Ok(Self { database, tables, own, applied, aside: aside_path(dir) })
    }

    fn reader(&self) -> FjallSnapshot {
        let applied = self.applied.read();
        FjallSnapshot { snapshot: self.database.snapshot(), tables: self.tables.clone(), applied: *applied }
    }
}

fn names(tables: &[Table]) -> String {
    tables.iter().map(|table| table.0).collect::<Vec<_>>().join("\n")
}

fn applied_read(bytes: Option<&[u8]>) -> fjall::Result<Lsn> {
    let Some(bytes) = bytes else { return Ok(Lsn::ZERO) };
    let bytes = bytes.try_into().map_err(|_| fjall::Error::Unrecoverable)?;
    Ok(Lsn(u64::from_be_bytes(bytes)))
}

/// The disk's error behind one of the storage layer.
fn source(error: &dyn std::error::Error) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

/// Whether an error at opening is of the files, so that others in their place would do.
fn is_damage(error: &fjall::Error) -> bool {
    let damaged = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
        )
    };
    match error {
        fjall::Error::Locked | fjall::Error::Poisoned | fjall::Error::KeyspaceDeleted => false,
        fjall::Error::Io(error) => damaged(error),
        // The storage layer's own type is not ours to name; its source is.
        fjall::Error::Storage(error) => source(error).is_none_or(damaged),
        _ => true,
    }
}

fn table(tables: &HashMap<Table, Keyspace>, table: Table) -> Result<&Keyspace, ViewError> {
    tables.get(&table).ok_or(ViewError::NoTable(table.0))
}

fn row(guard: fjall::Guard) -> Result<Row, ViewError> {
    let (key, value) = guard.into_inner().map_err(engine)?;
    Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
}

fn rows(iter: fjall::Iter, order: Order) -> Rows {
    match order {
        Order::Forward => Box::new(iter.map(row)),
        Order::Reverse => Box::new(iter.rev().map(row)),
    }
}

impl ViewRead for FjallView {
    fn get(&self, name: Table, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        let value = table(&self.tables, name)?.get(key).map_err(engine)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, name: Table, range: KeyRange, order: Order) -> Result<Rows, ViewError> {
        // By way of a snapshot: the engine shows rows of a batch one by one to readers without one.
        self.reader().scan(name, range, order)
    }

    fn applied_lsn(&self) -> Lsn {
        *self.applied.read()
    }
}

impl View for FjallView {
    fn apply(&self, lsn: Lsn, batch: ViewBatch) -> Result<(), ViewError> {
        let mut changes = self.database.batch();
        for (name, key, value) in batch.into_changes() {
            let table = table(&self.tables, name)?;
            match value {
                Some(value) => changes.insert(table, &key[..], &value[..]),
                None => changes.remove(table, &key[..]),
            }
        }
        changes.insert(&self.own, APPLIED, lsn.0.to_be_bytes());
        let mut applied = self.applied.write();
        changes.commit().map_err(engine)?;
        *applied = lsn;
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn ViewRead> {
        Box::new(self.reader())
    }

    fn clear(&self) -> Result<(), ViewError> {
        let mut applied = self.applied.write();
        self.own.remove(APPLIED).map_err(engine)?;
        for table in self.tables.values() {
            table.clear().map_err(engine)?;
        }
        *applied = Lsn::ZERO;
        Ok(())
    }

    fn settle(&self) -> Result<(), ViewError> {
        if self.aside.exists() { fs::remove_dir_all(&self.aside).map_err(file) } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), ViewError> {
        self.database.persist(PersistMode::SyncAll).map_err(engine)
    }
}

struct FjallSnapshot {
    snapshot: Snapshot,
    tables: HashMap<Table, Keyspace>,
    applied: Lsn,
}

impl ViewRead for FjallSnapshot {
    fn get(&self, name: Table, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        let value = self.snapshot.get(table(&self.tables, name)?, key).map_err(engine)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, name: Table, range: KeyRange, order: Order) -> Result<Rows, ViewError> {
        let table = table(&self.tables, name)?;
        if range.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        Ok(rows(self.snapshot.range(table, (range.start, range.end)), order))
    }

    fn applied_lsn(&self) -> Lsn {
        self.applied
    }
}
