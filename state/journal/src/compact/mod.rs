//! Compaction: segments of which little is needed make room.
//!
//! What a segment speaks of is said anew at the end of the journal, through the sequencer, in front of all else of a frame,
//! so that what is said is what is committed. When that and the view are synced, a gap takes the segment's place. A crash
//! before that leaves the segment where it is, and everything is merely said twice.
//!
//! It takes sealed segments only, the deadest first, at a bounded rate, one batch a frame; deliveries go first. A segment
//! that cannot be read, or whose store says no, stays, and is named.

mod examine;
mod keys;
mod pace;
mod read;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::error::{JournalError, SequencerError, StoreError, ViewError};
use crate::gap::{Gap, GapKind};
use crate::local::LocalJournal;
use crate::lsn::Lsn;
use crate::sequencer::SequencerHandle;
use crate::store::Store;
use crate::view::View;
use examine::Examined;
use pace::{Pace, Stop};
use rewrite::Rewrite;

/// How compaction goes about it.
#[derive(Debug, Clone)]
pub struct CompactionSettings {
    /// A segment of which a smaller share is needed is compacted; 0 to 1.
    pub live_share_max: f64,
    /// How long it is believed what share of a segment is needed.
    pub examine_interval: Duration,
    /// How long the thread waits between two rounds.
    pub round_interval: Duration,
    /// Bytes read and written in a second; 0 for no bound.
    pub bytes_per_second: u64,
}

impl Default for CompactionSettings {
    fn default() -> Self {
        Self {
            live_share_max: 0.5,
            examine_interval: limits::COMPACTION_EXAMINE_TIME,
            round_interval: Duration::from_secs(60),
            bytes_per_second: limits::COMPACTION_BYTES_PER_SECOND,
        }
    }
}

impl CompactionSettings {
    /// Round after round, for tests: all is examined each time, there is no bound on the rate, and whatever is not needed
    /// to nine tenths is compacted.
    pub fn eager() -> Self {
        Self {
            live_share_max: 0.9,
            examine_interval: Duration::ZERO,
            round_interval: Duration::from_millis(20),
            bytes_per_second: 0,
        }
    }
}

/// A round cannot go on.
#[derive(Debug, Clone, Error)]
pub enum CompactionError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The store did not take what was to be said anew, or has ended.
    #[error(transparent)]
    Sequencer(#[from] SequencerError),
    /// The store makes nothing of a record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The view could not be synced.
    #[error(transparent)]
    View(#[from] ViewError),
    /// It was asked to stop.
    #[error("compaction was stopped")]
    Stopped,
}

impl CompactionError {
    /// Whether it is about one segment, so that others may fare better.
    fn is_of_segment(&self) -> bool {
        matches!(
            self,
            Self::Journal(_)
                | Self::Store(_)
                | Self::Sequencer(
                    SequencerError::Store(_) | SequencerError::Journal(JournalError::TooLarge(_))
                )
        )
    }

    fn is_not_yet(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::NotYet(_))
                | Self::Sequencer(SequencerError::Store(StoreError::NotYet(_)))
        )
    }
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactionReport {
    /// Segments whose needed share was found out anew.
    pub examined: usize,
    /// Segments that are gone.
    pub compacted: usize,
    /// Bytes of records that were written for that.
    pub written_bytes: u64,
    /// Bytes of records in the segments that are gone.
    pub freed_bytes: u64,
    /// Segments, by their first record, that had to stay, and why.
    pub stuck: Vec<(Lsn, String)>,
    /// Whether segments are kept in place by a pin, so that nothing was tried.
    pub is_pinned: bool,
}

impl fmt::Display for CompactionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_pinned {
            return f.write_str("segments are kept in place, for a backup; nothing was compacted");
        }
        let Self { examined, compacted, written_bytes, freed_bytes, .. } = self;
        write!(f, "{examined} segments examined, {compacted} compacted: ")?;
        write!(f, "{freed_bytes} bytes freed, {written_bytes} bytes written")?;
        self.stuck.iter().try_for_each(|(first, why)| write!(f, "\nsegment {first} stays: {why}"))
    }
}

/// The segments of a journal, as compaction reads them.
struct Source {
    journal: LocalJournal,
}

