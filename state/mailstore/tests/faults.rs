//! The fault loop: each file operation of a scenario fails once, in each of the ways in which disks fail. The reopened
//! store has all that was acknowledged, and of the step that was not nothing or the whole.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use disk::faults::{After, Mishap, fault_loop};
use disk::{Crash, FaultDisk};
use journal::CompactionSettings;
use mailstore::{CheckOptions, FlagChange, Flags, Mailstore, MailstoreError, MailstoreSettings, SystemFlag};
use support::{alice, flags, message, path, request, uids};

/// Every step of the history of a small store, each with its own kind of change.
const STEPS: [&str; 16] = [
    "account",
    "append",
    "append large",
    "store",
    "create",
    "copy",
    "move",
    "append again",
    "delete",
    "expunge",
    "purge",
    "compact",
    "rename",
    "subscribe",
    "delete mailbox",
    "purge all",
];

fn settings() -> MailstoreSettings {
    MailstoreSettings { segment_bytes: 2 * 1024, ..support::settings() }
}

/// What users see of a store: of each mailbox its name, the uid that comes next, and the messages with their flags.
type Seen = Vec<(String, u32, Vec<(u32, Flags, String)>)>;

async fn step(store: &Mailstore, step: &str) -> Result<(), MailstoreError> {
    let mailbox = |name: &[&str]| store.mailbox_find(&path(name)).and_then(|entry| entry.id).unwrap();
    let inbox = || mailbox(&["INBOX"]);
    let append = |subject| store.append(request(inbox(), &message(subject), Flags::EMPTY));
    let deleted = || FlagChange::Add(flags(&[SystemFlag::Deleted]));
    match step {
        "account" => store.account_ensure(&alice()).await.map(drop),
        "append" => append("one").await.map(drop),
        "append large" => {
            let large = format!("Subject: l\r\n\r\n{}", "x".repeat(limits::BODY_MEMORY_BYTES_MAX));
            store.append(request(inbox(), &large, Flags::EMPTY)).await.map(drop)
        }
        "store" => {
            let seen = FlagChange::Add(flags(&[SystemFlag::Seen]));
            store.store(inbox(), uids([1]), seen, None).await.map(drop)
        }
        "create" => store.mailbox_create(&path(&["a"]), None).await.map(drop),
        "copy" => store.copy(inbox(), uids([1, 2]), mailbox(&["a"])).await.map(drop),
        "move" => store.move_messages(mailbox(&["a"]), uids([1]), inbox()).await.map(drop),
        "append again" => append("two").await.map(drop),
        "delete" => store.store(inbox(), uids([2, 4]), deleted(), None).await.map(drop),
        "expunge" => store.expunge(inbox(), None).await.map(drop),
        "purge" | "purge all" => store.purge(Duration::ZERO).await.map(drop),
        "compact" => compact(store).await,
        "rename" => store.mailbox_rename(&path(&["a"]), &path(&["b", "c"])).await,
        "subscribe" => store.subscribe(&alice(), &path(&["b", "c"])).await,
        "delete mailbox" => store.mailbox_delete(&path(&["b", "c"])).await,
        step => panic!("no step {step}"),
    }
}

/// All segments but the last; what the compactor could not do it does the next time.
async fn compact(store: &Mailstore) -> Result<(), MailstoreError> {
    let settings = CompactionSettings { live_share_max: 1.1, ..CompactionSettings::eager() };
    let store = store.clone();
    let done = tokio::task::spawn_blocking(move || store.compact(settings)).await.unwrap();
    done.map(drop).map_err(|_| MailstoreError::Unexpected)
}

async fn seen(store: &Mailstore) -> Seen {
    let mut seen = Vec::new();
    for entry in store.mailbox_list(&alice()) {
        let mailbox = entry.id.map(|id| store.mailbox(id).unwrap());
        let Some(mailbox) = mailbox else { continue };
        let snapshot = mailbox.snapshot().await.unwrap();
        let mut rows = Vec::new();
        for row in snapshot.rows() {
            let body = store.body(row.body).await.unwrap().read_all().unwrap();
            let subject = String::from_utf8_lossy(&body)
                .lines()
                .find(|line| line.starts_with("Subject"))
                .unwrap()
                .into();
            assert_eq!(body.len() as u64, row.size);
            rows.push((row.uid.number(), row.flags.clone(), subject));
        }
        seen.push((format!("{} {}", entry.path, entry.subscribed), snapshot.uid_next().number(), rows));
    }
    seen
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
}

/// What is seen after no step, one, two ...
fn expected() -> Vec<Seen> {
    runtime().block_on(async {
        let store = Mailstore::open(settings(), Arc::new(FaultDisk::new())).unwrap();
        let mut expected = vec![seen(&store).await];
        for name in STEPS {
            step(&store, name).await.unwrap();
            expected.push(seen(&store).await);
        }
        expected
    })
}

