//! The handle by which all others use the queue.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use disk::{Body, BodyFile, Disk};
use jiff::Timestamp;
use journal::{
    Compaction, CompactionError, CompactionReport, CompactionSettings, FjallView, Journal, JournalError,
    KeyRange, LocalJournal, Order, Room, Sequencer, SequencerError, SequencerHandle, SequencerSettings, View,
};
use parking_lot::Mutex;

use crate::accept::{Accepted, prepare};
use crate::audit::TraceEvent;
use crate::bodies::{BodyDir, unpack};
use crate::claim::Claim;
use crate::codec::note_decode;
use crate::complete::Judge;
use crate::due::{Due, DueRecipient};
use crate::entry::{Entry, Stored};
use crate::error::SpoolError;
use crate::marks::Marks;
use crate::outcome::{Completed, Outcome};
use crate::pause::Pause;
use crate::queue::{Ended, Group as Copies, Queue};
use crate::queue_id::QueueId;
use crate::recent::Recent;
use crate::record::NotePlace;
use crate::reports::{Group, Report, UNREADABLE, Writer};
use crate::retention::Retention;
use crate::routed::Routed;
use crate::settings::SpoolSettings;
use crate::shown::{Shown, SpoolStat};
use crate::store::{
    AUDIT, Adjust, Command, Completion, MESSAGE_ID_OF, MESSAGE_IDS, Reply, SpoolStore, TABLES,
    audit_key_parse, message_id_key,
};
use crate::upkeep::Upkeep;

/// Times that a body is looked for.
const BODY_MOVES_MAX: usize = 3;

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    settings: SpoolSettings,
    queue: Arc<Queue>,
    store: SequencerHandle<SpoolStore>,
    /// Ends before the sequencer does.
    upkeep: Mutex<Option<Upkeep>>,
    sequencer: Mutex<Option<Sequencer<SpoolStore>>>,
    journal: LocalJournal,
    view: Arc<dyn View>,
    /// Where a check makes its view; none for in memory.
    scratch: Option<PathBuf>,
    bodies: BodyDir,
    recent: Recent,
    pause: Pause,
    marks: Marks,
    /// The last queue id given out.
    last: AtomicU64,
}

impl Spool {
    /// Opens the queue in `settings.dir`, making it if there is none. Blocks until it is as the last process left it.
    pub fn open(settings: SpoolSettings, disk: Arc<dyn Disk>) -> Result<Self, SpoolError> {
        disk.create_dir(&settings.dir).map_err(dir_error)?;
        let view = FjallView::open(&settings.dir.join("view"), &TABLES)?;
        let scratch = Some(settings.dir.join("view.check"));
        Self::open_on(settings, disk, Arc::new(view), scratch)
    }

    /// The same with a view in memory, made from the whole journal; for tests on a disk that is not real.
    pub fn open_in_memory(settings: SpoolSettings, disk: Arc<dyn Disk>) -> Result<Self, SpoolError> {
        Self::open_on(settings, disk, Arc::new(journal::MemoryView::new(&TABLES)), None)
    }

    fn open_on(
        settings: SpoolSettings,
        disk: Arc<dyn Disk>,
        view: Arc<dyn View>,
        scratch: Option<PathBuf>,
    ) -> Result<Self, SpoolError> {
        let bodies = BodyDir::new(disk.clone(), settings.dir.join("bodies"));
        disk.create_dir(&bodies.dir).map_err(dir_error)?;
        let journal = open_journal(&settings, disk.clone(), &*view)?;
        let (marks, in_hand) = Marks::open(&*disk, settings.dir.join("attempts"));
        let queue = Arc::new(Queue::default());
        let first_wait = settings.back_off(1);
        let store =
            SpoolStore::new(queue.clone(), bodies.clone(), view.clone(), settings.strikes_max, first_wait);
        let sequencer =
            Sequencer::open(store, Arc::new(journal.clone()), view.clone(), SequencerSettings::new("spool"))?;
        if journal.damage().is_empty() {
            bodies.sweep(&queue).map_err(dir_error)?;
        }
        queue.suspect(in_hand);
        let last = AtomicU64::new(last_queue_id(&*view)?);
        let (store, sequencer) = (sequencer.handle(), Mutex::new(Some(sequencer)));
        let (upkeep, recent) = (Mutex::new(None), Recent::new(settings.recent_bytes_max));
        let inner = Inner {
            settings,
            queue,
            store,
            upkeep,
            sequencer,
            journal,
            view,
            scratch,
            bodies,
            recent,
            pause: Pause::default(),
            marks,
            last,
        };
        inner.upkeep_start()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) fn bodies(&self) -> &BodyDir {
        &self.inner.bodies
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.inner.queue
    }

