//! Random histories with compaction, forgetting and crashes: the queue is what a model says, the past of each message too,
//! and the view that was maintained is the one that the remaining journal makes.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use disk::{Crash, Disk, FaultDisk, RealDisk};
use jiff::Timestamp;
use journal::{CompactionSettings, JournalSettings};
use kit::*;
use proptest::prelude::*;
use spool::{Attempt, AuditEvent, Outcome, QueueId, Spool, SpoolSettings, StateShown, TraceEvent};

const DAY: i64 = 24 * HOUR;
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Debug, Clone)]
enum Step {
    /// With so many lines, to one recipient or two.
    Accept(u8, bool),
    /// The n-th copy that is due meets with this.
    Attempt(u8, Met),
    Hold(u8),
    Retry(u8),
    Delete(u8),
    /// What is needed to less than so many tenths.
    Compact(u8),
    Forget,
    Crash(u8),
}

#[derive(Debug, Clone, Copy)]
enum Met {
    Delivered,
    Deferred,
    Failed,
    Crashed,
}

impl Met {
    fn attempt(self) -> Attempt {
        match self {
            Self::Delivered => delivered(),
            Self::Deferred => deferred(),
            Self::Failed => failed(),
            Self::Crashed => Attempt::Crashed(said(451, "4.6.0", "crashed")),
        }
    }

    fn state(self) -> StateShown {
        match self {
            Self::Delivered => StateShown::Delivered,
            Self::Deferred | Self::Crashed => StateShown::Deferred,
            Self::Failed => StateShown::Failed,
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let met = prop_oneof![
        4 => Just(Met::Delivered),
        2 => Just(Met::Deferred),
        1 => Just(Met::Failed),
        1 => Just(Met::Crashed),
    ];
    prop_oneof![
        6 => (any::<u8>(), any::<bool>()).prop_map(|(lines, two)| Step::Accept(lines, two)),
        7 => (any::<u8>(), met).prop_map(|(nth, met)| Step::Attempt(nth, met)),
        1 => any::<u8>().prop_map(Step::Hold),
        1 => any::<u8>().prop_map(Step::Retry),
        2 => any::<u8>().prop_map(Step::Delete),
        4 => (1u8..10).prop_map(Step::Compact),
        2 => Just(Step::Forget),
        2 => any::<u8>().prop_map(Step::Crash),
    ]
}

/// What is known of a message in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Modelled {
    body: String,
    states: Vec<StateShown>,
    is_held: bool,
    strikes: u32,
}

impl Modelled {
    fn is_finished(&self) -> bool {
        !self.states.iter().any(|state| matches!(state, StateShown::Queued | StateShown::Deferred))
    }
}

struct World {
    disk: FaultDisk,
    spool: Spool,
    runtime: tokio::runtime::Runtime,
    queue: BTreeMap<QueueId, Modelled>,
    past: BTreeMap<QueueId, Vec<TraceEvent>>,
    now: i64,
    compacted: usize,
}

fn small() -> SpoolSettings {
    SpoolSettings {
        audit_retention: RETENTION,
        journal: JournalSettings { segment_bytes: 4 * 1024, ..JournalSettings::default() },
        expire_after: Duration::from_secs(365 * 24 * 60 * 60),
        delay_report_after: Duration::from_secs(365 * 24 * 60 * 60),
        ..settings()
    }
}

fn open_small(disk: &FaultDisk) -> Spool {
    Spool::open_in_memory(small(), Arc::new(disk.clone())).unwrap()
}

impl World {
    fn new() -> Self {
        let disk = FaultDisk::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (queue, past) = (BTreeMap::new(), BTreeMap::new());
        Self { spool: open_small(&disk), disk, runtime, queue, past, now: 0, compacted: 0 }
    }

    fn nth(&self, nth: u8) -> Option<QueueId> {
        self.queue.keys().nth(usize::from(nth) % self.queue.len().max(1)).copied()
    }

