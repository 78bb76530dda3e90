//! `check`: whether what the queue shows is what its journal says, and whether all of it can be read.
//!
//! A check goes through everything, names what it finds and stops at nothing. It changes nothing; a view that differs can be
//! made again by [`Spool::check_dir`] where nobody uses the queue. What the journal has lost nothing here brings back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::Disk;
use journal::{
    FjallView, Journal, KeyRange, Lsn, MemoryView, Order, Row, Table, View, ViewBatch, ViewError, ViewRead,
};
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Stored};
use crate::error::SpoolError;
use crate::queue_id::QueueId;
use crate::settings::SpoolSettings;
use crate::spool::Spool;
use crate::store::{SpoolStore, TABLES, entries_load};

/// Findings that are kept one by one; further ones are counted.
const FINDINGS_MAX: usize = 10_000;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Messages in the queue.
    pub messages: u64,
    /// Bodies that were read.
    pub bodies: u64,
    /// What is not as it should be, the first ones in full.
    pub findings: Vec<Finding>,
    /// How many there are beyond those.
    pub findings_more: u64,
    /// Whether the view was made again and is sound now.
    pub repaired: bool,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where.
    pub kind: FindingKind,
    /// The message that it concerns.
    pub queue_id: Option<QueueId>,
    /// What is wrong.
    pub what: String,
}

/// Where something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingKind {
    /// In the journal: it cannot be mended here.
    Journal,
    /// In the view: it can be made again.
    View,
    /// In the bytes of a message.
    Body,
}

impl CheckReport {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn is_view_unsound(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind == FindingKind::View)
    }

    fn add(&mut self, kind: FindingKind, queue_id: Option<QueueId>, what: impl fmt::Display) {
        match self.findings.len() < FINDINGS_MAX {
            true => self.findings.push(Finding { kind, queue_id, what: what.to_string() }),
            false => self.findings_more += 1,
        }
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, bodies, findings, findings_more, repaired } = self;
        findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        if *findings_more > 0 {
            writeln!(f, "and {findings_more} more")?;
        }
        write!(f, "{messages} messages, {bodies} bodies checked: ")?;
        match findings.len() as u64 + findings_more {
            0 => write!(f, "all is well"),
            found => write!(f, "{found} things are wrong"),
        }?;
        if *repaired { write!(f, "; the view was made again and is sound") } else { Ok(()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FindingKind::Journal => "journal",
            FindingKind::View => "view",
            FindingKind::Body => "body",
        };
        write!(f, "{kind}:")?;
        self.queue_id.iter().try_for_each(|queue_id| write!(f, " message {queue_id}:"))?;
        write!(f, " {}", self.what)
    }
}

impl Spool {
    /// Checks the whole queue, which may be in use. Blocks, and takes as long as reading the journal does.
    pub fn check(&self) -> Result<CheckReport, SpoolError> {
        let mut report = CheckReport::default();
        for damage in self.journal().verify()? {
            report.add(FindingKind::Journal, None, damage);
        }
        let maintained = self.view_check(&mut report)?;
        for entry in entries_load(&*maintained)? {
            report.messages += 1;
            self.body_check(&entry, &mut report);
        }
        Ok(report)
    }

    /// Checks a queue that nobody uses. With `repair`, a view that differs from its journal is made again; what is found
    /// then is what was found before. Blocks.
    pub fn check_dir(
        settings: SpoolSettings,
        disk: Arc<dyn Disk>,
        repair: bool,
    ) -> Result<CheckReport, SpoolError> {
        let settings = SpoolSettings { compaction: None, ..settings };
        let spool = Self::open(settings.clone(), disk.clone())?;
        let mut report = spool.check()?;
        spool.stop()?;
        if repair && report.is_view_unsound() {
            spool.view().clear()?;
            spool.view().sync()?;
            drop(spool);
            let spool = Self::open(settings, disk)?;
            report.repaired = !spool.check()?.is_view_unsound();
            spool.stop()?;
        }
        Ok(report)
    }

    /// Replays the journal and compares what comes of it with the view as it is now, which is given back. Compaction waits
    /// meanwhile.
    fn view_check(&self, report: &mut CheckReport) -> Result<Box<dyn ViewRead>, SpoolError> {
        let _pin = self.journal().pin();
        let maintained = self.view().snapshot();
        let scratch = Scratch::new(self.scratch_dir())?;
        self.rebuild(&scratch.view, maintained.applied_lsn())?;
        for table in TABLES {
            compare(table, &*maintained, &*scratch.view, report)?;
        }
        Ok(maintained)
    }

