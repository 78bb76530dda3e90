//! The spool in foul weather: what was accepted is there, once and whole; what was completed is not tried again.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use disk::{Body, Crash, Disk, FaultDisk, OpenMode};
use kit::*;
use spool::{Outcome, QueueId, Spool, SpoolError};

/// A body by its number; every third is large enough for a file of its own.
fn body_of(number: u64) -> String {
    let filler = if number % 3 == 2 { "a line of text\r\n".repeat(80_000) } else { String::new() };
    text(number) + &filler
}

async fn accept_number(spool: &Spool, number: u64) -> Result<QueueId, SpoolError> {
    let routed = routed(spool, SENDER, vec![route("one@example.org", "")], body_of(number));
    Ok(spool.accept(routed).await?.queue_id())
}

/// Each acknowledged message is there and whole; at most one more is.
async fn check(spool: &Spool, acknowledged: &BTreeMap<QueueId, u64>, what: &str) {
    let listed: Vec<_> = spool.list().into_iter().map(|shown| shown.queue_id).collect();
    for (id, number) in acknowledged {
        assert!(listed.contains(id), "{what}: message {number} is gone");
        assert_eq!(body(spool, *id).await, body_of(*number), "{what}: message {number}");
    }
    assert!(listed.len() <= acknowledged.len() + 1, "{what}: {listed:?}");
}

#[tokio::test]
async fn every_crash_keeps_every_accepted_message() {
    for seed in 0..30 {
        let crash = match seed {
            0 => Crash::Process,
            1 => Crash::Power,
            seed => Crash::Torn(seed),
        };
        let disk = FaultDisk::new();
        let mut acknowledged = BTreeMap::new();
        for round in 0..3 {
            let spool = open(&disk);
            check(&spool, &acknowledged, &format!("{crash:?}")).await;
            for number in round * 4..round * 4 + 4 {
                acknowledged.insert(accept_number(&spool, number).await.unwrap(), number);
            }
            disk.crash(crash);
        }
        check(&open(&disk), &acknowledged, &format!("{crash:?}")).await;
    }
}

#[tokio::test]
async fn a_fault_at_any_operation_keeps_every_accepted_message() {
    for crash in [Crash::Process, Crash::Power, Crash::Torn(7)] {
        for n in 1.. {
            let disk = FaultDisk::new();
            let mut acknowledged = BTreeMap::new();
            disk.fail_nth(n, ErrorKind::Other);
            if let Ok(spool) = try_open(&disk) {
                for number in 0..5 {
                    if let Ok(id) = accept_number(&spool, number).await {
                        acknowledged.insert(id, number);
                    }
                }
            }
            // Not every fault fails something: what is in hand need not be noted.
            let untouched = disk.operations() < n;
            disk.heal();
            disk.crash(crash);
            check(&open(&disk), &acknowledged, &format!("fault {n}, {crash:?}")).await;
            if untouched {
                assert!(n > 30, "the faults must reach the work");
                break;
            }
        }
    }
}

#[tokio::test]
async fn states_holds_and_reports_survive_a_power_failure() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let held = accept_number(&spool, 0).await.unwrap();
    spool.hold(held, "why not", at(1)).await.unwrap();
    let to = ["a@one.example", "b@two.example"];
    let id = accept(&spool, SENDER, to.map(|to| route(to, "")).to_vec()).await;
    let mut due = spool.due(at(1), 10);
    let (second, first) = (due.pop().unwrap(), due.pop().unwrap());
    let completed = complete(&spool, first, failed(), at(1)).await;
    complete(&spool, second, deferred(), at(1)).await;
    let (shown, report) = (spool.show(id), body(&spool, completed.reports[0]).await);
    disk.crash(Crash::Power);
    let spool = open(&disk);
    assert_eq!(spool.show(id), shown);
    assert_eq!(body(&spool, completed.reports[0]).await, report);
    assert_eq!(spool.show(held).unwrap().held.as_deref(), Some("why not"));
    let due = due_one(&spool, at(2));
    assert_eq!(due.queue_id, completed.reports[0], "the claims died with the process");
    assert_eq!(due_one(&spool, at(HOUR)).queue_id, id, "the deferred copy");
}

#[tokio::test]
async fn what_was_delivered_is_not_tried_again_after_a_crash() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    accept_number(&spool, 2).await.unwrap();
    complete(&spool, due_one(&spool, at(0)), delivered(), at(1)).await;
    disk.crash(Crash::Power);
    let spool = open(&disk);
    assert!(spool.list().is_empty());
    assert!(disk.list(Path::new("/spool/bodies")).unwrap().is_empty(), "its file is swept");
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_accepted_and_nothing_is_due() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    accept_number(&spool, 0).await.unwrap();
    let due = due_one(&spool, at(0));
    disk.fail_nth(1, ErrorKind::Other);
    let outcome = vec![Outcome::new(0, delivered())];
    assert!(spool.complete(due, outcome, at(1)).await.is_err());
    assert!(accept_number(&spool, 1).await.is_err());
    assert!(spool.due(at(HOUR), 10).is_empty(), "or it would be delivered twice");
    assert!(spool.failure().is_some());
    assert!(!spool.ended().await.is_damage());
}

#[tokio::test]
async fn bodies_that_a_crash_left_without_a_message_are_swept() {
    let disk = FaultDisk::new();
    drop(open(&disk));
    let stray = Path::new("/spool/bodies/0123456789ab.body");
    Body::from_bytes("never accepted").save(&disk, stray).unwrap();
    disk.crash(Crash::Process);
    open(&disk);
    assert!(!disk.exists(stray).unwrap());
}

#[tokio::test]
async fn a_damaged_body_is_named_and_costs_that_message_alone() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let (first, second) = (accept_number(&spool, 0).await.unwrap(), accept_number(&spool, 1).await.unwrap());
    let segment = Path::new("/spool/journal/00000000000000000001.seg");
    let bytes = disk::read_exact_at(&*disk.open(segment, OpenMode::Read).unwrap(), 400, 0).unwrap();
    let at_body = bytes.windows(10).position(|window| window == b"Message-ID").unwrap();
    disk.damage(segment, at_body as u64);
    assert!(matches!(spool.body(first).await, Err(SpoolError::BodyDamaged(id)) if id == first));
    assert_eq!(body(&spool, second).await, body_of(1));
    disk.crash(Crash::Process);
    let spool = open(&disk);
    let due = spool.due(at(0), 10);
    assert_eq!(due.len(), 2);
    for due in due {
        let completed = complete(&spool, due, failed(), at(1)).await;
        assert_eq!(completed.reports.len(), 1, "its sender can be told all the same");
    }
}
