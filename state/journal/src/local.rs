//! A journal in a directory of this host.
//!
//! The directory holds `LOCK`, which the owner has locked, and the segments. Each opening for writing begins a term: a
//! frame without records (a mark) that carries the new epoch. A clean end writes another, so that the last frame with
//! records is known to have been synced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Disk, FileLock, OpenMode};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::error::{Damage, JournalError};
use crate::frame::{self, Heading};
use crate::lsn::{Epoch, Lsn, Place};
use crate::read::Frames;
use crate::record::Record;
use crate::scan::{self, Scan};
use crate::segment::{self, SEGMENT_HEAD_BYTES, Segment};
use crate::tail::Tail;
use crate::walk::Walk;
use crate::{Journal, Synced};

/// How a local journal is kept.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// Bytes of a segment after which the next is begun.
    pub segment_bytes: u64,
    /// The store that it belongs to, in metrics: `spool`, `directory`, `mailstore`.
    pub store: &'static str,
    /// Bytes of the file that keeps room on the disk for times when it is full (`limits::RESERVE_BYTES`); 0 for none.
    pub reserve_bytes: u64,
    /// Free bytes on the disk below which commands that grow are refused (`limits::SPACE_LOW_BYTES`); 0 for never.
    pub space_low_bytes: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { segment_bytes: limits::SEGMENT_BYTES, store: "journal", reserve_bytes: 0, space_low_bytes: 0 }
    }
}

/// Bytes of a frame that is still written and read in one piece.
const FRAME_BYTES_MAX: usize = 1024 * 1024 * 1024;
const LOCK_NAME: &str = "LOCK";

/// A journal in a directory of this host: segments, and a lock that its owner holds. Cheap to clone.
#[derive(Clone)]
pub struct LocalJournal {
    files: Arc<Files>,
    epoch: Epoch,
    damage: Arc<Vec<Damage>>,
    synced: watch::Receiver<Lsn>,
    writer: Arc<Mutex<Writer>>,
}

/// The segments.
pub(crate) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: RwLock<BTreeMap<Lsn, Option<Arc<Segment>>>>,
}

/// What the owner needs to append.
struct Writer {
    settings: JournalSettings,
    segment: Arc<Segment>,
    offset: u64,
    lsn_next: Lsn,
    epoch: Epoch,
    state: State,
    buffer: Vec<u8>,
    /// Gone after the end, so that those who follow see it.
    synced: Option<watch::Sender<Lsn>>,
    lock: Option<Box<dyn FileLock>>,
}

enum State {
    Open,
    Refusing(JournalError),
}

impl LocalJournal {
    /// Opens the journal in `dir` for its one owner, making it if there is none.
    ///
    /// `witness` is the last record that a view has seen (its `applied_lsn`): proof that it was synced, so that its
    /// loss is damage and not a torn tail. Damage of state makes the journal read-only; it opens all the same.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: JournalSettings,
        witness: Lsn,
    ) -> Result<Self, JournalError> {
        disk.create_dir(dir).map_err(JournalError::io(dir))?;
        let lock = lock(&*disk, dir)?;
        let files = Files::list(disk, dir)?;
        let (segment, scan) = files.scan(witness)?;
        let mut writer = Writer::new(settings, segment, &scan, lock);
        match scan.damage.iter().find(|_| scan.is_broken()) {
            Some(damage) => writer.state = State::Refusing(JournalError::Damaged(damage.clone())),
            None => writer.begin(&files, scan.last)?,
        }
        Ok(Self::assemble(files, writer, scan.damage))
    }

    fn assemble(files: Files, mut writer: Writer, damage: Vec<Damage>) -> Self {
        let (sender, synced) = watch::channel(writer.lsn_next);
        writer.synced = Some(sender);
        damage.iter().for_each(|damage| tracing::error!(%damage, "journal is damaged"));
        Self {
            files: Arc::new(files),
            epoch: writer.epoch,
            damage: Arc::new(damage),
            synced,
            writer: Arc::new(Mutex::new(writer)),
        }
    }

    /// Reads everything and says what is not as it was written. Does not stop at the first damage.
    pub fn verify(&self) -> Result<Vec<Damage>, JournalError> {
        let (current, end) = {
            let writer = self.writer.lock();
            (writer.segment.first, writer.offset)
        };
        let mut damage = Vec::new();
        let mut expected: Option<Lsn> = None;
        for first in self.files.firsts(Lsn::ZERO, Lsn(u64::MAX)) {
            let segment = match self.files.segment(first) {
                Err(JournalError::Damaged(headless)) => {
                    damage.push(headless);
                    expected = None;
                    continue;
                }
                segment => segment?,
            };
            damage.extend(expected.filter(|lsn| *lsn != first).map(|lsn| missing(&segment, lsn)));
            let end = if first == current && !self.is_broken() { Ok(end) } else { segment.file.len() };
            let end = end.map_err(JournalError::io(&segment.path))?;
            let (found, next) = scan::verify(&segment, end).map_err(JournalError::io(&segment.path))?;
            damage.extend(found);
            expected = next;
        }
        Ok(damage)
    }

    fn is_broken(&self) -> bool {
        self.damage.iter().any(|damage| damage.class == crate::Class::State)
    }
}

fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn FileLock>, JournalError> {
    let path = dir.join(LOCK_NAME);
    disk.lock(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => JournalError::Owned(dir.to_path_buf()),
        _ => JournalError::io(&path)(error),
    })
}

/// The records from `lsn` on are missing in front of a segment.
fn missing(segment: &Segment, lsn: Lsn) -> Damage {
    Damage { segment: segment.path.clone(), offset: 0, lsn, class: crate::Class::State }
}

impl Files {
    fn list(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, JournalError> {
        let names = disk.list(dir).map_err(JournalError::io(dir))?;
        let firsts = names.iter().filter_map(|name| segment::name_parse(name));
        let segments = RwLock::new(firsts.map(|first| (first, None)).collect());
        Ok(Self { disk, dir: dir.to_path_buf(), segments })
    }

    /// The names of the segments that hold records from `from` on, below `limit`.
    pub fn firsts(&self, from: Lsn, limit: Lsn) -> Vec<Lsn> {
        let segments = self.segments.read();
        let start = segments.range(..=from).next_back().map_or(Lsn::ZERO, |(first, _)| *first);
        segments.range(start..limit.max(start)).map(|(first, _)| *first).collect()
    }

    /// An existing segment, opened at first use.
    pub fn segment(&self, first: Lsn) -> Result<Arc<Segment>, JournalError> {
        if let Some(Some(segment)) = self.segments.read().get(&first) {
            return Ok(segment.clone());
        }
        let opened = Segment::open(&*self.disk, &self.dir, first, OpenMode::Write)?;
        let path = self.dir.join(segment::name(first));
        let headless = Damage { segment: path, offset: 0, lsn: first, class: crate::Class::State };
        let segment = Arc::new(opened.ok_or(JournalError::Damaged(headless))?);
        self.segments.write().insert(first, Some(segment.clone()));
        Ok(segment)
    }

    /// Begins a new segment.
    fn create(&self, first: Lsn, epoch: Epoch) -> Result<Arc<Segment>, JournalError> {
        let segment = Arc::new(Segment::create(&*self.disk, &self.dir, first, epoch)?);
        self.segments.write().insert(first, Some(segment.clone()));
        Ok(segment)
    }

    /// Scans what a view that has seen `witness` will ask for; the last segment in any case.
    fn scan(&self, witness: Lsn) -> Result<(Arc<Segment>, Scan), JournalError> {
        self.last_repair()?;
        let firsts = self.firsts(witness.next(), Lsn(u64::MAX));
        let mut damage = Vec::new();
        let mut expected = None;
        for (index, first) in firsts.iter().enumerate() {
            let segment = match self.segment(*first) {
                Err(JournalError::Damaged(headless)) => {
                    damage.push(headless);
                    return self.scan_end(*first, expected.unwrap_or(*first), damage);
                }
                segment => segment?,
            };
            let last = index + 1 == firsts.len();
            let mut scan = scan::scan(&segment, last, witness)?;
            damage.extend(expected.filter(|lsn| lsn != first).map(|lsn| missing(&segment, lsn)));
            damage.append(&mut scan.damage);
            expected = Some(scan.lsn_next);
            if last || damage.iter().any(|damage| damage.class == crate::Class::State) {
                scan.damage = damage;
                return Ok((segment, scan));
            }
        }
        unreachable!("a journal has a last segment")
    }

    /// The end of a scan at a segment without a whole head: nothing in it can be read, and nothing is appended to it.
    fn scan_end(
        &self,
        first: Lsn,
        lsn_next: Lsn,
        damage: Vec<Damage>,
    ) -> Result<(Arc<Segment>, Scan), JournalError> {
        let segment = Segment::open_headless(&*self.disk, &self.dir, first)?;
        Ok((Arc::new(segment), Scan { lsn_next, epoch: Epoch(0), last: 0, end: 0, damage }))
    }

    /// Sees to it that there is a last segment: forgets one that a crash kept from being made (the one before was whole
    /// and synced by then), and makes the first.
    fn last_repair(&self) -> Result<(), JournalError> {
        let last = self.segments.read().keys().next_back().copied();
        if let Some(last) = last {
            self.unmade_forget(last)?;
        }
        let is_empty = self.segments.read().is_empty();
        if is_empty { self.create(Lsn::FIRST, Epoch(0)).map(drop) } else { Ok(()) }
    }

    /// Removes the segment if it has no whole head and could not have had a frame.
    fn unmade_forget(&self, first: Lsn) -> Result<(), JournalError> {
        if Segment::open(&*self.disk, &self.dir, first, OpenMode::Write)?.is_some() {
            return Ok(());
        }
        let path = self.dir.join(segment::name(first));
        let bytes = self.disk.open(&path, OpenMode::Read).and_then(|file| file.len());
        let is_alone = first != Lsn::FIRST && self.segments.read().len() == 1;
        if is_alone || bytes.map_err(JournalError::io(&path))? > SEGMENT_HEAD_BYTES as u64 {
            return Ok(());
        }
        self.segments.write().remove(&first);
        self.disk.remove(&path).map_err(JournalError::io(&path))
    }

    fn trim(&self, to: Lsn) -> Result<(), JournalError> {
        let mut segments = self.segments.write();
        let keep = segments.range(..=to).next_back().map_or(Lsn::ZERO, |(first, _)| *first);
        let kept = segments.split_off(&keep);
        let gone = std::mem::replace(&mut *segments, kept);
        for first in gone.into_keys() {
            let path = self.dir.join(segment::name(first));
            self.disk.remove(&path).map_err(JournalError::io(&path))?;
        }
        self.disk.sync_dir(&self.dir).map_err(JournalError::io(&self.dir))
    }
}

impl Writer {
    fn new(settings: JournalSettings, segment: Arc<Segment>, scan: &Scan, lock: Box<dyn FileLock>) -> Self {
        Self {
            settings,
            segment,
            offset: scan.end,
            lsn_next: scan.lsn_next,
            epoch: scan.epoch,
            state: State::Open,
            buffer: Vec::new(),
            synced: None,
            lock: Some(lock),
        }
    }

