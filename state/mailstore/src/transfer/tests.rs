//! Large copies step by step, with everything else that can happen in between.

use std::sync::Arc;

use address::AccountName;
use disk::{Body, Crash, FaultDisk};
use jiff::Timestamp;
use journal::{Lsn, MemoryView, View, ViewBatch};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::apply::Applier;
use crate::rows::TABLES;
use crate::{AppendRequest, FlagChange, Flags, MailstoreSettings, SystemFlag, Uid};

struct Bench {
    disk: FaultDisk,
    store: Mailstore,
    inbox: MailboxId,
}

fn settings() -> MailstoreSettings {
    MailstoreSettings { account_mailboxes: Vec::new(), ..MailstoreSettings::in_memory("m") }
}

fn uids(numbers: impl IntoIterator<Item = u32>) -> UidSet {
    numbers.into_iter().filter_map(Uid::new).collect()
}

impl Bench {
    /// A store with four messages.
    async fn new() -> Self {
        Self::open(settings(), FaultDisk::new()).await
    }

    async fn open(settings: MailstoreSettings, disk: FaultDisk) -> Self {
        let store = Mailstore::open(settings, Arc::new(disk.clone())).unwrap();
        let inbox = store.account_ensure(&AccountName::parse("alice@example.org").unwrap()).await.unwrap();
        for _ in 0..4 {
            let body = Body::from_bytes(&b"Subject: s\r\n\r\nbody\r\n"[..]);
            let internal_date = Timestamp::UNIX_EPOCH;
            let request = AppendRequest { mailbox: inbox, body, flags: Flags::EMPTY, internal_date };
            store.append(request).await.unwrap();
        }
        Self { disk, store, inbox }
    }

    async fn add(&self, transfer: TransferId, pieces: &[&[u32]]) {
        for (index, piece) in (0u32..).zip(pieces) {
            let (from, uids) = (self.inbox, uids(piece.iter().copied()));
            let add = TransferAdd { transfer, index, from, uids, now: 0, bytes: 0 };
            self.store.submit(Command::TransferAdd(add)).await.unwrap();
        }
    }

    /// A copy of the four messages, in pieces of two, that has been committed and not placed.
    async fn committed(&self) {
        let transfer = TransferId(7);
        self.add(transfer, &[&[1, 2], &[3, 4]]).await;
        let commit = TransferCommit { transfer, to: self.inbox, source: uids(1..=4), bytes: 0 };
        self.store.submit(Command::TransferCommit(commit)).await.unwrap();
    }

    async fn numbers(&self) -> Vec<u32> {
        let snapshot = self.store.snapshot(self.inbox).await.unwrap();
        snapshot.rows().map(|row| row.uid.number()).collect()
    }

    /// Lets what is in memory go, so that it is read from the view.
    fn forget(&self) {
        self.store.inner.shared.slot(self.inbox).unwrap().evict();
    }

    fn unplaced(&self) -> usize {
        use journal::{KeyRange, Order};
        let view = self.store.inner.shared.view.snapshot();
        view.scan(crate::rows::UNPLACED, KeyRange::all(), Order::Forward).unwrap().count()
    }

    fn check(&self) {
        assert_eq!(self.store.differences().unwrap(), []);
    }
}

#[tokio::test]
async fn messages_that_are_not_placed_yet_are_read_and_changed_like_others() {
    let mut bench = Bench::new().await;
    bench.committed().await;
    bench.forget();
    assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 6, 7, 8]);
    let deleted = FlagChange::Add(Flags::from_iter([SystemFlag::Deleted]));
    bench.store.store(bench.inbox, uids([6]), deleted, None).await.unwrap();
    assert_eq!(bench.unplaced(), 1, "only the piece that the change meets is placed");
    bench.store.expunge(bench.inbox, None).await.unwrap();
    bench.store.move_messages(bench.inbox, uids([8]), bench.inbox).await.unwrap();
    bench.forget();
    assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 7, 9]);
    bench.check();
    bench.disk.crash(Crash::Power);
    bench.store = Mailstore::open(settings(), Arc::new(bench.disk.clone())).unwrap();
    assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 7, 9]);
    bench.check();
}

