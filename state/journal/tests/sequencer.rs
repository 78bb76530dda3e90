//! The sequencer, driving a store of counters.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use disk::{Crash, FaultDisk};
use journal::{
    Decoder, Encoder, FjallView, Journal, JournalError, JournalSettings, KeyRange, LocalJournal, Lsn,
    MemoryView, Order, Place, Record, Sequencer, SequencerError, SequencerSettings, Slot, Staged, Store,
    StoreError, Synced, Table, View, ViewBatch, ViewRead,
};
use proptest::prelude::*;
use tokio::task::JoinHandle;

const DIR: &str = "/journal";
const COUNTERS: Table = Table("counters");

/// Named counters. In memory stands what in-flight commands will make of them; the view has what is durable.
#[derive(Default)]
struct Counters {
    values: BTreeMap<String, u64>,
    published: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Command {
    /// Adds, and answers with the new value.
    Add(String, u64),
    /// Answers with the value.
    Look(String),
    /// Breaks the store.
    Panic,
}

struct Pending {
    value: u64,
    slot: Option<Slot>,
}

#[derive(Debug, PartialEq)]
struct Reply {
    value: u64,
    lsn: Option<Lsn>,
}

impl Store for Counters {
    type Key = journal::NoKey;
    type Command = Command;
    type Pending = Pending;
    type Reply = Reply;

    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        for row in view.scan(COUNTERS, KeyRange::all(), Order::Forward)? {
            let (name, value) = row?;
            self.values.insert(String::from_utf8_lossy(&name).into_owned(), Decoder::new(&value).uint()?);
        }
        Ok(())
    }

    fn weight(command: &Command) -> usize {
        if let Command::Add(name, _) = command { name.len() } else { 1 }
    }

    fn stage(&mut self, command: Command, staged: &mut Staged) -> Pending {
        match command {
            Command::Look(name) => {
                Pending { value: self.values.get(&name).copied().unwrap_or_default(), slot: None }
            }
            Command::Add(name, more) => {
                let value = self.values.entry(name.clone()).or_default();
                *value += more;
                let mut encoder = Encoder::versioned(1);
                encoder.text(&name);
                encoder.uint(*value);
                Pending { value: *value, slot: Some(staged.push(Record::state(1, encoder.finish()))) }
            }
            Command::Panic => panic!("asked for"),
        }
    }

    fn apply(&mut self, _: Lsn, record: &Record, _: &Place, batch: &mut ViewBatch) -> Result<(), StoreError> {
        let mut decoder = Decoder::new(&record.bytes);
        decoder.version(1)?;
        let (name, value) = (decoder.text()?.to_owned(), decoder.uint()?);
        self.values.entry(name.clone()).and_modify(|old| *old = value.max(*old)).or_insert(value);
        let mut encoder = Encoder::new();
        encoder.uint(value);
        batch.put(COUNTERS, name, encoder.finish());
        Ok(())
    }

    fn publish(&mut self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&mut self, pending: Pending, synced: &Synced) -> Reply {
        Reply { value: pending.value, lsn: pending.slot.map(|slot| synced.place(slot).lsn) }
    }
}

struct Opened {
    sequencer: Sequencer<Counters>,
    journal: LocalJournal,
    view: Arc<dyn View>,
    frames: Arc<AtomicU64>,
}

fn open_with(
    disk: &FaultDisk,
    view: Arc<dyn View>,
    settings: SequencerSettings,
) -> Result<Opened, SequencerError> {
    let journal = JournalSettings { segment_bytes: 1_024, ..JournalSettings::default() };
    let journal = LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), journal, view.applied_lsn())?;
    let store = Counters::default();
    let frames = store.published.clone();
    let sequencer = Sequencer::open(store, Arc::new(journal.clone()), view.clone(), settings)?;
    frames.store(0, Ordering::Relaxed);
    Ok(Opened { sequencer, journal, view, frames })
}

fn open(disk: &FaultDisk) -> Result<Opened, SequencerError> {
    open_with(disk, Arc::new(MemoryView::new(&[COUNTERS])), SequencerSettings::new("counters"))
}

fn add(name: &str, more: u64) -> Command {
    Command::Add(name.into(), more)
}

fn rows(view: &dyn ViewRead) -> BTreeMap<String, u64> {
    let rows = view.scan(COUNTERS, KeyRange::all(), Order::Forward).unwrap().map(Result::unwrap);
    rows.map(|(name, value)| {
        (String::from_utf8(name.to_vec()).unwrap(), Decoder::new(&value).uint().unwrap())
    })
    .collect()
}