    fn take(&mut self, step: &Step) {
        self.now += HOUR;
        match *step {
            Step::Accept(lines, two) => self.accept(lines, two),
            Step::Attempt(nth, met) => self.attempt(nth, met),
            Step::Hold(nth) => {
                let Some(queue_id) = self.nth(nth) else { return };
                self.runtime.block_on(self.spool.hold(queue_id, "to see", at(self.now))).unwrap();
                self.queue.get_mut(&queue_id).unwrap().is_held = true;
            }
            Step::Retry(nth) => {
                let Some(queue_id) = self.nth(nth) else { return };
                self.runtime.block_on(self.spool.retry(queue_id, at(self.now))).unwrap();
                let message = self.queue.get_mut(&queue_id).unwrap();
                (message.is_held, message.strikes) = (false, 0);
            }
            Step::Delete(nth) => {
                let Some(queue_id) = self.nth(nth) else { return };
                self.runtime.block_on(self.spool.delete(queue_id, at(self.now))).unwrap();
                self.queue.remove(&queue_id);
            }
            Step::Compact(tenths) => {
                let live_share_max = f64::from(tenths) / 10.0;
                let settings = CompactionSettings { live_share_max, ..CompactionSettings::eager() };
                let report = self.spool.compact(settings).unwrap();
                assert!(report.stuck.is_empty(), "{report}");
                self.compacted += report.compacted;
            }
            Step::Forget => self.forget(),
            Step::Crash(seed) => self.crash(seed),
        }
    }

    fn accept(&mut self, lines: u8, two: bool) {
        let to: &[&str] = if two { &["a@a.example", "b@b.example"] } else { &["a@a.example"] };
        let routes: Vec<_> = to.iter().map(|to| route(to, "")).collect();
        let body = text(u64::from(lines) % 7) + &unpackable(usize::from(lines) / 2);
        let routed = routed(&self.spool, SENDER, routes, body.clone());
        let queue_id = self.runtime.block_on(self.spool.accept(routed)).unwrap().queue_id();
        let states = vec![StateShown::Queued; to.len()];
        self.queue.insert(queue_id, Modelled { body, states, is_held: false, strikes: 0 });
        self.past.insert(queue_id, Vec::new());
    }

    fn attempt(&mut self, nth: u8, met: Met) {
        let mut due = self.spool.due(at(self.now), 100);
        if due.is_empty() {
            return;
        }
        let due = due.swap_remove(usize::from(nth) % due.len());
        let queue_id = due.queue_id;
        let Some(due) = self.runtime.block_on(self.spool.begin(due)).unwrap() else {
            panic!("never on trial")
        };
        let indexes: Vec<_> = due.recipients.iter().map(|to| to.index).collect();
        let outcomes = indexes.iter().map(|index| Outcome::new(*index, met.attempt())).collect();
        let done = self.runtime.block_on(self.spool.complete(due, outcomes, at(self.now))).unwrap();
        let message = self.queue.get_mut(&queue_id).unwrap();
        indexes.iter().for_each(|index| message.states[*index as usize] = met.state());
        if let Met::Crashed = met {
            message.strikes += 1;
            message.is_held |= message.strikes >= 3;
        }
        if message.is_finished() {
            self.queue.remove(&queue_id);
        }
        for report in done.reports {
            let body = self.runtime.block_on(body(&self.spool, report));
            let states = vec![StateShown::Queued];
            self.queue.insert(report, Modelled { body, states, is_held: false, strikes: 0 });
            self.past.insert(report, Vec::new());
        }
    }

    /// As if what happened more than five hours ago were more than a month ago.
    fn forget(&mut self) {
        let before = at(self.now - 5 * HOUR);
        let newest = self.past.keys().last().copied();
        self.spool.audit_forget(at(self.now - 5 * HOUR + 30 * DAY)).unwrap();
        for (queue_id, past) in &mut self.past {
            let is_over = past.iter().all(|event| event.time < before);
            if is_over && !self.queue.contains_key(queue_id) && Some(*queue_id) != newest {
                past.clear();
            }
        }
        self.past.retain(|queue_id, past| !past.is_empty() || self.queue.contains_key(queue_id));
    }

    fn crash(&mut self, seed: u8) {
        self.check();
        let crash = match seed % 4 {
            0 => Crash::Process,
            1 => Crash::Power,
            _ => Crash::Torn(u64::from(seed)),
        };
        self.disk.crash(crash);
        self.spool = open_small(&self.disk);
    }

    /// The past so far; it must not change any more.
    fn note(&mut self) {
        for (queue_id, past) in &mut self.past {
            let now = self.spool.trace(*queue_id).unwrap();
            assert_eq!(&now[..past.len()], &past[..], "the past of {queue_id} has changed");
            *past = now;
        }
    }

