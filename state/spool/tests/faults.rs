//! The fault loop: a spool at work with each of its file operations failing in turn. What was accepted is there, whole, until
//! its end was acknowledged; what was acknowledged of its recipients holds.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use disk::faults::{After, Mishap, fault_loop};
use disk::{Crash, Disk, FaultDisk};
use journal::{CompactionSettings, JournalSettings};
use kit::*;
use spool::{Attempt, Completed, Outcome, QueueId, Spool, SpoolError, SpoolSettings, StateShown};

/// What was acknowledged of a message. An end that was asked for and not acknowledged may have come or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Waits,
    Deferred,
    Held,
    Gone,
    MayBeGone,
    MayBeDeferred,
    MayBeHeld,
}

type Acknowledged = BTreeMap<QueueId, (Option<u64>, Known)>;

/// A client that keeps a record of what it was told.
struct Client {
    spool: Spool,
    told: Acknowledged,
}

impl Client {
    async fn accept(&mut self, number: u64) -> Result<QueueId, SpoolError> {
        let route = route("one@example.org", "");
        let routed = routed(&self.spool, SENDER, vec![route], content(number));
        let queue_id = self.spool.accept(routed).await?.queue_id();
        self.told.insert(queue_id, (Some(number), Known::Waits));
        Ok(queue_id)
    }

    async fn attempt(&mut self, queue_id: QueueId, attempt: Attempt) -> Result<(), SpoolError> {
        let due = self.spool.due(at(1), 9).into_iter().find(|due| due.queue_id == queue_id);
        let due = self.spool.begin(due.expect("it is due")).await?.expect("it may be tried");
        let (known, may_be) = match attempt {
            Attempt::Deferred(_) => (Known::Deferred, Known::MayBeDeferred),
            _ => (Known::Gone, Known::MayBeGone),
        };
        self.know(queue_id, may_be);
        let Completed { reports, .. } =
            self.spool.complete(due, vec![Outcome::new(0, attempt)], at(1)).await?;
        self.know(queue_id, known);
        self.told.extend(reports.into_iter().map(|report| (report, (None, Known::Waits))));
        Ok(())
    }

    fn know(&mut self, queue_id: QueueId, known: Known) {
        self.told.get_mut(&queue_id).unwrap().1 = known;
    }

    async fn work(&mut self) -> Result<(), SpoolError> {
        let [delivered_one, deferred_one, failed_one] =
            [self.accept(0).await?, self.accept(1).await?, self.accept(2).await?];
        let [held, deleted] = [self.accept(3).await?, self.accept(4).await?];
        self.attempt(delivered_one, delivered()).await?;
        self.attempt(deferred_one, deferred()).await?;
        self.attempt(failed_one, failed()).await?;
        self.know(held, Known::MayBeHeld);
        self.spool.hold(held, "to see", at(2)).await?;
        self.know(held, Known::Held);
        self.know(deleted, Known::MayBeGone);
        self.spool.delete(deleted, at(2)).await?;
        self.know(deleted, Known::Gone);
        self.accept(5).await?;
        for number in 6..7 {
            let passing = self.accept(number).await?;
            self.attempt(passing, delivered()).await?;
        }
        Ok(())
    }
}