#[tokio::test]
async fn what_a_crash_left_unplaced_is_placed_at_the_next_start() {
    let mut bench = Bench::new().await;
    bench.committed().await;
    let row = bench.store.status(bench.inbox).await.unwrap();
    assert_eq!((row.messages, row.recent, bench.unplaced()), (8, 8, 1));
    bench.disk.crash(Crash::Power);
    bench.store = Mailstore::open(settings(), Arc::new(bench.disk.clone())).unwrap();
    assert_eq!(bench.unplaced(), 0);
    assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 6, 7, 8]);
    bench.check();
}

#[tokio::test]
async fn bodies_of_an_open_transfer_are_referred_to() {
    let bench = Bench::new().await;
    let body = bench.store.snapshot(bench.inbox).await.unwrap().row(1).unwrap().body;
    bench.add(TransferId(9), &[&[1, 2]]).await;
    assert_eq!(bench.store.body_references(body).unwrap(), 2);
    bench.store.submit(Command::TransferAbort(TransferId(9))).await.unwrap();
    assert_eq!(bench.store.body_references(body).unwrap(), 1);
    bench.check();
}

/// Applies all records from `from` on, each `times` times.
fn replay(bench: &Bench, view: &MemoryView, from: Lsn, times: usize) {
    let mut applier = Applier::load(view).unwrap();
    for frame in bench.store.inner.journal.read(from).unwrap() {
        for stored in frame.unwrap().records.iter().filter(|stored| stored.lsn() >= from) {
            for _ in 0..times {
                let mut batch = ViewBatch::new();
                applier.apply(&stored.record, &stored.place, &mut batch).unwrap();
                view.apply(stored.lsn(), batch).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn records_that_are_replayed_twice_change_nothing() {
    let bench = Bench::new().await;
    bench.committed().await;
    let committed = Lsn(bench.store.inner.journal.lsn_next().0 - 1);
    for index in 0..2 {
        let place = TransferPlace { mailbox: bench.inbox, transfer: TransferId(7), index, bytes: 0 };
        bench.store.submit(Command::TransferPlace(place)).await.unwrap();
    }
    assert_eq!(bench.unplaced(), 0);
    let maintained = bench.store.inner.shared.view.snapshot();
    let view = MemoryView::new(&TABLES);
    replay(&bench, &view, Lsn::FIRST, 2);
    assert_eq!(crate::check::differences(&*maintained, &view).unwrap(), []);
    replay(&bench, &view, committed, 1);
    assert_eq!(crate::check::differences(&*maintained, &view).unwrap(), [], "also without what came before");
    replay(&bench, &view, Lsn::FIRST, 1);
    assert_eq!(crate::check::differences(&*maintained, &view).unwrap(), [], "also from the beginning");
}

/// Lets all segments go that can.
async fn compact(store: &Mailstore) -> journal::CompactionReport {
    compact_below(store, 2.0).await
}

/// Lets those go of which less than a share is needed.
async fn compact_below(store: &Mailstore, live_share_max: f64) -> journal::CompactionReport {
    let (store, eager) = (store.clone(), journal::CompactionSettings::eager());
    let settings = journal::CompactionSettings { live_share_max, ..eager };
    tokio::task::spawn_blocking(move || store.compact(settings)).await.unwrap().unwrap()
}

#[tokio::test]
async fn segments_of_a_large_copy_wait_for_its_end_and_go_then() {
    let disk = FaultDisk::new();
    let settings = MailstoreSettings { segment_bytes: 256, ..settings() };
    let mut bench = Bench::open(settings.clone(), disk.clone()).await;
    bench.committed().await;
    let waiting = compact(&bench.store).await;
    assert!(waiting.stuck.iter().any(|(_, why)| why.contains("under way")), "{waiting}");
    bench.check();
    for index in 0..2 {
        let (mailbox, transfer) = (bench.inbox, TransferId(7));
        let place = TransferPlace { mailbox, transfer, index, bytes: 0 };
        bench.store.submit(Command::TransferPlace(place)).await.unwrap();
        compact(&bench.store).await;
        bench.check();
    }
    let done = compact(&bench.store).await;
    assert!(done.compacted > 0 && done.stuck.is_empty(), "{done}");
    bench.check();
    disk.crash(Crash::Power);
    bench.store = Mailstore::open(settings, Arc::new(disk)).unwrap();
    assert_eq!((bench.unplaced(), bench.numbers().await), (0, vec![1, 2, 3, 4, 5, 6, 7, 8]));
    bench.check();
}

#[tokio::test]
async fn a_transfer_that_is_let_go_is_aborted() {
    let bench = Bench::new().await;
    let transfer = Transfer::new(bench.store.clone()).unwrap();
    bench.add(transfer.id, &[&[1, 2]]).await;
    let body = bench.store.snapshot(bench.inbox).await.unwrap().row(1).unwrap().body;
    let dying = tokio::spawn(async move {
        let _transfer = transfer;
        panic!("as a bug would have it");
    });
    assert!(dying.await.is_err());
    // Bulk work comes behind what was submitted while the task died.
    let behind = TransferPlace { mailbox: bench.inbox, transfer: TransferId(0), index: 0, bytes: 0 };
    bench.store.submit_bulk(Command::TransferPlace(behind)).await.unwrap();
    assert_eq!(bench.store.body_references(body).unwrap(), 1);
    bench.check();
}

#[tokio::test]
async fn a_transfer_that_is_let_go_while_its_commit_waits_is_there_as_a_whole() {
    let bench = Bench::new().await;
    for round in 1..=20 {
        let transfer = Transfer::new(bench.store.clone()).unwrap();
        bench.add(transfer.id, &[&[1, 2]]).await;
        let (to, source) = (bench.inbox, uids(1..=2));
        let commit = TransferCommit { transfer: transfer.id, to, source, bytes: 0 };
        tokio::select! {
            biased;
            _ = bench.store.submit_bulk(Command::TransferCommit(commit)) => {}
            () = std::future::ready(()) => {}
        }
        drop(transfer);
        let behind = TransferPlace { mailbox: to, transfer: TransferId(0), index: 0, bytes: 0 };
        bench.store.submit_bulk(Command::TransferPlace(behind)).await.unwrap();
        bench.forget();
        assert_eq!(bench.store.status(to).await.unwrap().messages, 4 + 2 * round);
        assert_eq!(bench.numbers().await.len() as u32, 4 + 2 * round);
    }
    bench.check();
}

#[tokio::test]
async fn a_change_keeps_its_mailbox_in_memory_whatever_the_budget_is() {
    let bench = Bench::new().await;
    bench.store.inner.shared.slot(bench.inbox).unwrap().evict();
    let using = bench.store.in_use(bench.inbox).await.unwrap();
    bench.forget();
    assert!(bench.store.inner.shared.slot(bench.inbox).unwrap().published().is_some());
    let pieces = using.pieces(&uids(1..=4), 0);
    assert!(pieces.len() == 1 && pieces[0].bytes >= 4 * MESSAGE_BYTES);
    drop(using);
    bench.forget();
    assert!(bench.store.inner.shared.slot(bench.inbox).unwrap().published().is_none());
}

#[tokio::test]
async fn a_command_weighs_what_it_makes_the_store_hold() {
    let bench = Bench::new().await;
    let keywords = (0..8).map(|n| crate::Keyword::parse(&format!("{n:0250}")).unwrap());
    let long = FlagChange::Add(Flags::new([], keywords).unwrap());
    let light = bench.store.in_use(bench.inbox).await.unwrap().whole().bytes;
    bench.store.store(bench.inbox, uids(1..=4), long.clone(), None).await.unwrap();
    let using = bench.store.in_use(bench.inbox).await.unwrap();
    assert!(using.whole().bytes > light + 4 * 2_000);
    let bytes = using.pieces(&uids(1..=4), long.keyword_bytes())[0].bytes;
    assert!(bytes > light + 8 * 2_000);
    let (from, to, uids) = (bench.inbox, bench.inbox, uids(1..=4));
    let command = Command::Copy(crate::command::Copy { from, uids, to, now: 0, bytes });
    assert!(command.weight() > bytes);
}

/// One thing that happens while up to three copies are under way.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The next command of a copy: two pieces, its commit, their placing.
    Advance(usize),
    Abort(usize),
    /// Flags of some messages in the destination.
    Store(u32, bool),
    Expunge,
    Purge,
    Compact(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3usize).prop_map(Step::Advance),
        1 => (0..3usize).prop_map(Step::Abort),
        3 => (any::<u32>(), any::<bool>()).prop_map(|(set, deleted)| Step::Store(set, deleted)),
        1 => Just(Step::Expunge),
        1 => Just(Step::Purge),
        4 => prop_oneof![Just(5), Just(9), Just(20)].prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// Copies of the four messages into another mailbox, and how far each has come.
struct Copies {
    bench: Bench,
    settings: MailstoreSettings,
    to: MailboxId,
    copies: [(TransferId, u32); 3],
    begun: u64,
    compacted: usize,
}

impl Copies {
    async fn new() -> Self {
        let settings = MailstoreSettings { segment_bytes: 512, ..settings() };
        let bench = Bench::open(settings.clone(), FaultDisk::new()).await;
        let account = AccountName::parse("alice@example.org").unwrap();
        let to = crate::MailboxPath::personal(&account, &["other"]).unwrap();
        let to = bench.store.mailbox_create(&to, None).await.unwrap();
        let copies = [1, 2, 3].map(|id| (TransferId(id), 0));
        Self { bench, settings, to, copies, begun: 3, compacted: 0 }
    }

    async fn step(&mut self, step: Step) {
        let store = &self.bench.store;
        match step {
            Step::Advance(copy) => self.advance(copy).await,
            Step::Abort(copy) => {
                store.submit(Command::TransferAbort(self.copies[copy].0)).await.unwrap();
                if self.copies[copy].1 <= 2 {
                    self.begin(copy);
                }
            }
            Step::Store(set, deleted) => {
                let uids = self.seen().await.into_iter().filter(|(uid, _)| set >> (uid % 32) & 1 == 1);
                let uids = uids.map(|(uid, _)| Uid::new(uid).unwrap()).collect();
                let flag = if deleted { SystemFlag::Deleted } else { SystemFlag::Flagged };
                store.store(self.to, uids, FlagChange::Add(Flags::from_iter([flag])), None).await.unwrap();
            }
            Step::Expunge => drop(store.expunge(self.to, None).await.unwrap()),
            Step::Purge => drop(store.purge(std::time::Duration::ZERO).await.unwrap()),
            Step::Compact(tenths) => {
                self.compacted += compact_below(store, f64::from(tenths) / 10.0).await.compacted
            }
            Step::Reopen => self.reopen(),
        }
    }

    async fn advance(&mut self, copy: usize) {
        let (transfer, at) = self.copies[copy];
        let (mailbox, store) = (self.to, &self.bench.store);
        let command = match at {
            0 | 1 => {
                let (from, uids) = (self.bench.inbox, uids([at * 2 + 1, at * 2 + 2]));
                Command::TransferAdd(TransferAdd { transfer, index: at, from, uids, now: 0, bytes: 0 })
            }
            2 => {
                let source = uids(1..=4);
                Command::TransferCommit(TransferCommit { transfer, to: mailbox, source, bytes: 0 })
            }
            _ => Command::TransferPlace(TransferPlace { mailbox, transfer, index: at - 3, bytes: 0 }),
        };
        store.submit(command).await.unwrap();
        self.copies[copy].1 += 1;
        if at == 4 {
            self.begin(copy);
        }
    }

    fn begin(&mut self, copy: usize) {
        self.begun += 1;
        self.copies[copy] = (TransferId(self.begun), 0);
    }

    /// A start brings all copies to their end.
    fn reopen(&mut self) {
        self.bench.disk.crash(Crash::Power);
        self.bench.store = Mailstore::open(self.settings.clone(), Arc::new(self.bench.disk.clone())).unwrap();
        (0..3).for_each(|copy| self.begin(copy));
    }

    /// What readers of the destination see.
    async fn seen(&self) -> Vec<(u32, Flags)> {
        let snapshot = self.bench.store.snapshot(self.to).await.unwrap();
        snapshot.rows().map(|row| (row.uid.number(), row.flags.clone())).collect()
    }
}

#[test]
fn copies_in_any_order_with_all_that_happens_meanwhile_are_as_they_were_seen() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let compacted = std::cell::Cell::new(0);
    let run = TestRunner::new(config).run(&prop::collection::vec(step(), 1..60), |steps| {
        runtime.block_on(async {
            let mut copies = Copies::new().await;
            for step in steps {
                let before = copies.seen().await;
                copies.step(step).await;
                copies.bench.store.inner.shared.slot(copies.to).unwrap().evict();
                let is_seen = matches!(step, Step::Advance(_) | Step::Store(..) | Step::Expunge);
                assert!(is_seen || copies.seen().await == before, "{step:?}");
                copies.bench.check();
            }
            let before = copies.seen().await;
            copies.reopen();
            assert_eq!(copies.seen().await, before);
            copies.bench.check();
            compacted.set(compacted.get() + copies.compacted);
        });
        Ok(())
    });
    run.unwrap();
    assert!(compacted.get() > 50, "compaction was put to the test: {} segments", compacted.get());
}