    fn check(&mut self) {
        let shown: BTreeMap<_, _> =
            self.spool.list().into_iter().map(|shown| (shown.queue_id, shown)).collect();
        assert_eq!(shown.keys().collect::<Vec<_>>(), self.queue.keys().collect::<Vec<_>>());
        for (queue_id, message) in &self.queue {
            let shown = &shown[queue_id];
            let states: Vec<_> = shown.recipients.iter().map(|recipient| recipient.state).collect();
            assert_eq!(states, message.states, "{queue_id}");
            assert_eq!((shown.held.is_some(), shown.strikes), (message.is_held, message.strikes));
            assert_eq!(self.runtime.block_on(body(&self.spool, *queue_id)), message.body, "{queue_id}");
        }
        let report = self.spool.check().unwrap();
        assert!(report.is_sound(), "{report}");
        self.note();
    }
}

/// Lines that no packing makes shorter.
fn unpackable(lines: usize) -> String {
    let line = |line: usize| format!("{:016x}\r\n", (line as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..lines).map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_and_its_past_are_as_a_model_says(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            world.note();
        }
        world.check();
        world.crash(0);
        world.check();
    }
}

/// So that the property is known to meet with compaction: all of a month's mail makes room.
#[test]
fn what_went_out_and_is_forgotten_takes_no_room() {
    let mut world = World::new();
    for number in 0..40 {
        world.take(&Step::Accept(number, number % 2 == 0));
        world.take(&Step::Attempt(0, Met::Delivered));
        world.take(&Step::Attempt(0, Met::Delivered));
        world.note();
    }
    assert!(world.queue.is_empty(), "{:?}", world.queue);
    let full = world.disk.used_bytes();
    world.take(&Step::Compact(9));
    world.check();
    world.now += 2 * DAY;
    for _ in 0..3 {
        world.take(&Step::Forget);
        world.take(&Step::Compact(9));
    }
    world.check();
    assert!(world.compacted > 10, "{}", world.compacted);
    assert_eq!(world.past.len(), 1, "the newest stays known");
    let left = world.disk.used_bytes();
    assert!(left < full / 4, "{left} of {full} bytes");
    world.crash(1);
    world.check();
}

/// On a real disk, with a view on disk and the upkeep at work.
#[test]
fn the_upkeep_makes_room_beside_the_work_and_a_view_that_was_deleted_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = SpoolSettings {
        dir: dir.path().to_owned(),
        compaction: Some(CompactionSettings::eager()),
        ..small()
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let spool = Spool::open(settings.clone(), disk.clone()).unwrap();
    let kept: Vec<_> =
        (0..5).map(|_| runtime.block_on(accept(&spool, SENDER, vec![route("k@k.example", "")]))).collect();
    let mut traced = None;
    for number in 0..60u64 {
        // Not to be packed.
        let lines =
            (0..40).map(|line| format!("{:x}\r\n", (number * 40 + line).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let body = text(1) + &lines.collect::<String>();
        let routed = routed(&spool, SENDER, vec![route("a@a.example", "")], body);
        let id = runtime.block_on(spool.accept(routed)).unwrap().queue_id();
        let due = spool.due(at(1), 100).into_iter().find(|due| due.queue_id == id).unwrap();
        assert!(runtime.block_on(complete(&spool, due, delivered(), at(1))).finished);
        traced = Some(id);
    }
    let names = || disk.list(&dir.path().join("journal")).unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while !names().iter().any(|name| name.ends_with(".gap")) {
        assert!(std::time::Instant::now() < patience, "it is never compacted");
        std::thread::sleep(Duration::from_millis(5));
    }
    spool.stop().unwrap();
    drop(spool);
    std::fs::remove_dir_all(dir.path().join("view")).unwrap();
    let spool = Spool::open(SpoolSettings { compaction: None, ..settings.clone() }, disk.clone()).unwrap();
    let report = spool.check().unwrap();
    assert!(report.is_sound() && report.bodies == 5, "{report}");
    for id in kept {
        assert_eq!(runtime.block_on(body(&spool, id)), text(1));
    }
    let way = spool.trace(traced.unwrap()).unwrap();
    assert_eq!(way.last().unwrap().event, AuditEvent::Finished);
    assert_eq!(spool.audit_forget(Timestamp::now()).unwrap(), 59, "all but the newest and what waits");
    spool.stop().unwrap();
    drop(spool);
    let report = Spool::check_dir(settings, disk, true).unwrap();
    assert!(report.is_sound() && !report.repaired, "{report}");
}
