//! The files of a journal: segments, and the gaps between them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Disk, OpenMode};
use parking_lot::{Mutex, RwLock};

use crate::error::{Damage, JournalError};
use crate::gap::{self, Gap, GapKind, Gaps};
use crate::local::JournalFile;
use crate::lsn::{Epoch, Lsn, Place};
use crate::names::{self, Named};
use crate::record::Class;
use crate::scan::{self, Scan};
use crate::segment::{SEGMENT_HEAD_BYTES, Segment};

/// How often a directory that changes meanwhile is looked at again.
const LISTINGS_MAX: usize = 10;

/// The segments, opened at first use, and the gaps.
pub(crate) struct Files {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    mode: OpenMode,
    segments: RwLock<BTreeMap<Lsn, Option<Arc<Segment>>>>,
    gaps: RwLock<Gaps>,
    /// Gaps whose files are damaged.
    gaps_damaged: Vec<Damage>,
    /// Names that a crash has left behind.
    leftovers: Vec<String>,
    /// How many want all files to stay.
    pins: Mutex<usize>,
    /// Held by a round of compaction.
    pub compacting: Mutex<()>,
}

/// Keeps segments from being removed, for a backup. They are let go when it is dropped.
pub struct Pin {
    files: Arc<Files>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        *self.files.pins.lock() -= 1;
    }
}

impl Files {
    /// Finds the files in `dir`; with `OpenMode::Write` for the owner, with `Read` for those who look. Changes nothing.
    pub fn list(disk: Arc<dyn Disk>, dir: &Path, mode: OpenMode) -> Result<Self, JournalError> {
        for _ in 0..LISTINGS_MAX {
            match Self::list_once(disk.clone(), dir, mode) {
                // Beside an owner: it has joined gaps between the look at the names and that at the files.
                Err(JournalError::Io { error, path }) if is_gone(&error) && path != dir => {}
                listed => return listed,
            }
        }
        Self::list_once(disk, dir, mode)
    }

    fn list_once(disk: Arc<dyn Disk>, dir: &Path, mode: OpenMode) -> Result<Self, JournalError> {
        let names = disk.list(dir).map_err(JournalError::io(dir))?;
        let named: Vec<_> = names.iter().map(|name| names::parse(name)).collect();
        let (found, damaged) = gap::read_all(&*disk, dir, &named)?;
        let gaps = Gaps::new(found);
        let of_segment = |named: &Named| if let Named::Segment(first) = named { Some(*first) } else { None };
        let in_gap = |first: &Lsn| gaps.holding(*first).is_some();
        let segments: BTreeMap<_, _> = named
            .iter()
            .filter_map(of_segment)
            .filter(|first| !in_gap(first))
            .map(|first| (first, None))
            .collect();
        let is_left = |named: &Named| match named {
            Named::Segment(first) => in_gap(first),
            Named::Gap(first) => !gaps.starts(*first) && !damaged.contains(first),
            Named::Keys(first) => !segments.contains_key(first),
            Named::Temporary => true,
            Named::Other => false,
        };
        let leftovers =
            names.iter().zip(&named).filter(|(_, named)| is_left(named)).map(|(name, _)| name.clone());
        Ok(Self {
            leftovers: leftovers.collect(),
            gaps_damaged: damaged
                .into_iter()
                .map(|first| state_missing(&dir.join(names::gap(first)), first))
                .collect(),
            disk,
            dir: dir.to_path_buf(),
            mode,
            segments: RwLock::new(segments),
            gaps: RwLock::new(gaps),
            pins: Mutex::new(0),
            compacting: Mutex::new(()),
        })
    }

    /// Removes what crashes have left behind: files that were not finished, and what stands within gaps.
    pub fn tidy(&self) -> Result<(), JournalError> {
        for name in &self.leftovers {
            let path = self.dir.join(name);
            self.disk.remove(&path).map_err(JournalError::io(&path))?;
        }
        Ok(())
    }

    /// The names of the segments that hold records from `from` on, below `limit`.
    pub fn firsts(&self, from: Lsn, limit: Lsn) -> Vec<Lsn> {
        let segments = self.segments.read();
        let start = segments.range(..=from).next_back().map_or(Lsn::ZERO, |(first, _)| *first);
        segments.range(start..limit.max(start)).map(|(first, _)| *first).collect()
    }