    /// Begins a term: cuts off a torn tail and writes the frame at `last` once more, because a failed sync may have left
    /// it in the cache alone; then the mark, whose presence says that all before it is on the disk.
    fn begin(&mut self, files: &Files, last: u64) -> Result<(), JournalError> {
        let Self { segment, offset, .. } = self;
        let rewrite = || {
            segment.file.set_len(*offset)?;
            segment.file.write_at(&segment.bytes(last, *offset)?, last)?;
            segment.head_write()?;
            files.disk.sync_dir(&files.dir)
        };
        rewrite().map_err(JournalError::io(&segment.path))?;
        self.epoch.0 += 1;
        self.write(&[]).map(drop)
    }

    fn check(&self, expected: Epoch) -> Result<(), JournalError> {
        match &self.state {
            State::Refusing(error) => Err(error.clone()),
            State::Open if expected != self.epoch => {
                Err(JournalError::Fenced { at: self.epoch, writer: expected })
            }
            State::Open => Ok(()),
        }
    }

    fn append(&mut self, files: &Files, records: &[Record]) -> Result<Synced, JournalError> {
        let bytes = frame::encoded_bytes(records);
        if bytes > FRAME_BYTES_MAX {
            return Err(JournalError::TooLarge(bytes));
        }
        let written = self.rotate(files, bytes as u64).and_then(|()| self.write(records));
        written.inspect_err(|error| self.state = State::Refusing(JournalError::Poisoned(error.to_string())))
    }