#[tokio::test]
async fn an_answer_says_what_was_made_durable_and_visible() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    assert_eq!(handle.submit(add("a", 2)).await.unwrap(), Reply { value: 2, lsn: Some(Lsn(1)) });
    assert_eq!(rows(&*opened.view)["a"], 2);
    assert_eq!(handle.submit(add("a", 3)).await.unwrap(), Reply { value: 5, lsn: Some(Lsn(2)) });
    disk.crash(Crash::Power);
    assert_eq!(rows(&*open(&disk).unwrap().view)["a"], 5);
}

#[tokio::test]
async fn a_command_that_stages_nothing_is_answered_without_a_write() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    handle.submit(add("a", 2)).await.unwrap();
    let before = disk.operations();
    assert_eq!(handle.submit(Command::Look("a".into())).await.unwrap(), Reply { value: 2, lsn: None });
    assert_eq!(disk.operations(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_wait_together_share_a_frame() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let tasks: Vec<_> = (0..2_000)
        .map(|_| {
            let handle = opened.sequencer.handle();
            tokio::spawn(async move { handle.submit(add("a", 1)).await.unwrap().value })
        })
        .collect();
    let mut values = Vec::new();
    for task in tasks {
        values.push(task.await.unwrap());
    }
    values.sort_unstable();
    assert_eq!(values, (1..=2_000).collect::<Vec<_>>());
    assert!(opened.frames.load(Ordering::Relaxed) < 2_000, "at least once two of them waited together");
    assert_eq!(rows(&*opened.view)["a"], 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_wait_when_the_queue_is_full_and_nothing_is_dropped() {
    let disk = FaultDisk::new();
    let settings = SequencerSettings { queued_bytes_max: 10, ..SequencerSettings::new("counters") };
    let opened = open_with(&disk, Arc::new(MemoryView::new(&[COUNTERS])), settings).unwrap();
    let name = "a counter with a name longer than the queue";
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let handle = opened.sequencer.handle();
            let name = if number % 2 == 0 { name } else { "a" };
            tokio::spawn(async move { handle.submit(add(name, 1)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(rows(&*opened.view), BTreeMap::from([(name.into(), 50), ("a".into(), 50)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_work_goes_on_in_small_batches() {
    let disk = FaultDisk::new();
    let settings = SequencerSettings { bulk_records_max: 10, ..SequencerSettings::new("counters") };
    let opened = open_with(&disk, Arc::new(MemoryView::new(&[COUNTERS])), settings).unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let handle = opened.sequencer.handle();
            tokio::spawn(async move { handle.submit_bulk(add("bulk", 1)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(rows(&*opened.view)["bulk"], 200);
    let frames = opened.journal.read(Lsn::FIRST).unwrap().map(|frame| frame.unwrap().records.len());
    assert!(frames.max().unwrap() <= 10);
}

/// A store whose lazy commands wait for ever, unless something else moves them.
fn open_lazy(commands_max: usize) -> Opened {
    let settings = SequencerSettings {
        lazy_time_max: Duration::from_secs(24 * 60 * 60),
        lazy_commands_max: commands_max,
        ..SequencerSettings::new("counters")
    };
    open_with(&FaultDisk::new(), Arc::new(MemoryView::new(&[COUNTERS])), settings).unwrap()
}

/// Submits a command lazily; when this returns, it waits in the queue.
async fn lazily(opened: &Opened) -> JoinHandle<u64> {
    let handle = opened.sequencer.handle();
    let task = tokio::spawn(async move { handle.submit_lazy(add("a", 1)).await.unwrap().value });
    tokio::task::yield_now().await;
    assert!(!task.is_finished());
    task
}

#[tokio::test]
async fn lazy_commands_go_with_the_next_frame_in_their_order() {
    let opened = open_lazy(10);
    let (first, second) = (lazily(&opened).await, lazily(&opened).await);
    let usual = opened.sequencer.handle().submit(add("a", 1)).await.unwrap().value;
    assert_eq!((first.await.unwrap(), second.await.unwrap(), usual), (1, 2, 3));
    assert_eq!(opened.frames.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn lazy_commands_go_alone_when_there_are_many_and_when_their_time_has_come() {
    let opened = open_lazy(2);
    let first = lazily(&opened).await;
    let second = opened.sequencer.handle().submit_lazy(add("a", 1)).await.unwrap().value;
    assert_eq!((first.await.unwrap(), second), (1, 2));
    let alone = open(&FaultDisk::new()).unwrap();
    assert_eq!(alone.sequencer.handle().submit_lazy(add("a", 1)).await.unwrap().value, 1);
}

#[tokio::test]
async fn a_stop_answers_lazy_commands() {
    let opened = open_lazy(10);
    let waiting = lazily(&opened).await;
    opened.sequencer.stop().unwrap();
    assert_eq!(waiting.await.unwrap(), 1);
    assert_eq!(rows(&*opened.view)["a"], 1);
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_acknowledged_until_reopened() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    handle.submit(add("a", 1)).await.unwrap();
    disk.fail_nth(1, ErrorKind::Other);
    let failed = handle.submit(add("a", 1)).await;
    assert!(matches!(failed, Err(SequencerError::Journal(JournalError::Io { .. }))), "{failed:?}");
    assert!(handle.failure().is_some(), "who hears of it finds the store failed");
    assert!(handle.submit(add("a", 1)).await.is_err());
    assert!(handle.submit(Command::Look("a".into())).await.is_err());
    assert!(handle.failure().is_some());
    assert_eq!(rows(&*opened.view)["a"], 1);
    assert!(opened.sequencer.stop().is_err());
    let again = open(&disk).unwrap();
    assert_eq!(again.sequencer.handle().submit(add("a", 5)).await.unwrap().value, 6);
}

#[tokio::test]
async fn a_store_that_panics_leaves_nobody_waiting() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    assert!(matches!(handle.submit(Command::Panic).await, Err(SequencerError::Panicked)));
    assert!(matches!(handle.ended().await, SequencerError::Panicked));
    assert!(matches!(handle.submit(add("a", 1)).await, Err(SequencerError::Panicked)));
    assert!(matches!(opened.sequencer.stop(), Err(SequencerError::Panicked)));
}

#[tokio::test]
async fn who_waits_for_the_end_of_a_store_hears_why() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    let ended = tokio::spawn({
        let handle = handle.clone();
        async move { handle.ended().await }
    });
    handle.submit(add("a", 1)).await.unwrap();
    assert!(!ended.is_finished());
    disk.fail_nth(1, ErrorKind::Other);
    handle.submit(add("a", 1)).await.unwrap_err();
    assert!(matches!(ended.await.unwrap(), SequencerError::Journal(JournalError::Io { .. })));
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    opened.sequencer.stop().unwrap();
    assert!(matches!(handle.ended().await, SequencerError::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_takes_no_further_command_once_it_is_full() {
    let disk = FaultDisk::new();
    let settings =
        SequencerSettings { frame_bytes_max: 100, bulk_bytes_max: 100, ..SequencerSettings::new("counters") };
    let opened = open_with(&disk, Arc::new(MemoryView::new(&[COUNTERS])), settings).unwrap();
    let name = "a counter with a name of some forty bytes";
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let handle = opened.sequencer.handle();
            tokio::spawn(async move {
                match number % 2 {
                    0 => handle.submit(add(name, 1)).await,
                    _ => handle.submit_bulk(add(name, 1)).await,
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(rows(&*opened.view)[name], 200);
    let bytes =
        |frame: journal::Frame| frame.records.iter().map(|record| record.record.bytes.len()).sum::<usize>();
    let frames = opened.journal.read(Lsn::FIRST).unwrap().map(|frame| bytes(frame.unwrap()));
    assert!(frames.max().unwrap() <= 300, "each lane may pass its limit by one record");
}

#[tokio::test]
async fn a_command_that_is_too_heavy_is_refused_and_the_store_goes_on() {
    let settings = SequencerSettings { command_bytes_max: 10, ..SequencerSettings::new("counters") };
    let view = Arc::new(MemoryView::new(&[COUNTERS]));
    let opened = open_with(&FaultDisk::new(), view, settings).unwrap();
    let handle = opened.sequencer.handle();
    let refused = handle.submit(add("a name of more than ten bytes", 1)).await;
    assert!(matches!(refused, Err(SequencerError::Journal(JournalError::TooLarge(29)))), "{refused:?}");
    assert!(handle.failure().is_none());
    handle.submit(add("a", 1)).await.unwrap();
}

#[tokio::test]
async fn a_stopped_store_has_answered_what_waited_and_takes_no_more() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    (0..10).for_each(|_| handle.submit_detached(add("a", 1)).unwrap());
    opened.sequencer.stop().unwrap();
    assert!(handle.submit_detached(add("a", 1)).is_err(), "the command comes back");
    assert_eq!(rows(&*opened.view)["a"], 10);
    assert!(matches!(handle.submit(add("a", 1)).await, Err(SequencerError::Stopped)));
    drop((handle, opened.journal));
    assert_eq!(rows(&*open(&disk).unwrap().view)["a"], 10);
}

#[tokio::test]
async fn a_store_with_damaged_state_shows_what_stands_before_it_and_refuses_to_write() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    for more in [1, 2, 4] {
        handle.submit(add("a", more)).await.unwrap();
    }
    let frames: Vec<_> = opened.journal.read(Lsn::FIRST).unwrap().map(Result::unwrap).collect();
    let place = frames[1].records[0].place;
    drop((opened, handle));
    disk.damage(&Path::new(DIR).join(format!("{:020}.seg", 1)), place.offset);
    let opened = open(&disk).unwrap();
    assert_eq!(rows(&*opened.view)["a"], 1);
    let handle = opened.sequencer.handle();
    assert!(handle.failure().is_some_and(|error| error.is_damage()), "before anything was tried");
    assert!(handle.ended().await.is_damage());
    assert!(handle.submit(add("a", 1)).await.is_err());
    assert!(handle.submit(Command::Look("a".into())).await.is_err());
    opened.sequencer.stop().unwrap();
}

#[tokio::test]
async fn a_view_of_another_journal_is_made_again() {
    let view: Arc<dyn View> = Arc::new(MemoryView::new(&[COUNTERS]));
    let mut batch = ViewBatch::new();
    batch.put(COUNTERS, "stranger", Vec::from([1]));
    view.apply(Lsn(9), batch).unwrap();
    let disk = FaultDisk::new();
    let settings = SequencerSettings::new("counters");
    let journal =
        LocalJournal::open(Arc::new(disk), Path::new(DIR), JournalSettings::default(), Lsn::ZERO).unwrap();
    let _sequencer = Sequencer::open(Counters::default(), Arc::new(journal), view.clone(), settings).unwrap();
    assert!(rows(&*view).is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, u64),
    /// The process ends; the view stays as it was `lag` frames ago at most.
    Crash(Crash),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let crash = prop_oneof![Just(Crash::Process), Just(Crash::Power), any::<u64>().prop_map(Crash::Torn)];
    let step = prop_oneof![
        8 => (0u8..4, 1u64..9).prop_map(|(name, more)| Step::Add(name, more)),
        1 => crash.prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_view_maintained_is_the_view_rebuilt(steps in steps()) {
        let disk = FaultDisk::new();
        let mut opened = open(&disk).unwrap();
        let mut model = BTreeMap::<String, u64>::new();
        for step in steps {
            match step {
                Step::Add(name, more) => {
                    let name = format!("counter {name}");
                    let value = model.entry(name.clone()).or_default();
                    *value += more;
                    let reply = opened.sequencer.handle().submit_blocking(Command::Add(name, more)).unwrap();
                    prop_assert_eq!(reply.value, *value);
                }
                Step::Crash(crash) => {
                    let view = opened.view.clone();
                    disk.crash(crash);
                    drop(opened);
                    // One process finds its view, the next has to make it again; the third view is kept on.
                    opened = open(&disk).unwrap();
                    prop_assert_eq!(rows(&*opened.view), rows(&*view));
                    disk.crash(Crash::Power);
                    drop(opened);
                    opened = open_with(&disk, view, SequencerSettings::new("counters")).unwrap();
                }
            }
            prop_assert_eq!(rows(&*opened.view), model.clone());
        }
    }
}

/// A view that must be made again, over a journal with an old damage: what it shows is worth more than what could be made.
#[tokio::test]
async fn a_view_that_does_not_fit_is_kept_if_damage_keeps_it_from_being_made_again() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let handle = opened.sequencer.handle();
    for number in 0..30 {
        handle.submit(add(&format!("name {number}"), 1)).await.unwrap();
    }
    opened.sequencer.stop().unwrap();
    let view = opened.view;
    // Ahead of its journal, so that it would be made again.
    view.apply(Lsn(99), ViewBatch::new()).unwrap();
    let first = Path::new(DIR).join("00000000000000000001.seg");
    disk.damage(&first, 40 + 48 + 48 + 12 + 3);
    let journal = JournalSettings { segment_bytes: 1_024, ..JournalSettings::default() };
    let journal = LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), journal, Lsn(29)).unwrap();
    assert!(journal.damage().is_empty(), "the damage is older than what is looked at");
    let settings = SequencerSettings::new("counters");
    let shared = Arc::new(journal.clone());
    let again = Sequencer::open(Counters::default(), shared, view.clone(), settings).unwrap();
    assert_eq!(rows(&*view).len(), 30);
    assert_eq!(journal.damage().len(), 1, "who asks the journal hears of it too");
    let refused = journal.append(journal.epoch(), &[Record::state(1, "late")]);
    assert!(matches!(refused, Err(JournalError::Damaged(_))));
    let refused = again.handle().submit(add("a", 1)).await;
    assert!(refused.is_err_and(|error| error.is_damage()));
    again.stop().unwrap();
}

#[tokio::test]
async fn a_view_of_another_version_is_kept_until_the_new_one_has_seen_a_sound_journal() {
    let (disk, root) = (FaultDisk::new(), tempfile::tempdir().unwrap());
    let (dir, aside) = (root.path().join("view"), root.path().join("view.old"));
    let view = |tables: &[Table]| -> Arc<dyn View> { Arc::new(FjallView::open(&dir, tables).unwrap()) };
    let settings = || SequencerSettings::new("counters");
    let opened = open_with(&disk, view(&[COUNTERS]), settings()).unwrap();
    for number in 0..30 {
        opened.sequencer.handle().submit(add(&format!("name {number}"), 1)).await.unwrap();
    }
    opened.sequencer.stop().unwrap();
    drop(opened.view);
    let (segment, offset) = (Path::new(DIR).join("00000000000000000001.seg"), 40 + 48 + 48 + 12 + 3);
    disk.damage(&segment, offset);
    let tables = [COUNTERS, Table("more")];
    drop(opened.journal);
    let damaged = open_with(&disk, view(&tables), settings()).unwrap();
    assert!(damaged.sequencer.handle().failure().unwrap().is_damage());
    assert!(aside.exists(), "what it shows is more than what could be made");
    drop(damaged);
    disk.damage(&segment, offset);
    let again = open_with(&disk, view(&tables), settings()).unwrap();
    assert_eq!(rows(&*again.view).len(), 30);
    assert!(!aside.exists());
}

/// A view that takes its time.
struct Slow(MemoryView, std::sync::Mutex<()>);

impl ViewRead for Slow {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<bytes::Bytes>, journal::ViewError> {
        self.0.get(table, key)
    }

    fn scan(&self, table: Table, range: KeyRange, order: Order) -> Result<journal::Rows, journal::ViewError> {
        self.0.scan(table, range, order)
    }

    fn applied_lsn(&self) -> Lsn {
        self.0.applied_lsn()
    }
}

impl View for Slow {
    fn apply(&self, lsn: Lsn, batch: ViewBatch) -> Result<(), journal::ViewError> {
        let _waits = self.1.lock().unwrap();
        self.0.apply(lsn, batch)
    }

    fn snapshot(&self) -> Box<dyn ViewRead> {
        self.0.snapshot()
    }

    fn clear(&self) -> Result<(), journal::ViewError> {
        self.0.clear()
    }

    fn sync(&self) -> Result<(), journal::ViewError> {
        self.0.sync()
    }
}

#[test]
fn how_long_a_frame_takes_can_be_seen_from_outside() {
    let view = Arc::new(Slow(MemoryView::new(&[COUNTERS]), std::sync::Mutex::default()));
    let opened = open_with(&FaultDisk::new(), view.clone(), SequencerSettings::new("counters")).unwrap();
    let handle = opened.sequencer.handle();
    assert_eq!(handle.busy_for(), None);
    let stuck = view.1.lock().unwrap();
    let caller = std::thread::spawn(move || handle.submit_blocking(add("a", 1)));
    let handle = opened.sequencer.handle();
    let long = std::time::Duration::from_millis(20);
    while handle.busy_for().is_none_or(|time| time < long) {
        std::thread::yield_now();
    }
    drop(stuck);
    caller.join().unwrap().unwrap();
    while handle.busy_for().is_some() {
        std::thread::yield_now();
    }
}