    /// All segments before that of `current`, each with the number after its last record.
    pub fn sealed(&self, current: Lsn) -> Vec<(Lsn, Lsn)> {
        let (firsts, gaps) = (self.firsts(Lsn::ZERO, current), self.gaps.read());
        let behind = firsts.iter().copied().skip(1).chain([current]);
        let end =
            |(first, next): (Lsn, Lsn)| (first, gaps.first_from(first).map_or(next, |gap| gap.min(next)));
        firsts.iter().copied().zip(behind).map(end).collect()
    }

    /// An existing segment, opened at first use. `Compacted` if it has been removed meanwhile.
    pub fn segment(&self, first: Lsn) -> Result<Arc<Segment>, JournalError> {
        match self.segments.read().get(&first) {
            Some(Some(segment)) => return Ok(segment.clone()),
            Some(None) => {}
            None => return Err(JournalError::Compacted(first)),
        }
        let opened = Segment::open(&*self.disk, &self.dir, first, self.mode);
        let mut segments = self.segments.write();
        let Some(known) = segments.get_mut(&first) else { return Err(JournalError::Compacted(first)) };
        let segment = Arc::new(opened?.ok_or_else(|| JournalError::Damaged(self.headless(first)))?);
        Ok(known.insert(segment).clone())
    }

    fn headless(&self, first: Lsn) -> Damage {
        state_missing(&self.dir.join(names::segment(first)), first)
    }

    /// Begins a new segment.
    pub fn create(&self, first: Lsn, epoch: Epoch) -> Result<Arc<Segment>, JournalError> {
        let segment = Arc::new(Segment::create(&*self.disk, &self.dir, first, epoch)?);
        self.segments.write().insert(first, Some(segment.clone()));
        Ok(segment)
    }

    /// What keeps a record's segment from being read, if it is not among the segments.
    pub fn check(&self, place: &Place) -> Result<(), JournalError> {
        if self.segments.read().contains_key(&place.segment) {
            return Ok(());
        }
        Err(match self.gaps.read().holding(place.segment).map(|gap| gap.kind) {
            Some(GapKind::Compacted) => JournalError::SegmentGone(*place),
            _ => JournalError::NoRecord(*place),
        })
    }