/// Runs all steps; gives how many were acknowledged.
fn scenario(disk: &FaultDisk) -> (usize, Result<(), MailstoreError>) {
    let mut done = 0;
    let ended = runtime().block_on(async {
        let store = Mailstore::open(settings(), Arc::new(disk.clone()))?;
        for name in STEPS {
            let acknowledged = step(&store, name).await;
            done += usize::from(acknowledged.is_ok());
            if acknowledged.is_err() {
                // Its threads end with it.
                let _ = store.stop();
                return acknowledged;
            }
        }
        store.stop()
    });
    (done, ended)
}

/// What is wrong with a store of which `done` steps were acknowledged.
fn wrong(disk: &FaultDisk, done: usize, expected: &[Seen]) -> Option<String> {
    runtime().block_on(async {
        let store = match Mailstore::open(settings(), Arc::new(disk.clone())) {
            Ok(store) => store,
            Err(error) => return Some(format!("it cannot be opened: {error}")),
        };
        let seen = seen(&store).await;
        let acknowledged = expected[done..].iter().take(2).any(|expected| *expected == seen);
        let report = tokio::task::spawn_blocking(move || {
            let report = store.check(&CheckOptions::default()).unwrap();
            store.stop().unwrap();
            report
        });
        let report = report.await.unwrap();
        let lost = (!acknowledged).then(|| format!("after {done} steps it shows {seen:?}"));
        lost.or_else(|| (!report.is_sound()).then(|| report.to_string()))
    })
}

fn faults(mishap: Mishap) {
    let expected = expected();
    let check = |after: After<'_, usize, MailstoreError>| {
        let wrong = wrong(after.disk, after.acknowledged, &expected);
        assert!(wrong.is_none(), "{after}: {}", wrong.unwrap());
        assert!(after.n > 0 || after.acknowledged == STEPS.len(), "{after}");
    };
    let operations = fault_loop(mishap, |_| {}, scenario, check);
    assert!(operations > 60, "the faults must reach the work: {operations}");
}

#[test]
fn an_operation_that_fails_costs_nothing_that_was_acknowledged() {
    faults(Mishap::Fails);
}

#[test]
fn a_disk_that_is_full_costs_nothing_that_was_acknowledged() {
    faults(Mishap::NoSpace);
}

#[test]
fn a_short_write_costs_nothing_that_was_acknowledged() {
    faults(Mishap::ShortWrite);
}

#[test]
fn lost_writes_cost_nothing_that_was_acknowledged() {
    faults(Mishap::LostWrites);
}

#[test]
fn torn_writes_cost_nothing_that_was_acknowledged() {
    faults(Mishap::Torn);
}

/// The control: without syncs, the check must find what is missing.
#[test]
fn a_disk_that_ignores_syncs_is_found_out() {
    let expected = expected();
    let disk = FaultDisk::new();
    disk.sync_ignored(true);
    let (done, ended) = scenario(&disk);
    ended.unwrap();
    disk.crash(Crash::Power);
    assert!(wrong(&disk, done, &expected).is_some());
}

/// A copy of more messages than one command has.
fn large_copy(disk: &FaultDisk) -> (u32, Result<(), MailstoreError>) {
    let copied = Mutex::new(0);
    let ended = runtime().block_on(async {
        let store = Mailstore::open(support::settings(), Arc::new(disk.clone()))?;
        let mailbox = |name: &[&str]| store.mailbox_find(&path(name)).and_then(|entry| entry.id).unwrap();
        let (inbox, other) = (mailbox(&["INBOX"]), mailbox(&["other"]));
        let work = async {
            let done = store.copy(inbox, uids(1..=MANY), other).await?;
            *copied.lock().unwrap() = done.destination.len() as u32;
            Ok(())
        };
        let ended = work.await;
        let stopped = store.stop();
        ended.and(stopped)
    });
    (copied.into_inner().unwrap(), ended)
}

/// More than one command copies.
const MANY: u32 = 1_024;

fn many(disk: &FaultDisk) {
    runtime().block_on(async {
        let store = Mailstore::open(support::settings(), Arc::new(disk.clone())).unwrap();
        let inbox = store.account_ensure(&alice()).await.unwrap();
        store.mailbox_create(&path(&["other"]), None).await.unwrap();
        store.append(request(inbox, &message("one"), Flags::EMPTY)).await.unwrap();
        let mut count = 1;
        while count < MANY {
            store.copy(inbox, uids(1..=count), inbox).await.unwrap();
            count *= 2;
        }
        store.stop().unwrap();
    });
}

#[test]
fn a_large_copy_is_whole_or_nothing_whatever_fails() {
    let check = |after: After<'_, u32, MailstoreError>| {
        runtime().block_on(async {
            let store = Mailstore::open(support::settings(), Arc::new(after.disk.clone())).unwrap();
            let other = store.mailbox_find(&path(&["other"])).and_then(|entry| entry.id).unwrap();
            let messages = store.status(other).await.unwrap().messages;
            assert!(messages == MANY || (messages == 0 && after.acknowledged == 0), "{after}: {messages}");
            let differences = store.differences().unwrap();
            assert!(differences.is_empty(), "{after}: {}", differences[0]);
            store.stop().unwrap();
        });
    };
    let operations = fault_loop(Mishap::Torn, many, large_copy, check);
    assert!(operations > 6, "the faults must reach the work: {operations}");
}