/// Compacts the journal of one store.
pub struct Compaction<S: Store> {
    handle: SequencerHandle<S>,
    source: Source,
    view: Arc<dyn View>,
    settings: CompactionSettings,
    stop: Arc<Stop>,
    known: BTreeMap<Lsn, Known>,
    /// Segments that had to stay, so that each is told of once.
    stuck: BTreeSet<Lsn>,
}

/// What is known of a segment, until it is examined again.
struct Known {
    at: Instant,
    /// How long that is believed.
    rest: Duration,
    /// None if it is to be left alone so long.
    examined: Option<Examined>,
}

/// A segment that is found needed again and again is looked at more and more seldom: up to so many intervals apart.
const RESTS_MAX: u32 = 24;
/// Segments that are found dead before a round goes on to compact them: in a large store, looking at all takes hours.
const DEAD_AT_ONCE: usize = 16;

impl Known {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < self.rest
    }
}

impl<S: Store> Compaction<S> {
    /// Of the store behind `handle`, which keeps `journal` and `view`.
    pub fn new(
        handle: SequencerHandle<S>,
        journal: LocalJournal,
        view: Arc<dyn View>,
        settings: CompactionSettings,
    ) -> Self {
        let (stop, known, stuck) = (Arc::default(), BTreeMap::new(), BTreeSet::new());
        Self { handle, source: Source { journal }, view, settings, stop, known, stuck }
    }

    /// Goes on in a thread of its own until it is stopped or the store ends.
    pub fn start(self) -> io::Result<Compactor> {
        let stop = self.stop.clone();
        let name = format!("{}-compactor", self.source.journal.store());
        let thread = thread::Builder::new().name(name).spawn(move || self.run())?;
        Ok(Compactor { stop, thread: Some(thread) })
    }

    fn run(mut self) {
        let store = self.source.journal.store();
        loop {
            match self.run_once() {
                Ok(report) if report.compacted > 0 => tracing::info!(store, %report, "compaction"),
                Ok(_) => {}
                Err(CompactionError::Stopped) => return,
                // The store has told why it ended.
                Err(_) if self.handle.failure().is_some() => return,
                Err(error) => tracing::warn!(store, %error, "compaction makes a pause"),
            }
            if !self.stop.wait(self.settings.round_interval) {
                return;
            }
        }
    }

    /// One round: examines what is due, compacts what qualifies. Blocks. Only one round of a journal runs at a time.
    pub fn run_once(&mut self) -> Result<CompactionReport, CompactionError> {
        let files = self.source.journal.files().clone();
        let _alone = files.compacting.lock();
        if let Some(error) = self.handle.failure() {
            return Err(error.into());
        }
        let mut report = CompactionReport { is_pinned: files.is_pinned(), ..CompactionReport::default() };
        if report.is_pinned {
            return Ok(report);
        }
        let mut pace = Pace::new(self.settings.bytes_per_second, self.stop.clone());
        let sealed: BTreeMap<Lsn, Lsn> = self.source.journal.sealed().into_iter().collect();
        self.known.retain(|first, _| sealed.contains_key(first));
        self.stuck.retain(|first| sealed.contains_key(first));
        let mut due = sealed.iter();
        while !report.is_pinned && self.examine(&mut due, &mut pace, &mut report)? {
            self.compact_dead(&sealed, &mut pace, &mut report)?;
        }
        self.stuck_measure();
        Ok(report)
    }

    /// Compacts what is known to be dead.
    fn compact_dead(
        &mut self,
        sealed: &BTreeMap<Lsn, Lsn>,
        pace: &mut Pace,
        report: &mut CompactionReport,
    ) -> Result<(), CompactionError> {
        for first in self.candidates() {
            // A backup may have begun meanwhile: what is said anew now would be said once more.
            if self.source.journal.files().is_pinned() {
                report.is_pinned = true;
                break;
            }
            let done = self.compact(first, sealed[&first], pace);
            self.settle(first, done, report)?;
        }
        Ok(())
    }