    /// A name for a message that is about to come in.
    pub fn queue_id_next(&self, now: Timestamp) -> QueueId {
        let first = QueueId::first_of(now).as_u64();
        let next = |last: u64| Some(first.max(last + 1));
        let last = self.inner.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let last = last.expect("the closure always gives a number");
        QueueId::from_u64(first.max(last + 1))
    }

    /// Makes a message durable and takes responsibility for it.
    pub async fn accept(&self, routed: Routed) -> Result<Accepted, SpoolError> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let queue_id = routed.queue_id;
        // What would be refused in the end is not written to a file first.
        if self.inner.store.room() != Room::Enough {
            return Err(SequencerError::NoSpace.into());
        }
        let bodies = self.inner.bodies.clone();
        // The relay may ask for it before this returns.
        self.inner.recent.keep(queue_id, &routed.body);
        let accepted = self.accept_kept(routed, bodies).await;
        if accepted.is_err() {
            self.inner.recent.take(queue_id);
        }
        accepted
    }

    async fn accept_kept(&self, routed: Routed, bodies: BodyDir) -> Result<Accepted, SpoolError> {
        let queue_id = routed.queue_id;
        // Work that takes long, and a file that is written and synced, are not for this thread.
        let incoming = match routed.body.is_file() || routed.body.len() > limits::BODY_CHUNK_BYTES as u64 {
            true => blocking(queue_id, move || prepare(routed, &bodies)).await?,
            false => prepare(routed, &bodies)?,
        };
        match self.inner.store.submit(Command::Accept(Box::new(incoming))).await? {
            Reply::Accepted(accepted) => {
                metrics::counter!("tartan_spool_accepted_total").increment(1);
                Ok(accepted)
            }
            Reply::Taken(queue_id) => Err(SpoolError::Taken(queue_id)),
            _ => unreachable!("an accept is answered so"),
        }
    }

    /// Claims up to `max` copies that are due at `now`, oldest attempts first. None once the store has failed, nor for a while
    /// after there was no room for an outcome: what cannot be recorded must not be tried.
    pub fn due(&self, now: Timestamp, max: usize) -> Vec<Due> {
        if self.failure().is_some() || self.inner.pause.until(now).is_some() {
            return Vec::new();
        }
        self.inner.queue.claim(now, max).into_iter().map(|group| self.due_of(group)).collect()
    }

    fn due_of(&self, group: Copies) -> Due {
        let Copies { entry, indexes } = group;
        let expires = entry.expires(self.inner.settings.expire_after);
        let recipients: Vec<_> = indexes.iter().map(|index| due_recipient(&entry, *index, expires)).collect();
        let first = &entry.recipients[indexes[0] as usize];
        Due {
            queue_id: entry.queue_id,
            origin: entry.origin.clone(),
            reverse_path: entry.reverse_path.clone(),
            params: entry.params.clone(),
            bytes: entry.bytes,
            next_hop: first.route.next_hop.clone(),
            recipients,
            claim: self.claim(entry.queue_id, indexes),
        }
    }

    fn claim(&self, queue_id: QueueId, indexes: Vec<u32>) -> Claim {
        let (queue, store) = (self.inner.queue.clone(), self.inner.store.clone());
        Claim { queue, store, queue_id, indexes, mark: None, on_trial: false, ended: Ended::Dropped }
    }

    /// Says that a copy is about to be tried, so that it is known what was in hand if the process dies of it. None: it was
    /// in hand at such a death too often, and is held now. An error while there is no room to record what comes of it.
    pub async fn begin(&self, mut due: Due) -> Result<Option<Due>, SpoolError> {
        let queue_id = due.queue_id;
        if self.inner.pause.until(Timestamp::now()).is_some() {
            return Err(SequencerError::NoSpace.into());
        }
        if !self.inner.queue.is_suspect(queue_id) {
            due.claim.mark = Some(self.inner.marks.set(queue_id));
            return Ok(Some(due));
        }
        let trial = Command::Adjust { queue_id, adjust: Adjust::Trial, now: Timestamp::now() };
        match self.recorded(self.inner.store.submit(trial).await, Timestamp::now())? {
            Reply::Trial(may_be_tried) => {
                due.claim.on_trial = true;
                Ok(may_be_tried.then_some(due))
            }
            Reply::NotFound(queue_id) => Err(SpoolError::NotFound(queue_id)),
            _ => unreachable!("a trial is answered so"),
        }
    }

    /// Waits until something is due by the clock; others may be quicker to claim it. For ever once the store has failed
    /// ([`Spool::ended`]).
    pub async fn wait_due(&self) {
        loop {
            if self.failure().is_some() {
                return std::future::pending().await;
            }
            let now = Timestamp::now();
            let Some(next) = self.inner.queue.next() else {
                self.inner.queue.changed().await;
                continue;
            };
            let next = self.inner.pause.until(now).map_or(next, |until| until.max(next));
            let Ok(wait) = std::time::Duration::try_from(next.duration_since(now)) else { return };
            if wait.is_zero() {
                return;
            }
            // Either way it looks again.
            let _ = tokio::time::timeout(wait, self.inner.queue.changed()).await;
        }
    }

    /// What keeps the queue from taking anything, if something does: it must be opened again.
    pub fn failure(&self) -> Option<SpoolError> {
        self.inner.store.failure().map(SpoolError::from)
    }

    /// Waits until the queue takes nothing any more, and says why. At once if that is so already, as with damaged state
    /// ([`SpoolError::is_damage`]).
    pub async fn ended(&self) -> SpoolError {
        self.inner.store.ended().await.into()
    }

    /// The message's body.
    pub async fn body(&self, queue_id: QueueId) -> Result<Body, SpoolError> {
        if self.inner.queue.entry(queue_id).is_some()
            && let Some(body) = self.inner.recent.take(queue_id)
        {
            return Ok(body);
        }
        let inner = self.inner.clone();
        blocking(queue_id, move || inner.body(queue_id)).await
    }

    /// Makes durable what came of a copy, with the audit and the reports that follow from it. Recipients without an
    /// outcome are due again as if nothing had been tried.
    ///
    /// `NotFound` if an operator has deleted the message meanwhile: nothing is left to record.
    pub async fn complete(
        &self,
        due: Due,
        outcomes: Vec<Outcome>,
        now: Timestamp,
    ) -> Result<Completed, SpoolError> {
        let judge = Judge { due: &due, settings: &self.inner.settings, now };
        let mut consequences = judge.consequences(outcomes);
        if consequences.is_empty() {
            return Ok(Completed::default());
        }
        let (due, written) = self.reports(due, consequences.reports_take(), now).await?;
        let mut reports = Vec::with_capacity(written.len());
        for (group, written) in written {
            match written {
                Ok(report) => reports.push(report),
                Err(error) => consequences.unreported(&group, &error, now),
            }
        }
        let strike = consequences.strike.take();
        let (progressed, mut notes) = consequences.into_record();
        notes.extend(reports.iter().map(|report| report.note(&due, now)));
        let reports = reports.into_iter().map(|report| report.incoming).collect();
        let claim = Box::new(due.claim);
        let completion = Completion { claim, progressed, notes, reports, strike, now };
        let recorded = self.inner.store.submit_lazy(Command::Complete(Box::new(completion))).await;
        match self.recorded(recorded, now)? {
            Reply::Completed(completed) => Ok(completed),
            Reply::NotFound(queue_id) => Err(SpoolError::NotFound(queue_id)),
            _ => unreachable!("a complete is answered so"),
        }
    }

    /// What came of recording something about an attempt.
    fn recorded(&self, recorded: Result<Reply, SequencerError>, now: Timestamp) -> Result<Reply, SpoolError> {
        match &recorded {
            Ok(_) => self.inner.pause.end(),
            Err(SequencerError::NoSpace) => self.inner.pause.begin(now),
            Err(_) => {}
        }
        Ok(recorded?)
    }

    /// Writes the reports about a copy, one for each group of recipients.
    async fn reports(
        &self,
        due: Due,
        groups: Vec<Group>,
        now: Timestamp,
    ) -> Result<(Due, Vec<(Group, Result<Report, SpoolError>)>), SpoolError> {
        if groups.is_empty() {
            return Ok((due, Vec::new()));
        }
        let body = self.body_or_nothing(due.queue_id).await?;
        let (spool, queue_id) = (self.clone(), due.queue_id);
        blocking(queue_id, move || {
            let Inner { settings, bodies, .. } = &*spool.inner;
            let writer = Writer { due: &due, hostname: &settings.hostname, now, body: &body, bodies };
            let write = |group: &Group| writer.write(spool.queue_id_next(now), &group.recipients);
            let written = groups.into_iter().map(|group| {
                let written = write(&group);
                (group, written)
            });
            let written = written.collect();
            Ok((due, written))
        })
        .await
    }

    /// The message's body; nothing if it cannot be read, so that its sender can be told all the same.
    async fn body_or_nothing(&self, queue_id: QueueId) -> Result<Body, SpoolError> {
        match (self.body(queue_id).await, self.failure()) {
            (Ok(body), _) => Ok(body),
            (Err(error @ SpoolError::NotFound(_)), _) => Err(error),
            (Err(_), Some(failure)) => Err(failure),
            (Err(error), None) => {
                error.fault().log("reading a message to report about", &error);
                Ok(Body::from_bytes(UNREADABLE))
            }
        }
    }

    /// Keeps a message from being tried until [`Spool::retry`] lets it go on.
    pub async fn hold(&self, queue_id: QueueId, reason: &str, now: Timestamp) -> Result<(), SpoolError> {
        self.change(Command::Adjust { queue_id, adjust: Adjust::Hold(reason.to_owned()), now }).await
    }

    /// Lets a held message go on, forgives its strikes, and makes it due at once.
    pub async fn retry(&self, queue_id: QueueId, now: Timestamp) -> Result<(), SpoolError> {
        self.change(Command::Adjust { queue_id, adjust: Adjust::Retry, now }).await
    }

    /// Deletes a message; nobody is told.
    pub async fn delete(&self, queue_id: QueueId, now: Timestamp) -> Result<(), SpoolError> {
        self.change(Command::Delete { queue_id, now }).await
    }

    async fn change(&self, command: Command) -> Result<(), SpoolError> {
        match self.inner.store.submit(command).await? {
            Reply::NotFound(queue_id) => Err(SpoolError::NotFound(queue_id)),
            _ => Ok(()),
        }
    }

    /// All messages in the queue, oldest first.
    pub fn list(&self) -> Vec<Shown> {
        self.inner.queue.entries().iter().map(|entry| entry.shown()).collect()
    }

    /// One message.
    pub fn show(&self, queue_id: QueueId) -> Option<Shown> {
        self.inner.queue.entry(queue_id).map(|entry| entry.shown())
    }

    /// The way of a message, oldest step first; it outlives the message.
    pub fn trace(&self, queue_id: QueueId) -> Result<Vec<TraceEvent>, SpoolError> {
        let rows = self.inner.view.scan(AUDIT, KeyRange::prefix(&queue_id.key()), Order::Forward)?;
        rows.map(|row| {
            let (key, value) = row?;
            Ok(trace_event(queue_id, &key, &value)?)
        })
        .collect()
    }

    /// The `Message-ID` of a message, without its angle brackets; it outlives the message.
    pub fn message_id_of(&self, queue_id: QueueId) -> Result<Option<String>, SpoolError> {
        let row = self.inner.view.get(MESSAGE_ID_OF, &queue_id.key())?;
        Ok(row.map(|id| String::from_utf8_lossy(&id).into_owned()))
    }

    /// The messages that had this `Message-ID` (with or without its angle brackets), oldest first.
    pub fn message_id_find(&self, message_id: &str) -> Result<Vec<QueueId>, SpoolError> {
        let message_id = message_id.trim().trim_start_matches('<').trim_end_matches('>');
        let prefix = message_id_key(message_id, None);
        let rows = self.inner.view.scan(MESSAGE_IDS, KeyRange::prefix(&prefix), Order::Forward)?;
        let queue_id = |key: &[u8]| key.get(prefix.len()..)?.try_into().ok().map(u64::from_be_bytes);
        let ids = rows.map(|row| Ok(row.map(|(key, _)| queue_id(&key).map(QueueId::from_u64))?));
        ids.filter_map(Result::transpose).collect()
    }

    /// Forgets the audit of messages that are gone for longer than [`SpoolSettings::audit_retention`]; how many these were.
    /// Blocks: not for an async task.
    pub fn audit_forget(&self, now: Timestamp) -> Result<u64, SpoolError> {
        self.inner.retention().forget(now)
    }

    pub(crate) fn journal(&self) -> &LocalJournal {
        &self.inner.journal
    }

    pub(crate) fn view(&self) -> &Arc<dyn View> {
        &self.inner.view
    }

    /// Where a check makes its view; none for in memory.
    pub(crate) fn scratch_dir(&self) -> Option<PathBuf> {
        self.inner.scratch.clone()
    }

    /// Reads all of a body.
    pub(crate) fn body_whole(&self, queue_id: QueueId) -> Result<(), SpoolError> {
        let entry = self.inner.queue.entry(queue_id).ok_or(SpoolError::NotFound(queue_id))?;
        let body = self.inner.body(queue_id)?;
        let failed = |error| SpoolError::Body { queue_id, error: Arc::new(error) };
        let chunks = body.chunks(limits::BODY_CHUNK_BYTES);
        let lens = chunks.map(|chunk| chunk.map(|chunk| chunk.len() as u64));
        let bytes: u64 = lens.sum::<Result<_, _>>().map_err(failed)?;
        if bytes == entry.bytes { Ok(()) } else { Err(SpoolError::BodyDamaged(queue_id)) }
    }

    /// One round of compaction, beside what goes on by itself. Blocks: not for an async task.
    pub fn compact(&self, settings: CompactionSettings) -> Result<CompactionReport, CompactionError> {
        self.inner.compaction(settings).run_once()
    }

    /// The queue in numbers.
    pub fn stat(&self) -> SpoolStat {
        self.inner.queue.stat()
    }

    /// Ends in good order: what waits is answered, nothing more is taken. Other clones get errors.
    pub fn stop(&self) -> Result<(), SpoolError> {
        drop(self.inner.upkeep.lock().take());
        let sequencer = self.inner.sequencer.lock().take();
        let stopped = sequencer.map_or(Ok(()), Sequencer::stop);
        self.inner.queue.wake();
        Ok(stopped?)
    }
}

