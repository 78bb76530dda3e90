//! A small store of named values for tests: a value stands in its record or before it as data; a flag changes part of a row.

#![allow(dead_code, clippy::unwrap_used, reason = "a test may, and not each uses all")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use disk::FaultDisk;
use journal::{
    Compaction, CompactionReport, CompactionSettings, DecodeError, Decoder, Encoder, Journal,
    JournalSettings, Key, KeyRange, LocalJournal, Lsn, MemoryView, Needed, Order, Place, Record, Restating,
    Sequencer, SequencerError, SequencerSettings, Staged, Stated, Store, StoreError, Synced, Table, View,
    ViewBatch, ViewError, ViewRead,
};
use parking_lot::Mutex;

pub const DIR: &str = "/journal";
pub const ROWS: Table = Table("rows");

const DATA: u16 = 1;
const PUT: u16 = 2;
const FLAG: u16 = 3;
const DELETED: u16 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The value goes into the record.
    Put(u8, Bytes),
    /// The value goes before the record, as data.
    PutData(u8, Bytes),
    /// Changes a part of what is there.
    Flag(u8, bool),
    Delete(u8),
    Panic,
}

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub value: Value,
    pub flag: bool,
    /// The record that said it last.
    pub lsn: Lsn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Here(Bytes),
    At(Place),
}

impl Row {
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::versioned(1);
        encoder.bool(self.flag);
        encoder.uint(self.lsn.0);
        match &self.value {
            Value::Here(value) => encoder.option(Some(value), |encoder, value| encoder.bytes(value)),
            Value::At(place) => {
                encoder.bool(false);
                place.encode(&mut encoder);
            }
        }
        encoder.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        decoder.version(1)?;
        let (flag, lsn) = (decoder.bool()?, Lsn(decoder.uint()?));
        let here = decoder.option(|decoder| decoder.bytes().map(Bytes::copy_from_slice))?;
        let value = match here {
            Some(value) => Value::Here(value),
            None => Value::At(Place::decode(&mut decoder)?),
        };
        Ok(Self { value, flag, lsn })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(pub u8);

impl Key for Name {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.byte(self.0);
    }
}

/// The store. In memory stand the rows, and what in-flight commands will make of their flags.
#[derive(Default)]
pub struct Values {
    rows: BTreeMap<u8, Row>,
    draft: BTreeMap<u8, bool>,
    /// Records below are in the draft.
    absorbed: Lsn,
    data: Option<Place>,
    /// Answers a restating with "not yet".
    pub busy: Arc<std::sync::atomic::AtomicBool>,
}

fn record(kind: u16, name: u8, rest: impl FnOnce(&mut Encoder)) -> Record {
    let mut encoder = Encoder::versioned(1);
    encoder.byte(name);
    rest(&mut encoder);
    Record::state(kind, encoder.finish())
}

fn put(name: u8, value: Option<&[u8]>, flag: bool) -> Record {
    record(PUT, name, |encoder| {
        encoder.bool(flag);
        encoder.option(value, |encoder, value| encoder.bytes(value));
    })
}

fn name_of(record: &Record) -> Result<(u8, Decoder<'_>), DecodeError> {
    let mut decoder = Decoder::new(&record.bytes);
    decoder.version(1)?;
    Ok((decoder.byte()?, decoder))
}

pub fn row(view: &dyn ViewRead, name: u8) -> Result<Option<Row>, StoreError> {
    let bytes = view.get(ROWS, &[name])?;
    Ok(bytes.map(|bytes| Row::decode(&bytes)).transpose()?)
}

impl Values {
    fn row_set(&mut self, name: u8, row: Option<Row>, batch: &mut ViewBatch) {
        match row {
            Some(row) => {
                batch.put(ROWS, vec![name], row.encode());
                self.rows.insert(name, row);
            }
            None => {
                batch.remove(ROWS, vec![name]);
                self.rows.remove(&name);
            }
        }
    }
}

/// All rows of a view.
pub fn rows(view: &dyn ViewRead) -> Result<BTreeMap<u8, Row>, StoreError> {
    let mut rows = BTreeMap::new();
    for row in view.scan(ROWS, KeyRange::all(), Order::Forward)? {
        let (key, row) = row?;
        rows.insert(key[0], Row::decode(&row)?);
    }
    Ok(rows)
}

