//! A spool that something is wrong with: it gives no work that it cannot record, loses no time with what it cannot read,
//! leaves nothing behind, and says that it has failed.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use disk::{Disk, FaultDisk};
use jiff::Timestamp;
use journal::JournalSettings;
use kit::*;
use spool::{AuditEvent, Due, Outcome, Route, Spool, SpoolSettings};

const SEGMENT: &str = "/spool/journal/00000000000000000001.seg";
const DAY: i64 = 24 * HOUR;

/// A spool whose state is damaged in the middle.
async fn damaged() -> (FaultDisk, Spool) {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    for number in 0..6 {
        accept(&spool, SENDER, vec![route(&format!("{number}@example.org"), "")]).await;
    }
    spool.stop().unwrap();
    disk.damage(Path::new(SEGMENT), 2_000);
    let spool = open(&disk);
    (disk, spool)
}

fn all_failed(due: &Due) -> Vec<Outcome> {
    due.recipients.iter().map(|recipient| Outcome::new(recipient.index, failed())).collect()
}

#[tokio::test]
async fn a_spool_with_damaged_state_gives_no_work_and_shows_what_it_has() {
    let (disk, spool) = damaged().await;
    assert!(spool.failure().unwrap().is_damage() && spool.ended().await.is_damage());
    assert!(spool.due(at(1), 10).is_empty(), "what came of it could not be recorded");
    let listed = spool.list();
    assert!(!listed.is_empty());
    assert_eq!(body(&spool, listed[0].queue_id).await, text(1));
    let large = routed(&spool, SENDER, vec![route("a@example.org", "")], "x".repeat(2 * 1_024 * 1_024));
    assert!(spool.accept(large).await.unwrap_err().is_damage());
    assert!(disk.list(Path::new("/spool/bodies")).unwrap().is_empty());
    spool.stop().unwrap();
}

#[tokio::test]
async fn who_waits_for_work_is_not_woken_by_a_failure_and_who_waits_for_the_end_is() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let waiting = spool.clone();
    let ended = tokio::spawn(async move {
        tokio::select! {
            () = waiting.wait_due() => None,
            error = waiting.ended() => Some(error),
        }
    });
    tokio::task::yield_now().await;
    disk.fail_from(1, ErrorKind::Other);
    let refused = routed(&spool, SENDER, vec![route("a@example.org", "")], "x\r\n");
    spool.accept(refused).await.unwrap_err();
    assert!(!ended.await.unwrap().unwrap().is_damage());
    assert!(
        tokio::time::timeout(Duration::from_millis(50), spool.wait_due()).await.is_err(),
        "or it would spin"
    );
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_given_back_all_the_same() {
    for large in [false, true] {
        let disk = FaultDisk::new();
        let spool = open(&disk);
        let size = if large { 2 * 1_024 * 1_024 } else { 10 };
        let routed = routed(&spool, SENDER, vec![route("a@example.org", "")], "x".repeat(size));
        let id = spool.accept(routed).await.unwrap().queue_id();
        let due = due_one(&spool, at(30 * DAY));
        let outcomes = all_failed(&due);
        // For a file: its length, then its first bytes.
        disk.fail_nth(if large { 3 } else { 1 }, ErrorKind::Other);
        let completed = spool.complete(due, outcomes, at(30 * DAY)).await.unwrap();
        disk.heal();
        assert!(completed.finished && spool.show(id).is_none());
        assert!(body(&spool, completed.reports[0]).await.contains("no such user"));
    }
}

#[tokio::test]
async fn a_failure_that_cannot_be_reported_has_strikes_until_it_is_held() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let id = accept(&spool, SENDER, so_many("")).await;
    for strikes in 1..=3 {
        let now = at(i64::from(strikes) * HOUR);
        let due = due_one(&spool, now);
        let outcomes = all_failed(&due);
        // The file is made; the first bytes do not fit.
        disk.fail_nth(3, ErrorKind::StorageFull);
        let completed = spool.complete(due, outcomes, now).await.unwrap();
        disk.heal();
        assert!(!completed.finished && completed.reports.is_empty());
        assert_eq!(spool.show(id).unwrap().strikes, strikes);
        assert!(spool.due(now, 10).is_empty(), "not again at once");
        assert!(disk.list(Path::new("/spool/bodies")).unwrap().is_empty());
    }
    assert!(spool.show(id).unwrap().held.unwrap().contains("report cannot be written"));
    assert!(spool.failure().is_none());
}

/// Recipients with this NOTIFY, so many that the report about them needs a file.
fn so_many(notify: &str) -> Vec<Route> {
    (0..6_000).map(|n| route(&format!("{n}-{}@example.org", "x".repeat(50)), notify)).collect()
}

#[tokio::test]
async fn what_was_delivered_is_not_sent_again_because_its_report_cannot_be_written() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let id = accept(&spool, SENDER, so_many("SUCCESS")).await;
    let due = due_one(&spool, at(1));
    let outcomes = due.recipients.iter().map(|to| Outcome::new(to.index, delivered())).collect();
    disk.fail_nth(3, ErrorKind::StorageFull);
    let completed = spool.complete(due, outcomes, at(1)).await.unwrap();
    disk.heal();
    assert!(completed.finished && completed.reports.is_empty());
    assert!(spool.list().is_empty());
    let way = spool.trace(id).unwrap();
    assert!(way.iter().any(|step| step.event == AuditEvent::Unreported), "{way:?}");
}