    /// Begins the next segment if a frame of `bytes` would make this one too large.
    fn rotate(&mut self, files: &Files, bytes: u64) -> Result<(), JournalError> {
        let is_empty = self.segment.first == self.lsn_next;
        if is_empty || self.offset + bytes <= self.settings.segment_bytes {
            return Ok(());
        }
        self.segment = files.create(self.lsn_next, self.epoch)?;
        self.offset = SEGMENT_HEAD_BYTES as u64;
        Ok(())
    }

    /// Writes one frame and syncs it.
    fn write(&mut self, records: &[Record]) -> Result<Synced, JournalError> {
        let heading = Heading {
            salt: self.segment.salt,
            epoch: self.epoch,
            first: self.lsn_next,
            synced: self.lsn_next,
            segment: self.segment.first,
            offset: self.offset,
        };
        let places = frame::encode(&heading, records, &mut self.buffer);
        let file = &self.segment.file;
        file.write_at(&self.buffer, self.offset).map_err(JournalError::io(&self.segment.path))?;
        let began = std::time::Instant::now();
        file.sync_data().map_err(JournalError::io(&self.segment.path))?;
        self.measure(began.elapsed(), records.len());
        self.offset += self.buffer.len() as u64;
        self.buffer.shrink_to(limits::BODY_MEMORY_BYTES_MAX);
        Ok(self.proof(places))
    }

    fn proof(&mut self, places: Vec<Place>) -> Synced {
        self.lsn_next = Lsn(self.lsn_next.0 + places.len() as u64);
        if let Some(synced) = &self.synced {
            synced.send_replace(self.lsn_next);
        }
        Synced { places, lsn_next: self.lsn_next, epoch: self.epoch }
    }

    fn measure(&self, sync: std::time::Duration, records: usize) {
        let store = self.settings.store;
        metrics::counter!("tartan_journal_syncs_total", "store" => store).increment(1);
        metrics::counter!("tartan_journal_records_total", "store" => store).increment(records as u64);
        metrics::counter!("tartan_journal_bytes_total", "store" => store).increment(self.buffer.len() as u64);
        metrics::histogram!("tartan_journal_sync_seconds", "store" => store).record(sync.as_secs_f64());
    }

    fn close(&mut self) -> Result<(), JournalError> {
        let mark = match self.state {
            State::Open => self.write(&[]).map(drop),
            State::Refusing(_) => Ok(()),
        };
        self.state = State::Refusing(JournalError::Closed);
        (self.synced, self.lock) = (None, None);
        mark
    }
}

impl Journal for LocalJournal {
    fn append(&self, expected: Epoch, records: &[Record]) -> Result<Synced, JournalError> {
        let mut writer = self.writer.lock();
        writer.check(expected)?;
        if records.is_empty() { Ok(writer.proof(Vec::new())) } else { writer.append(&self.files, records) }
    }

    fn read(&self, from: Lsn) -> Result<Frames, JournalError> {
        let broken = self.damage.iter().find(|damage| damage.class == crate::Class::State);
        let walk = Walk::new(self.files.clone(), from, *self.synced.borrow(), broken.cloned())?;
        Ok(Frames::new(walk))
    }

    fn tail(&self, from: Lsn) -> Tail {
        let (files, synced) = (self.files.clone(), self.synced.clone());
        let limit = self.synced.clone();
        let read = move |from| Ok(Frames::new(Walk::new(files.clone(), from, *limit.borrow(), None)?));
        Tail::new(Arc::new(read), synced, from)
    }

    fn record_read(&self, place: &Place) -> Result<Bytes, JournalError> {
        let known = self.files.segments.read().contains_key(&place.segment);
        if !known {
            return Err(JournalError::NoRecord(*place));
        }
        let segment = self.files.segment(place.segment)?;
        let bytes = segment.bytes(place.offset, place.offset + u64::from(place.len));
        let bytes = bytes.map_err(JournalError::io(&segment.path))?;
        match crc32c::crc32c(&bytes) == place.checksum {
            true => Ok(bytes.into()),
            false => Err(JournalError::RecordDamaged(*place)),
        }
    }

    fn trim(&self, to: Lsn) -> Result<(), JournalError> {
        self.files.trim(to.min(*self.synced.borrow()))
    }

    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn lsn_next(&self) -> Lsn {
        *self.synced.borrow()
    }

    fn damage(&self) -> Vec<Damage> {
        self.damage.to_vec()
    }

    fn close(&self) -> Result<(), JournalError> {
        self.writer.lock().close()
    }
}