impl Store for Values {
    type Key = Name;
    type Command = Command;
    /// Whether anything was changed.
    type Pending = bool;
    type Reply = bool;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        (self.rows, self.absorbed, self.data) = (rows(view)?, Lsn::ZERO, None);
        self.draft = self.rows.iter().map(|(name, row)| (*name, row.flag)).collect();
        Ok(())
    }

    fn weight(command: &Command) -> usize {
        match command {
            Command::Put(_, value) | Command::PutData(_, value) => value.len() + 20,
            _ => 20,
        }
    }

    fn grows(command: &Command) -> bool {
        matches!(command, Command::Put(..) | Command::PutData(..))
    }

    fn stage(&mut self, command: Command, staged: &mut Staged) -> bool {
        match command {
            Command::Put(name, value) => {
                self.draft.insert(name, false);
                staged.push(put(name, Some(&value), false));
            }
            Command::PutData(name, value) => {
                self.draft.insert(name, false);
                staged.push(Record::body(DATA, value));
                staged.push(put(name, None, false));
            }
            Command::Flag(name, flag) => {
                let Some(known) = self.draft.get_mut(&name) else { return false };
                *known = flag;
                staged.push(record(FLAG, name, |encoder| encoder.bool(flag)));
            }
            Command::Delete(name) => {
                if self.draft.remove(&name).is_none() {
                    return false;
                }
                staged.push(record(DELETED, name, |_| ()));
            }
            Command::Panic => panic!("asked for"),
        }
        self.absorbed = staged.lsn_next();
        true
    }

    fn apply(
        &mut self,
        lsn: Lsn,
        record: &Record,
        place: &Place,
        batch: &mut ViewBatch,
    ) -> Result<(), StoreError> {
        if record.kind == DATA {
            self.data = Some(*place);
            return Ok(());
        }
        let (name, mut decoder) = name_of(record)?;
        let row = match record.kind {
            PUT => {
                let flag = decoder.bool()?;
                let here = decoder.option(|decoder| decoder.bytes().map(Bytes::copy_from_slice))?;
                let value = here.map_or_else(|| Value::At(self.data.take().unwrap()), Value::Here);
                Some(Row { value, flag, lsn })
            }
            FLAG => {
                let flag = decoder.bool()?;
                // One that is not known is said in full later.
                self.rows.get(&name).map(|row| Row { flag, lsn, ..row.clone() })
            }
            DELETED => None,
            kind => return Err(StoreError::Kind(kind)),
        };
        self.row_set(name, row, batch);
        if lsn >= self.absorbed {
            self.draft.remove(&name);
            self.draft.extend(self.rows.get(&name).map(|row| (name, row.flag)));
        }
        Ok(())
    }

    fn release(&mut self, changed: bool, _: &Synced) -> bool {
        changed
    }

    fn keys(record: &Record) -> Result<Vec<Name>, StoreError> {
        Ok(vec![Name(name_of(record)?.0)])
    }

    fn needed(view: &dyn ViewRead, stated: &Stated<'_>) -> Result<Needed, StoreError> {
        let (name, _) = name_of(stated.record)?;
        let Some(row) = row(view, name)? else {
            return Ok(Needed { is_removed: true, ..Needed::default() });
        };
        let data = stated.data.is_some_and(|data| row.value == Value::At(data));
        let said_last = row.lsn == stated.place.lsn;
        Ok(Needed {
            state_bytes: if said_last { stated.record.bytes.len() as u64 } else { 0 },
            data,
            is_removed: false,
        })
    }

    fn restate(
        &mut self,
        view: &dyn ViewRead,
        restating: &Restating<Name>,
        staged: &mut Staged,
    ) -> Result<(), StoreError> {
        if self.busy.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(StoreError::NotYet("asked for"));
        }
        for Name(name) in &restating.keys {
            match row(view, *name)? {
                None if restating.held_before(&Name(*name)) => {
                    staged.push(record(DELETED, *name, |_| ()));
                }
                None => {}
                Some(Row { value: Value::Here(value), flag, .. }) => {
                    staged.push(put(*name, Some(&value), flag));
                }
                Some(Row { value: Value::At(place), flag, .. }) => {
                    match restating.carried(&Name(*name), &place) {
                        Some(data) => {
                            staged.push(data.clone());
                            staged.push(put(*name, None, flag));
                        }
                        // The data stays where it is, and with it the record behind it.
                        None => {
                            staged.push(record(FLAG, *name, |encoder| encoder.bool(flag)));
                        }
                    }
                }
            }
        }
        // What is said anew is in the draft, and perhaps outdated there.
        self.absorbed = staged.lsn_next();
        Ok(())
    }
}

/// A view that loses at a crash what was applied since its last sync, or a part of it.
pub struct LogView {
    view: MemoryView,
    applied: Mutex<Vec<(Lsn, ViewBatch)>>,
    synced: Mutex<usize>,
}