impl Inner {
    fn compaction(&self, settings: CompactionSettings) -> Compaction<SpoolStore> {
        Compaction::new(self.store.clone(), self.journal.clone(), self.view.clone(), settings)
    }

    /// A queue that has failed is left as it is.
    fn upkeep_start(&self) -> Result<(), SpoolError> {
        if let Some(settings) = &self.settings.compaction
            && self.store.failure().is_none()
        {
            let compactor = self.compaction(settings.clone()).start().map_err(dir_error)?;
            let upkeep = Upkeep::start(compactor, self.retention()).map_err(dir_error)?;
            *self.upkeep.lock() = Some(upkeep);
        }
        Ok(())
    }

    fn retention(&self) -> Retention {
        let (queue, store, view) = (self.queue.clone(), self.store.clone(), self.view.clone());
        Retention { queue, store, view, keep: self.settings.audit_retention }
    }

    /// Compaction may move a body while it is looked for: then it is looked for again.
    fn body(&self, queue_id: QueueId) -> Result<Body, SpoolError> {
        let find = || {
            let entry = self.queue.entry(queue_id).ok_or(SpoolError::NotFound(queue_id))?;
            self.body_read(&entry)
        };
        let mut found = find();
        for _ in 1..BODY_MOVES_MAX {
            if !matches!(
                &found,
                Err(SpoolError::Sequencer(SequencerError::Journal(JournalError::SegmentGone(_))))
            ) {
                break;
            }
            found = find();
        }
        found
    }

