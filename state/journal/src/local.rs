//! A journal in a directory of this host.
//!
//! The directory holds `LOCK`, which the owner has locked, segments, and gaps (`names.rs`). Each opening for writing begins
//! a term: a frame without records (a mark) that carries the new epoch. A clean end writes another, so that the last
//! frame with records is known to have been synced.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use disk::{Disk, FileLock, OpenMode};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::{Damage, JournalError};
use crate::files::{Files, Pin};
use crate::gap::Gap;
use crate::lsn::{Epoch, Lsn, Place};
use crate::names;
use crate::read::Frames;
use crate::record::{Class, Record};
use crate::space::Space;
use crate::tail::Tail;
use crate::walk::Walk;
use crate::writer::{State, Writer};
use crate::{Journal, Room, Synced, inspect};

/// How a local journal is kept.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// Bytes of a segment after which the next is begun.
    pub segment_bytes: u64,
    /// Bytes of zeros that are written ahead of frames, so that most syncs do not make the file longer; 0 for none.
    pub ahead_bytes: u64,
    /// The store that it belongs to, in metrics: `spool`, `directory`, `mailstore`.
    pub store: &'static str,
    /// Bytes of the file that keeps room on the disk for times when it is full (`limits::RESERVE_BYTES`); 0 for none.
    pub reserve_bytes: u64,
    /// Free bytes on the disk below which commands that grow are refused (`limits::SPACE_LOW_BYTES`); 0 for never.
    pub space_low_bytes: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            segment_bytes: limits::SEGMENT_BYTES,
            ahead_bytes: limits::SEGMENT_AHEAD_BYTES,
            store: "journal",
            reserve_bytes: 0,
            space_low_bytes: 0,
        }
    }
}

/// A journal in a directory of this host: segments, and a lock that its owner holds. Cheap to clone.
#[derive(Clone)]
pub struct LocalJournal {
    files: Arc<Files>,
    epoch: Epoch,
    damage: Arc<Vec<Damage>>,
    /// Damage that only a replay has met with.
    damage_late: Arc<OnceLock<Damage>>,
    synced: watch::Receiver<Lsn>,
    space: Arc<Space>,
    writer: Arc<Mutex<Writer>>,
    store: &'static str,
}

/// A file of a journal as a backup takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFile {
    /// Its name in the journal's directory.
    pub name: String,
    /// Its first bytes, so many: all of a sealed segment or a gap, of the last segment those that are synced.
    pub bytes: u64,
    /// Whether it never changes any more, so that a copy from before is still good.
    pub is_sealed: bool,
}