    /// The gaps, in ascending order.
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.read().iter().copied().collect()
    }

    /// Where records go on at or after `lsn`.
    pub fn skip(&self, lsn: Lsn) -> Lsn {
        self.gaps.read().skip(lsn)
    }

    /// Whether records at or above `lsn` are not there any more.
    pub fn gaps_reach(&self, lsn: Lsn) -> bool {
        self.gaps.read().reach(lsn)
    }

    /// Gaps whose files are damaged.
    pub fn gaps_damaged(&self) -> &[Damage] {
        &self.gaps_damaged
    }

    /// Keeps all files until the pin is dropped.
    pub fn pin(self: &Arc<Self>) -> Pin {
        *self.pins.lock() += 1;
        Pin { files: self.clone() }
    }

    /// Whether all files are to stay.
    pub fn is_pinned(&self) -> bool {
        *self.pins.lock() > 0
    }

    /// Puts a gap in the place of all segments within it; false, and nothing is done, while all are to stay.
    pub fn replace(&self, gap: Gap) -> Result<bool, JournalError> {
        let pins = self.pins.lock();
        if *pins > 0 {
            return Ok(false);
        }
        let (joined, swallowed) = self.gaps.read().join(gap);
        joined.write(&*self.disk, &self.dir)?;
        self.gaps.write().insert(joined);
        let gone: Vec<_> = {
            let mut segments = self.segments.write();
            segments.extract_if(gap.first..gap.next, |_, _| true).map(|(first, _)| first).collect()
        };
        let within = swallowed.iter().filter(|old| old.first != joined.first);
        let mut names: Vec<_> = within.map(|old| names::gap(old.first)).collect();
        names.extend(gone.iter().flat_map(|first| [names::segment(*first), names::keys(*first)]));
        names.iter().try_for_each(|name| self.remove(name))?;
        self.disk.sync_dir(&self.dir).map_err(JournalError::io(&self.dir))?;
        Ok(true)
    }

    /// The gaps, and the segments before that of `current`, as a backup takes them.
    pub fn sealed_files(&self, current: Lsn) -> Result<Vec<JournalFile>, JournalError> {
        let gaps = self.gaps().into_iter().map(|gap| names::gap(gap.first));
        let segments = self.firsts(Lsn::ZERO, current).into_iter().map(names::segment);
        let file = |name: String| {
            let path = self.dir.join(&name);
            let bytes = self.disk.open(&path, OpenMode::Read).and_then(|file| file.len());
            Ok(JournalFile { name, bytes: bytes.map_err(JournalError::io(path))?, is_sealed: true })
        };
        gaps.chain(segments).map(file).collect()
    }

    /// Removes a file if it is there.
    fn remove(&self, name: &str) -> Result<(), JournalError> {
        let path = self.dir.join(name);
        match self.disk.remove(&path) {
            Err(error) if is_gone(&error) => Ok(()),
            removed => removed.map_err(JournalError::io(&path)),
        }
    }

    /// Lets go of the segments that hold nothing at or above `to`.
    pub fn trim(&self, to: Lsn) -> Result<(), JournalError> {
        let first = self.firsts(Lsn::ZERO, to.next()).first().copied();
        let keep = self.segments.read().range(..=to).next_back().map(|(first, _)| *first);
        match (first, keep) {
            (Some(first), Some(next)) if first < next => {
                self.replace(Gap { first, next, kind: GapKind::Trimmed }).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What opening finds out.
impl Files {
    /// Scans what a view that has seen `witness` will ask for; the last segment in any case.
    pub fn scan(&self, witness: Lsn) -> Result<(Arc<Segment>, Scan), JournalError> {
        self.last_repair()?;
        let firsts = self.firsts(witness.next(), Lsn(u64::MAX));
        let mut damage = self.gaps_damaged.clone();
        damage.extend(self.front_missing());
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
            damage.extend(self.missing_before(&segment, expected));
            damage.append(&mut scan.damage);
            expected = Some(scan.lsn_next);
            if last || damage.iter().any(|damage| damage.class == Class::State) {
                scan.damage = damage;
                return Ok((segment, scan));
            }
        }
        unreachable!("a journal has a last segment")
    }

    /// The records from `expected` on are missing in front of a segment, unless a gap stands for them.
    pub fn missing_before(&self, segment: &Segment, expected: Option<Lsn>) -> Option<Damage> {
        let expected = self.skip(expected?);
        (expected != segment.first).then(|| state_missing(&segment.path, expected))
    }

    /// The first records are missing, and no gap stands for them.
    pub fn front_missing(&self) -> Option<Damage> {
        let first = self.segments.read().keys().next().copied()?;
        (self.skip(Lsn::FIRST) < first)
            .then(|| state_missing(&self.dir.join(names::segment(first)), Lsn::FIRST))
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
        match self.gaps.read().iter().next_back() {
            _ if !is_empty => Ok(()),
            None => self.create(Lsn::FIRST, Epoch(0)).map(drop),
            // The segment that a gap was left for.
            Some(gap) => Err(JournalError::Damaged(self.headless(gap.next))),
        }
    }

    /// Removes the segment if it has no whole head and could not have had a frame. One that is alone, or behind a gap,
    /// was made long ago: others before it would not have gone otherwise.
    fn unmade_forget(&self, first: Lsn) -> Result<(), JournalError> {
        if Segment::open(&*self.disk, &self.dir, first, OpenMode::Read)?.is_some() {
            return Ok(());
        }
        let path = self.dir.join(names::segment(first));
        let bytes = self.disk.open(&path, OpenMode::Read).and_then(|file| file.len());
        let is_alone = first != Lsn::FIRST && self.segments.read().len() == 1;
        let is_old = is_alone || self.gaps.read().iter().any(|gap| gap.next == first);
        if is_old || bytes.map_err(JournalError::io(&path))? > SEGMENT_HEAD_BYTES as u64 {
            return Ok(());
        }
        self.segments.write().remove(&first);
        self.disk.remove(&path).map_err(JournalError::io(&path))
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// State is missing from the start of a file on.
pub(crate) fn state_missing(path: &Path, lsn: Lsn) -> Damage {
    Damage { segment: path.to_path_buf(), offset: 0, lsn, class: Class::State }
}
