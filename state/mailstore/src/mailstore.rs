//! The handle by which everyone uses the store.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use disk::Disk;
use jiff::Timestamp;
use journal::{
    Class, Compaction, CompactionError, CompactionReport, CompactionSettings, Compactor, FjallView, Journal,
    JournalSettings, KeyRange, LocalJournal, MemoryView, Order, Room, Sequencer, SequencerError,
    SequencerHandle, SequencerSettings, View,
};
use parking_lot::Mutex;

use crate::bodies::Bodies;
use crate::check;
use crate::codec::decoded;
use crate::command::{Command, Reply, TransferPlace};
use crate::fresh::Fresh;
use crate::id::TransferId;
use crate::pieces::Turns;
use crate::purge::{PurgeWorker, Rounds};
use crate::rows::{self, UnplacedRow};
use crate::sequenced::Sequenced;
use crate::shared::Shared;
use crate::{AccountMailbox, MailstoreError, MailstoreSettings, ViewKind};

/// A mail store: one partition, that is one journal with its view. Cheap to clone.
#[derive(Clone)]
pub struct Mailstore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) bodies: Bodies,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) local: LocalJournal,
    /// Where a check makes its view; none for in memory.
    pub(crate) scratch: Option<PathBuf>,
    pub(crate) account_mailboxes: Vec<AccountMailbox>,
    /// Turns of changes of several pieces.
    pub(crate) turns: Turns,
    /// One purge at a time, and how far they have come.
    pub(crate) purging: tokio::sync::Mutex<Rounds>,
    handle: SequencerHandle<Sequenced>,
    running: Mutex<Running>,
}

/// The threads of a store.
#[derive(Default)]
struct Running {
    purges: Option<PurgeWorker>,
    compactor: Option<Compactor>,
    sequencer: Option<Sequencer<Sequenced>>,
}

impl Mailstore {
    /// Opens the store, making it if there is none, and replays what the view has not seen. Blocks.
    pub fn open(settings: MailstoreSettings, disk: Arc<dyn Disk>) -> Result<Self, MailstoreError> {
        let bodies_dir = settings.dir.join("bodies");
        disk.create_dir(&bodies_dir)?;
        let view = view_open(&settings)?;
        let local = journal_open(&settings, &disk, &*view)?;
        let journal: Arc<dyn Journal> = Arc::new(local.clone());
        let shared = Arc::new(Shared::new(view.clone(), settings.snapshot_bytes_max));
        let sequencer = Sequencer::open(
            Sequenced::new(shared.clone(), Fresh::new()?),
            journal.clone(),
            view.clone(),
            SequencerSettings::new("mailstore"),
        )?;
        restored(&settings.dir, &*disk, &sequencer.handle())?;
        shared.load()?;
        let bodies = Bodies::new(disk, bodies_dir, journal.clone(), view, settings.rendered_bytes_max);
        let inner = Inner {
            shared,
            bodies,
            journal,
            local,
            scratch: check::scratch_dir(&settings),
            account_mailboxes: settings.account_mailboxes.clone(),
            turns: Turns::default(),
            purging: tokio::sync::Mutex::default(),
            handle: sequencer.handle(),
            running: Mutex::new(Running { sequencer: Some(sequencer), ..Running::default() }),
        };
        let store = Self { inner: Arc::new(inner) };
        store.tidy()?;
        store.start(&settings)?;
        Ok(store)
    }

    /// Starts what goes on by itself.
    fn start(&self, settings: &MailstoreSettings) -> Result<(), MailstoreError> {
        if self.has_ended() {
            return Ok(());
        }
        let mut running = self.inner.running.lock();
        if let Some(every) = settings.purge_interval {
            running.purges = Some(PurgeWorker::start(&self.inner, every, settings.retention)?);
        }
        if let Some(settings) = settings.compaction.clone() {
            running.compactor = Some(self.compaction(settings).start()?);
        }
        Ok(())
    }

    /// Compacts all segments of the journal that qualify now. Blocks. The owner's thread does so by itself
    /// ([`MailstoreSettings::compaction`]).
    pub fn compact(&self, settings: CompactionSettings) -> Result<CompactionReport, CompactionError> {
        self.compaction(settings).run_once()
    }

    fn compaction(&self, settings: CompactionSettings) -> Compaction<Sequenced> {
        let inner = &self.inner;
        Compaction::new(inner.handle.clone(), inner.local.clone(), inner.shared.view.clone(), settings)
    }

    /// Answers what waits and closes the journal. Later changes fail; files are let go with the last handle. Blocks.
    pub fn stop(&self) -> Result<(), MailstoreError> {
        let Running { purges, compactor, sequencer } = std::mem::take(&mut *self.inner.running.lock());
        drop(compactor);
        let stopped = sequencer.map_or(Ok(()), |sequencer| Ok(sequencer.stop()?));
        // A purge under way has been refused its next step by now.
        drop(purges);
        stopped
    }

    /// Refuses what grows while there is little room, before anything is written for it.
    pub(crate) fn room_check(&self) -> Result<(), MailstoreError> {
        match self.inner.handle.room() {
            Room::Enough => Ok(()),
            Room::Low | Room::Full => Err(SequencerError::NoSpace.into()),
        }
    }