    fn body_read(&self, entry: &Entry) -> Result<Body, SpoolError> {
        let queue_id = entry.queue_id;
        let failed = |error| SpoolError::Body { queue_id, error: Arc::new(error) };
        match entry.body {
            Stored::File => {
                let file = BodyFile::open(self.bodies.disk.clone(), self.bodies.path(queue_id));
                Ok(Body::from_file(file.map_err(failed)?))
            }
            Stored::Journal(packing, place) => {
                let place = place.ok_or(SpoolError::BodyDamaged(queue_id))?;
                let stored = self.journal.record_read(&place).map_err(|error| match error {
                    JournalError::RecordDamaged(_) => SpoolError::BodyDamaged(queue_id),
                    error => error.into(),
                })?;
                let bytes = unpack(packing, stored, entry.bytes).ok_or(SpoolError::BodyDamaged(queue_id))?;
                Ok(Body::from_bytes(bytes))
            }
        }
    }
}

fn open_journal(
    settings: &SpoolSettings,
    disk: Arc<dyn Disk>,
    view: &dyn View,
) -> Result<LocalJournal, SpoolError> {
    let journal = journal::JournalSettings { store: "spool", ..settings.journal.clone() };
    let dir: &Path = &settings.dir.join("journal");
    Ok(LocalJournal::open(disk, dir, journal, view.applied_lsn())?)
}