impl Default for LogView {
    fn default() -> Self {
        Self { view: MemoryView::new(&[ROWS]), applied: Mutex::default(), synced: Mutex::default() }
    }
}

impl LogView {
    /// What a crash leaves of it; `chance` says how much of what was not synced.
    pub fn crash(&self, chance: usize) -> Self {
        let (mut applied, synced) = (self.applied.lock().clone(), *self.synced.lock());
        applied.truncate(synced + chance % (applied.len() - synced + 1));
        let left = Self::default();
        for (lsn, batch) in &applied {
            left.view.apply(*lsn, batch.clone()).unwrap();
        }
        *left.synced.lock() = applied.len();
        *left.applied.lock() = applied;
        left
    }
}

impl ViewRead for LogView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        self.view.get(table, key)
    }

    fn scan(&self, table: Table, range: KeyRange, order: Order) -> Result<journal::Rows, ViewError> {
        self.view.scan(table, range, order)
    }

    fn applied_lsn(&self) -> Lsn {
        self.view.applied_lsn()
    }
}

impl View for LogView {
    fn apply(&self, lsn: Lsn, batch: ViewBatch) -> Result<(), ViewError> {
        self.applied.lock().push((lsn, batch.clone()));
        self.view.apply(lsn, batch)
    }

    fn snapshot(&self) -> Box<dyn ViewRead> {
        self.view.snapshot()
    }

    fn clear(&self) -> Result<(), ViewError> {
        self.applied.lock().clear();
        *self.synced.lock() = 0;
        self.view.clear()
    }

    fn sync(&self) -> Result<(), ViewError> {
        *self.synced.lock() = self.applied.lock().len();
        Ok(())
    }
}

/// An open store.
pub struct Opened {
    pub sequencer: Sequencer<Values>,
    pub journal: LocalJournal,
    pub view: Arc<LogView>,
    pub busy: Arc<std::sync::atomic::AtomicBool>,
}

pub fn settings(segment_bytes: u64) -> JournalSettings {
    JournalSettings { segment_bytes, ahead_bytes: 0, store: "values", ..JournalSettings::default() }
}

pub fn open_with(
    disk: &FaultDisk,
    view: LogView,
    settings: JournalSettings,
) -> Result<Opened, SequencerError> {
    let view = Arc::new(view);
    let journal = LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), settings, view.applied_lsn())?;
    let store = Values::default();
    let busy = store.busy.clone();
    let sequencer =
        Sequencer::open(store, Arc::new(journal.clone()), view.clone(), SequencerSettings::new("values"))?;
    Ok(Opened { sequencer, journal, view, busy })
}

/// With a view made from nothing and small segments.
pub fn open(disk: &FaultDisk) -> Result<Opened, SequencerError> {
    open_with(disk, LogView::default(), settings(600))
}

impl Opened {
    pub fn submit(&self, command: Command) -> Result<bool, SequencerError> {
        self.sequencer.handle().submit_blocking(command)
    }

    pub fn compaction(&self) -> Compaction<Values> {
        let (handle, journal) = (self.sequencer.handle(), self.journal.clone());
        Compaction::new(handle, journal, self.view.clone(), CompactionSettings::eager())
    }

    pub fn compact(&self) -> CompactionReport {
        self.compaction().run_once().unwrap()
    }

    /// What the store shows: each value with its flag.
    pub fn shown(&self) -> BTreeMap<u8, (Bytes, bool)> {
        shown(&self.journal, &*self.view)
    }
}

pub fn shown(journal: &LocalJournal, view: &dyn ViewRead) -> BTreeMap<u8, (Bytes, bool)> {
    let value = |value: Value| match value {
        Value::Here(value) => value,
        Value::At(place) => journal.record_read(&place).unwrap(),
    };
    rows(view).unwrap().into_iter().map(|(name, row)| (name, (value(row.value), row.flag))).collect()
}

/// A view made from all that a journal holds, `times` over.
pub fn rebuilt(journal: &LocalJournal, times: usize) -> MemoryView {
    let view = MemoryView::new(&[ROWS]);
    let mut store = Values::default();
    for _ in 0..times {
        for frame in journal.read(Lsn::FIRST).unwrap() {
            let frame = frame.unwrap();
            let mut batch = ViewBatch::new();
            for stored in &frame.records {
                store.apply(stored.lsn(), &stored.record, &stored.place, &mut batch).unwrap();
            }
            view.apply(Lsn(frame.lsn_next().0 - 1), batch).unwrap();
        }
    }
    view
}