    /// Examines what is due, until there is enough to compact. False if none of that is dead, and all was looked at.
    fn examine<'a>(
        &mut self,
        due: &mut impl Iterator<Item = (&'a Lsn, &'a Lsn)>,
        pace: &mut Pace,
        report: &mut CompactionReport,
    ) -> Result<bool, CompactionError> {
        while self.dead().count() < DEAD_AT_ONCE
            && let Some((first, next)) = due.next()
        {
            if self.known.get(first).is_some_and(Known::is_fresh) {
                continue;
            }
            match self.source.examine::<S>(&*self.view, *first, *next, pace) {
                Ok(examined) => {
                    report.examined += 1;
                    let is_dead = examined.live_share() < self.settings.live_share_max;
                    self.learn(*first, is_dead.then_some(examined));
                }
                Err(error) => self.settle(*first, Err(error), report)?,
            }
        }
        Ok(self.dead().next().is_some())
    }

    /// The segments that are known to be dead, with the share that is needed.
    fn dead(&self) -> impl Iterator<Item = (Lsn, f64)> + '_ {
        let share = |known: &Known| known.examined.as_ref().map(Examined::live_share);
        self.known.iter().filter_map(move |(first, known)| Some((*first, share(known)?)))
    }

    /// What an examination has shown. Of a segment that stays as it was, the next one comes later.
    fn learn(&mut self, first: Lsn, examined: Option<Examined>) {
        let interval = self.settings.examine_interval;
        let rest = match (self.known.get(&first), &examined) {
            (Some(before), None) if before.examined.is_none() => (before.rest * 2).min(interval * RESTS_MAX),
            _ => interval,
        };
        self.known.insert(first, Known { at: Instant::now(), rest, examined });
    }

    /// The segments of which little is needed, those with the least first.
    fn candidates(&self) -> Vec<Lsn> {
        let mut dead: Vec<_> = self.dead().collect();
        dead.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        dead.into_iter().map(|(first, _)| first).collect()
    }

    /// Compacts one segment. Gives the bytes written and freed; none if it is not worth it, or not possible now.
    fn compact(
        &mut self,
        first: Lsn,
        next: Lsn,
        pace: &mut Pace,
    ) -> Result<Option<(u64, u64)>, CompactionError> {
        let Some(examined) = self.known.get(&first).and_then(|known| known.examined.as_ref()) else {
            return Ok(None);
        };
        // Whatever comes of it, it is not dead any more to this round: so that the round ends.
        let freed = examined.bytes;
        let held_before = self.source.held_before::<S>(first, next, pace)?;
        if examined.kept_share(&held_before) >= self.settings.live_share_max {
            self.learn(first, None);
            return Ok(None);
        }
        let Self { source, handle, view, .. } = self;
        let mut rewrite = Rewrite::new(source, handle, &**view, pace, first..next, held_before);
        if self.stuck.contains(&first) {
            // Most likely it has to stay again: nothing is to be written for that.
            rewrite.check()?;
        }
        let written = rewrite.run()?;
        self.view.sync()?;
        let gap = Gap { first, next, kind: GapKind::Compacted };
        if !self.source.journal.segments_replace(gap)? {
            self.learn(first, None);
            return Ok(None);
        }
        self.known.remove(&first);
        self.measure(written, freed);
        Ok(Some((written, freed)))
    }

    /// Takes what came of a segment into the report. An error that is not about this segment alone ends the round.
    fn settle(
        &mut self,
        first: Lsn,
        done: Result<Option<(u64, u64)>, CompactionError>,
        report: &mut CompactionReport,
    ) -> Result<(), CompactionError> {
        match done {
            Ok(None) => {}
            Ok(Some((written, freed))) => {
                self.stuck.remove(&first);
                report.compacted += 1;
                report.written_bytes += written;
                report.freed_bytes += freed;
            }
            Err(error) if error.is_of_segment() => {
                self.learn(first, None);
                if !error.is_not_yet() && self.stuck.insert(first) {
                    let store = self.source.journal.store();
                    tracing::error!(store, segment = %first, %error, "a segment cannot be compacted and stays");
                }
                report.stuck.push((first, error.to_string()));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn measure(&self, written: u64, freed: u64) {
        let store = self.source.journal.store();
        metrics::counter!("tartan_compaction_segments_total", "store" => store).increment(1);
        metrics::counter!("tartan_compaction_written_bytes_total", "store" => store).increment(written);
        metrics::counter!("tartan_compaction_freed_bytes_total", "store" => store).increment(freed);
    }

    fn stuck_measure(&self) {
        let store = self.source.journal.store();
        metrics::gauge!("tartan_compaction_stuck_segments", "store" => store).set(self.stuck.len() as f64);
    }
}

/// The thread of a compaction; stops when it is dropped. To be stopped before its store.
pub struct Compactor {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    /// Stops it and waits for that; a batch in hand is finished.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.stop.ask();
        // A panic was reported where it happened; compaction has ended by it, and nothing else.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