    /// Makes a view of all records up to `last`, by the code that maintains the other one.
    fn rebuild(&self, view: &Arc<dyn View>, last: Lsn) -> Result<(), SpoolError> {
        let mut store = SpoolStore::for_check(view.clone());
        for frame in self.journal().read(Lsn::FIRST)? {
            let frame = match frame {
                Ok(frame) => frame,
                // It is among the damage that was found.
                Err(journal::JournalError::Damaged(_)) => break,
                Err(error) => return Err(error.into()),
            };
            if frame.records.is_empty() || frame.first > last {
                continue;
            }
            let mut batch = ViewBatch::new();
            for stored in &frame.records {
                journal::Store::apply(&mut store, stored.lsn(), &stored.record, &stored.place, &mut batch)?;
            }
            view.apply(Lsn(frame.lsn_next().0 - 1), batch)?;
            store.settle();
        }
        Ok(())
    }

    /// A message that has gone since is not looked for.
    fn body_check(&self, entry: &Entry, report: &mut CheckReport) {
        match self.body_whole(entry.queue_id) {
            Ok(()) => report.bodies += 1,
            Err(SpoolError::NotFound(_)) => {}
            Err(error) => {
                let place = match entry.body {
                    Stored::File => "its file".to_owned(),
                    Stored::Journal(_, Some(place)) => {
                        format!("record {} in segment {}", place.lsn, place.segment)
                    }
                    Stored::Journal(_, None) => "nowhere".to_owned(),
                };
                report.add(FindingKind::Body, Some(entry.queue_id), format_args!("{error} ({place})"));
            }
        }
    }
}

/// Walks through a table of both views in step.
fn compare(
    table: Table,
    maintained: &dyn ViewRead,
    rebuilt: &dyn ViewRead,
    report: &mut CheckReport,
) -> Result<(), SpoolError> {
    let mut left = maintained.scan(table, KeyRange::all(), Order::Forward)?.peekable();
    let mut right = rebuilt.scan(table, KeyRange::all(), Order::Forward)?.peekable();
    loop {
        let (left_key, right_key) = (key(left.peek())?, key(right.peek())?);
        let Some(key) = left_key.iter().chain(&right_key).min().cloned() else { return Ok(()) };
        let left = if left_key.as_ref() == Some(&key) { left.next().transpose()? } else { None };
        let right = if right_key.as_ref() == Some(&key) { right.next().transpose()? } else { None };
        if left != right {
            report.add(FindingKind::View, queue_id_of(table, &key), difference(table, &key, &left, &right));
        }
    }
}

fn key(row: Option<&Result<Row, ViewError>>) -> Result<Option<Bytes>, ViewError> {
    row.map(|row| row.as_ref().map(|(key, _)| key.clone()).map_err(Clone::clone)).transpose()
}

/// All tables but one begin their keys with it, and that one ends them so.
fn queue_id_of(table: Table, key: &[u8]) -> Option<QueueId> {
    let number = if table == crate::store::MESSAGE_IDS { key.last_chunk() } else { key.first_chunk() };
    number.map(|number| QueueId::from_u64(u64::from_be_bytes(*number)))
}

fn difference(table: Table, key: &[u8], left: &Option<Row>, right: &Option<Row>) -> String {
    let what = match (left, right) {
        (Some(_), None) => "a row too many",
        (None, _) => "a row too few",
        (Some(_), Some(_)) => "a row that differs from what the journal says",
    };
    format!("{what} in table {}, key {key:02x?}", table.0)
}

/// A view that is made for a check and removed after it.
struct Scratch {
    view: Arc<dyn View>,
    dir: Option<PathBuf>,
}

impl Scratch {
    /// On disk where the other one is, since a large one would not fit in memory.
    fn new(dir: Option<PathBuf>) -> Result<Self, ViewError> {
        let view: Arc<dyn View> = match &dir {
            None => Arc::new(MemoryView::new(&TABLES)),
            Some(dir) => {
                remove(dir);
                Arc::new(FjallView::open(dir, &TABLES)?)
            }
        };
        Ok(Self { view, dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.view = Arc::new(MemoryView::new(&[]));
        self.dir.iter().for_each(|dir| remove(dir));
    }
}

/// What cannot be removed now is removed by the next check.
fn remove(dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
}