/// The largest queue id that the audit knows.
fn last_queue_id(view: &dyn View) -> Result<u64, SpoolError> {
    let last = view.scan(AUDIT, KeyRange::all(), Order::Reverse)?.next().transpose()?;
    Ok(last.and_then(|(key, _)| audit_key_parse(&key)).map_or(0, |(queue_id, _)| queue_id.as_u64()))
}

fn due_recipient(entry: &Entry, index: u32, expires: Timestamp) -> DueRecipient {
    let copy = &entry.recipients[index as usize];
    DueRecipient {
        index,
        recipient: copy.route.recipient.clone(),
        address: copy.route.address().clone(),
        attempts: copy.progress.attempts,
        expires,
        delay_reported: copy.progress.delay_reported,
    }
}

fn trace_event(queue_id: QueueId, key: &[u8], value: &[u8]) -> Result<TraceEvent, journal::StoreError> {
    let note = note_decode(value)?;
    let (_, NotePlace { lsn, .. }) = audit_key_parse(key).ok_or(journal::DecodeError::Truncated)?;
    Ok(TraceEvent {
        time: note.time,
        queue_id,
        role: note.role.into(),
        session: note.session.map(String::from),
        event: note.event,
        text: note.text,
        source: format!("spool record {lsn}"),
    })
}

fn dir_error(error: std::io::Error) -> SpoolError {
    SpoolError::Dir(Arc::new(error))
}

/// Runs what blocks on a thread made for it.
async fn blocking<T: Send + 'static>(
    queue_id: QueueId,
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    let lost = |error| SpoolError::Body { queue_id, error: Arc::new(std::io::Error::other(error)) };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(lost(error)))
}