    /// Whether the store takes no changes any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.inner.handle.failure().is_some()
    }

    /// Waits until the store takes no changes any more, and says why. At once if that is so already, as with damaged state
    /// ([`SequencerError::is_damage`]).
    pub async fn ended(&self) -> SequencerError {
        self.inner.handle.ended().await
    }

    /// Clears away what a crash cut short: copies that were not committed, files that no record names. While state is
    /// damaged nothing is touched: records behind the damage may name what seems to be left over.
    fn tidy(&self) -> Result<(), MailstoreError> {
        if self.inner.journal.damage().iter().any(|damage| damage.class == Class::State) {
            return Ok(());
        }
        for command in self.transfers_unfinished()? {
            match submitted(&self.inner.handle, command) {
                Err(error) if error.is_no_space() => {
                    tracing::warn!(%error, "a large copy is brought to its end at the next start");
                    break;
                }
                done => done?,
            };
        }
        let swept = self.inner.bodies.sweep()?;
        if swept > 0 {
            metrics::counter!("tartan_mailstore_files_swept_total").increment(swept as u64);
            tracing::info!(files = swept, "removed bodies of appends that were not finished");
        }
        Ok(())
    }

    /// What brings large copies to an end: those that were committed are placed, others aborted.
    fn transfers_unfinished(&self) -> Result<Vec<Command>, MailstoreError> {
        let view = self.inner.shared.view.snapshot();
        let (mut committed, mut commands) = (HashSet::new(), Vec::new());
        for row in view.scan(rows::UNPLACED, KeyRange::all(), Order::Forward)? {
            let (key, row) = row?;
            let (mailbox, transfer) = rows::unplaced_key_parts(&key)?;
            let pieces = decoded::<UnplacedRow>(&row)?.pieces.into_iter();
            let bytes = limits::BULK_MESSAGES_BYTES_MAX;
            let place = |index| Command::TransferPlace(TransferPlace { mailbox, transfer, index, bytes });
            commands.extend(pieces.map(|piece| place(piece.index)));
            committed.insert(transfer);
        }
        for row in view.scan(rows::TRANSFERS, KeyRange::all(), Order::Forward)? {
            let key = row?.0;
            let id = key.first_chunk().map(|bytes| TransferId(u64::from_be_bytes(*bytes)));
            let transfer = id.ok_or(MailstoreError::Damaged("key of a transfer"))?;
            if committed.insert(transfer) {
                commands.push(Command::TransferAbort(transfer));
            }
        }
        Ok(commands)
    }

    /// Submits what nobody waits for, behind other bulk work; a store that has failed does it when it is opened again.
    pub(crate) fn submit_bulk_detached(&self, command: Command) {
        drop(self.inner.handle.submit_bulk_detached(command));
    }

    pub(crate) async fn submit(&self, command: Command) -> Result<Reply, MailstoreError> {
        accepted(self.inner.handle.submit(command).await?)
    }

    pub(crate) async fn submit_bulk(&self, command: Command) -> Result<Reply, MailstoreError> {
        accepted(self.inner.handle.submit_bulk(command).await?)
    }
}

/// A mark in the directory of a store that was brought back from a backup and has not been opened since.
const RESTORED: &str = "RESTORED";

/// What was given out after the backup is not given out again. A crash in between, and it is done once more.
fn restored(dir: &Path, disk: &dyn Disk, handle: &SequencerHandle<Sequenced>) -> Result<(), MailstoreError> {
    let is_restored = disk.list(dir)?.iter().any(|name| name == RESTORED);
    if !is_restored || handle.failure().is_some() {
        return Ok(());
    }
    submitted(handle, Command::Restored)?;
    disk.remove(&dir.join(RESTORED))?;
    disk.sync_dir(dir)?;
    tracing::warn!(
        "the mail store was brought back from a backup; uids and modseqs go on beyond what was given out after it"
    );
    Ok(())
}

/// Waits in a thread of its own, since the caller's may be one that must not wait in this way.
fn submitted(handle: &SequencerHandle<Sequenced>, command: Command) -> Result<Reply, MailstoreError> {
    let done = thread::scope(|scope| scope.spawn(|| handle.submit_blocking(command)).join());
    accepted(done.map_err(|_| MailstoreError::TaskDied)??)
}

fn accepted(reply: Reply) -> Result<Reply, MailstoreError> {
    match reply {
        Reply::Refused(error) => Err(error),
        reply => Ok(reply),
    }
}

fn view_open(settings: &MailstoreSettings) -> Result<Arc<dyn View>, MailstoreError> {
    Ok(match settings.view {
        ViewKind::Memory => Arc::new(MemoryView::new(&rows::TABLES)),
        ViewKind::Disk => Arc::new(FjallView::open(&settings.dir.join("view"), &rows::TABLES)?),
    })
}

fn journal_open(
    settings: &MailstoreSettings,
    disk: &Arc<dyn Disk>,
    view: &dyn View,
) -> Result<LocalJournal, MailstoreError> {
    let MailstoreSettings { segment_bytes, reserve_bytes, space_low_bytes, .. } = *settings;
    let journal_settings = JournalSettings {
        segment_bytes,
        store: "mailstore",
        reserve_bytes,
        space_low_bytes,
        ..JournalSettings::default()
    };
    let dir: &Path = &settings.dir.join("journal");
    let journal = LocalJournal::open(disk.clone(), dir, journal_settings, view.applied_lsn())?;
    for damage in journal.damage() {
        tracing::error!(%damage, "the mail store's journal is damaged");
    }
    Ok(journal)
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}