/// Drops the copy in a worker that breaks.
fn break_on(due: Due) {
    let broken = catch_unwind(AssertUnwindSafe(move || {
        let _due = due;
        panic!("asked for");
    }));
    assert!(broken.is_err());
}

#[tokio::test]
async fn a_worker_that_breaks_when_the_store_has_ended_breaks_alone() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    accept(&spool, SENDER, vec![route("a@example.org", ""), route("b@example.net", "")]).await;
    let mut due = spool.due(at(0), 10);
    let refused = routed(&spool, SENDER, vec![route("a@example.org", "")], "x\r\n");
    disk.fail_nth(1, ErrorKind::Other);
    spool.accept(refused).await.unwrap_err();
    break_on(due.pop().unwrap());
    spool.stop().unwrap_err();
    break_on(due.pop().unwrap());
    assert_eq!(spool.stat().claimed, 0);
}

#[tokio::test]
async fn what_is_not_accepted_leaves_no_file() {
    let mut refused = 0;
    for n in 1.. {
        let disk = FaultDisk::new();
        let spool = open(&disk);
        let large = routed(&spool, SENDER, vec![route("a@example.org", "")], "x".repeat(2 * 1_024 * 1_024));
        disk.fail_nth(n, ErrorKind::StorageFull);
        let accepted = spool.accept(large).await;
        disk.heal();
        let files = disk.list(Path::new("/spool/bodies")).unwrap().len();
        if accepted.is_ok() {
            break;
        }
        // A frame that was staged may be found whole at the next start: its file stays.
        assert_eq!(files, usize::from(spool.failure().is_some()), "fault {n}");
        refused += 1;
    }
    assert!(refused > 10, "the faults must reach the work");
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_leaves_no_file() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let bytes = 2 * 1_024 * 1_024;
    let large = routed(&spool, SENDER, vec![route("a@example.org", "")], "x".repeat(bytes));
    let begun = disk.operations();
    tokio::time::timeout(Duration::ZERO, spool.accept(large)).await.unwrap_err();
    let written = begun + (bytes / limits::BODY_CHUNK_BYTES) as u64;
    let gone = async {
        while disk.operations() < written || !disk.list(Path::new("/spool/bodies")).unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the file is written, and then removed");
    assert!(spool.list().is_empty() && spool.failure().is_none());
}

#[tokio::test]
async fn what_comes_after_a_failure_is_refused_before_a_file_is_made() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let large = routed(&spool, SENDER, vec![route("a@example.org", "")], "x".repeat(2 * 1_024 * 1_024));
    let failing = routed(&spool, SENDER, vec![route("a@example.org", "")], "x\r\n");
    disk.fail_nth(1, ErrorKind::Other);
    spool.accept(failing).await.unwrap_err();
    disk.heal();
    let before = disk.operations();
    spool.accept(large).await.unwrap_err();
    assert_eq!(disk.operations(), before);
}

#[tokio::test]
async fn a_message_is_not_delivered_again_and_again_while_there_is_no_room_to_record_it() {
    let disk = FaultDisk::new();
    let journal = JournalSettings { ahead_bytes: 0, ..settings().journal };
    let settings = SpoolSettings { journal, ..settings() };
    let spool = Spool::open_in_memory(settings, Arc::new(disk.clone())).unwrap();
    let id = accept(&spool, SENDER, vec![route("a@example.org", "")]).await;
    disk.capacity_set(disk.used_bytes());
    for now in [at(0), at(60)] {
        let due = due_one(&spool, now);
        let error = spool.complete(due, vec![Outcome::new(0, delivered())], now).await.unwrap_err();
        assert!(error.is_no_space() && spool.failure().is_none(), "{error}");
        while spool.stat().claimed > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(spool.due(now, 10).is_empty(), "not again at once");
    }
    assert!(spool.due(at(60 + 119), 10).is_empty(), "and later and later");
    disk.heal();
    complete(&spool, due_one(&spool, at(60 + 120)), delivered(), at(60 + 120)).await;
    assert!(spool.show(id).is_none());
}

#[tokio::test]
async fn what_was_claimed_before_there_was_no_room_is_not_tried_either() {
    let disk = FaultDisk::new();
    let journal = JournalSettings { ahead_bytes: 0, ..settings().journal };
    let spool =
        Spool::open_in_memory(SpoolSettings { journal, ..settings() }, Arc::new(disk.clone())).unwrap();
    for to in ["a@example.org", "b@example.org"] {
        accept(&spool, SENDER, vec![route(to, "")]).await;
    }
    let now = Timestamp::now();
    let mut due = spool.due(now, 10);
    let (second, first) = (due.pop().unwrap(), due.pop().unwrap());
    disk.capacity_set(disk.used_bytes());
    spool.complete(first, vec![Outcome::new(0, delivered())], now).await.unwrap_err();
    assert!(spool.begin(second).await.unwrap_err().is_no_space());
}