/// A body by its number; one is large enough for a file of its own, the last ones to fill a segment.
fn content(number: u64) -> String {
    let lines = match number {
        2 => 70_000,
        6.. => 300,
        _ => 0,
    };
    text(number) + &"a line of text\r\n".repeat(lines)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn scenario(disk: &FaultDisk) -> (Acknowledged, Result<(), SpoolError>) {
    runtime().block_on(async {
        let spool = match open_small(disk) {
            Ok(spool) => spool,
            Err(error) => return (Acknowledged::new(), Err(error)),
        };
        let mut client = Client { spool: spool.clone(), told: Acknowledged::new() };
        let worked = client.work().await;
        let ended = move || {
            // What compaction could not do it does another time.
            let compacted = spool.compact(CompactionSettings::eager()).map(|report| report.compacted);
            (spool.stop(), compacted.unwrap_or_default())
        };
        let (stopped, compacted) = tokio::task::spawn_blocking(ended).await.unwrap();
        assert!(worked.is_err() || stopped.is_err() || disk.has_failed() || compacted > 0);
        (client.told, worked.and(stopped))
    })
}

/// Opens what is left and looks for all that was acknowledged.
fn check(disk: &FaultDisk, told: &Acknowledged, what: &str) {
    runtime().block_on(async {
        let spool = open_small(disk).unwrap();
        for (queue_id, (number, known)) in told {
            let shown = spool.show(*queue_id);
            let state = shown.as_ref().map(|shown| shown.recipients[0].state);
            let held = shown.as_ref().is_some_and(|shown| shown.held.is_some());
            let fits = match known {
                Known::Waits => state == Some(StateShown::Queued) && !held,
                Known::Deferred => state == Some(StateShown::Deferred),
                Known::MayBeDeferred => state.is_some(),
                Known::Held => held,
                Known::MayBeHeld => state.is_some(),
                Known::Gone => state.is_none(),
                Known::MayBeGone => true,
            };
            assert!(fits, "{what}: {queue_id} is {known:?} and shows {shown:?}");
            if let (Some(number), Some(_)) = (number, state) {
                assert_eq!(body(&spool, *queue_id).await, content(*number), "{what}: {queue_id}");
            }
            assert!(!spool.trace(*queue_id).unwrap().is_empty(), "{what}: {queue_id} has no past");
        }
        let report = spool.check().unwrap();
        assert!(report.is_sound(), "{what}: {report}");
        spool.stop().unwrap();
    });
}

/// With segments so small that there are some to compact.
fn open_small(disk: &FaultDisk) -> Result<Spool, SpoolError> {
    let journal = JournalSettings { segment_bytes: 2 * 1_024, ..settings().journal };
    Spool::open_in_memory(SpoolSettings { journal, ..settings() }, Arc::new(disk.clone()))
}

#[test]
fn a_mishap_at_any_operation_loses_nothing_that_was_acknowledged() {
    for mishap in Mishap::ALL {
        let operations = fault_loop(
            mishap,
            |_| {},
            scenario,
            |after: After<'_, _, _>| {
                check(after.disk, &after.acknowledged, &after.to_string());
            },
        );
        assert!(operations > 40, "the mishaps must reach the work");
    }
}

/// The check sees what it is for: where syncing does nothing, a power failure loses what was acknowledged.
#[test]
fn without_syncing_the_check_finds_a_loss() {
    let disk = FaultDisk::new();
    disk.sync_ignored(true);
    let (told, ended) = scenario(&disk);
    ended.unwrap();
    disk.sync_ignored(false);
    disk.crash(Crash::Power);
    let found = catch_unwind(AssertUnwindSafe(|| check(&disk, &told, "without syncing")));
    assert!(found.is_err());
}

#[tokio::test]
async fn with_little_space_nothing_is_accepted_and_what_is_there_goes_out_and_makes_room() {
    let disk = FaultDisk::new();
    let settings = SpoolSettings {
        journal: JournalSettings {
            reserve_bytes: 64 * 1024,
            space_low_bytes: 64 * 1024,
            ..settings().journal
        },
        ..settings()
    };
    disk.capacity_set(512 * 1024);
    let spool = Spool::open_in_memory(settings.clone(), Arc::new(disk.clone())).unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        let route = route("one@example.org", "");
        let routed = routed(&spool, SENDER, vec![route], "x".repeat(9_000) + &content(accepted.len() as u64));
        match spool.accept(routed).await {
            Ok(one) => accepted.push(one.queue_id()),
            Err(error) => break error,
        }
        assert!(accepted.len() < 1_000, "the disk never fills up");
    };
    assert!(refused.is_no_space(), "{refused}");
    assert_eq!(refused.fault(), telemetry::Fault::Temporary);
    assert!(spool.failure().is_none(), "it goes on");
    for due in spool.due(at(1), 1_000) {
        assert!(complete(&spool, due, delivered(), at(1)).await.finished, "from the reserve");
    }
    assert!(spool.list().is_empty());
    spool.stop().unwrap();
    let spool = Spool::open_in_memory(settings, Arc::new(disk.clone())).unwrap();
    assert!(spool.list().is_empty());
}

/// What cannot be noted of attempts is no reason not to make them.
#[tokio::test]
async fn an_attempt_that_cannot_be_noted_is_made() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    assert!(disk.exists(Path::new("/spool/attempts")).unwrap());
    disk.fail_nth(1, ErrorKind::StorageFull);
    let due = spool.begin(due_one(&spool, at(1))).await.unwrap().unwrap();
    disk.heal();
    assert!(complete(&spool, due, delivered(), at(1)).await.finished);
}