impl LocalJournal {
    /// Opens the journal in `dir` for its one owner, making it if there is none.
    ///
    /// `witness` is the last record that a view has seen (its `applied_lsn`): proof that it was synced, so that its
    /// loss is damage and not a torn tail. Damage of state makes the journal read-only; it opens all the same. So does a
    /// disk that is full in spite of the reserve: the journal can be read, and takes records when there is room again.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: JournalSettings,
        witness: Lsn,
    ) -> Result<Self, JournalError> {
        disk.create_dir(dir).map_err(JournalError::io(dir))?;
        let lock = lock(&*disk, dir)?;
        let space = Space::new(disk.clone(), dir, &settings);
        let files = Files::list(disk, dir, OpenMode::Write)?;
        files.tidy()?;
        let (segment, scan) = files.scan(witness)?;
        let mut writer = Writer::new(settings.clone(), segment, &scan, lock);
        match scan.damage.iter().find(|_| scan.is_broken()) {
            Some(damage) => writer.state = State::Refusing(JournalError::Damaged(damage.clone())),
            None => writer.begin(&files, &space)?,
        }
        space.begin();
        let (sender, synced) = watch::channel(writer.lsn_next);
        writer.synced = Some(sender);
        scan.damage.iter().for_each(|damage| tracing::error!(%damage, "journal is damaged"));
        Ok(Self {
            files: Arc::new(files),
            epoch: writer.epoch,
            damage: Arc::new(scan.damage),
            damage_late: Arc::default(),
            synced,
            space: Arc::new(space),
            writer: Arc::new(Mutex::new(writer)),
            store: settings.store,
        })
    }

    /// Reads everything and says what is not as it was written. Does not stop at the first damage.
    pub fn verify(&self) -> Result<Vec<Damage>, JournalError> {
        let (current, end) = {
            let writer = self.writer.lock();
            (writer.segment.first, writer.offset)
        };
        let end = (!self.is_broken()).then_some((current, end));
        inspect::damage(&self.files, end)
    }

    /// Keeps all segments in place until the pin is dropped: compaction waits meanwhile.
    pub fn pin(&self) -> Pin {
        self.files.pin()
    }

    /// What a backup copies: gaps, sealed segments, and what is synced of the last. The pin keeps them in place.
    pub fn backup_files(&self, _pin: &Pin) -> Result<Vec<JournalFile>, JournalError> {
        let writer = self.writer.lock();
        let current = writer.segment.first;
        let mut files = self.files.sealed_files(current)?;
        files.push(JournalFile { name: names::segment(current), bytes: writer.offset, is_sealed: false });
        Ok(files)
    }

    /// Records that are not there any more, in ascending order.
    pub fn gaps(&self) -> Vec<Gap> {
        self.files.gaps()
    }

    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    pub(crate) fn store(&self) -> &'static str {
        self.store
    }

    /// The segments to which nothing is added any more, each with the number after its last record.
    pub(crate) fn sealed(&self) -> Vec<(Lsn, Lsn)> {
        let current = self.writer.lock().segment.first;
        self.files.sealed(current)
    }

    /// Puts a gap in the place of the segments within it, with the room of the reserve if need be; false while all are kept.
    pub(crate) fn segments_replace(&self, gap: Gap) -> Result<bool, JournalError> {
        match self.files.replace(gap) {
            Err(error) if error.is_no_space() => {
                self.space.release();
                self.files.replace(gap)
            }
            replaced => replaced,
        }
    }

    fn is_broken(&self) -> bool {
        self.damage.iter().any(|damage| damage.class == Class::State)
    }
}

/// Takes the owner's lock of a journal.
pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn FileLock>, JournalError> {
    let path = dir.join(names::LOCK);
    disk.lock(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => JournalError::Owned(dir.to_path_buf()),
        _ => JournalError::io(&path)(error),
    })
}

impl Journal for LocalJournal {
    fn append(&self, expected: Epoch, records: &[Record]) -> Result<Synced, JournalError> {
        let mut writer = self.writer.lock();
        writer.check(expected)?;
        match records.is_empty() {
            true => Ok(writer.proof(Vec::new())),
            false => writer.append(&self.files, &self.space, records),
        }
    }

    fn read(&self, from: Lsn) -> Result<Frames, JournalError> {
        let broken = self.damage.iter().find(|damage| damage.class == Class::State);
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
        self.files.check(place)?;
        let segment = self.files.segment(place.segment).map_err(|error| match error {
            JournalError::Compacted(_) => JournalError::SegmentGone(*place),
            error => error,
        })?;
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
        self.damage.iter().chain(self.damage_late.get()).cloned().collect()
    }

    fn damage_found(&self, damage: Damage) {
        self.writer.lock().state = State::Refusing(JournalError::Damaged(damage.clone()));
        self.damage_late.get_or_init(|| damage);
    }

    fn lags(&self, applied: Lsn) -> bool {
        applied > Lsn::ZERO && self.files.gaps_reach(applied.next())
    }

    fn room(&self) -> Room {
        let room = self.space.room();
        if room == Room::Enough {
            return room;
        }
        // Whoever has it appends, so that the term has begun.
        let Some(mut writer) = self.writer.try_lock() else { return room };
        // An error other than of room comes back with the next frame.
        let is_begun = writer.begin_again(&self.files, &self.space).is_ok();
        if is_begun { room } else { Room::Full }
    }

    fn close(&self) -> Result<(), JournalError> {
        self.writer.lock().close(&self.space)
    }
}

/// What a backup copies of a store, and what keeps it in place until this is dropped.
pub struct StoreBackup {
    files: Vec<JournalFile>,
    _pins: Vec<Box<dyn Send + Sync>>,
}

impl StoreBackup {
    /// `files` with names from the store's directory on; `pins` keep them there.
    pub fn new(files: Vec<JournalFile>, pins: Vec<Box<dyn Send + Sync>>) -> Self {
        Self { files, _pins: pins }
    }

    /// The files, with names from the store's directory on.
    pub fn files(&self) -> &[JournalFile] {
        &self.files
    }
}
