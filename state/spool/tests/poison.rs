//! Messages that break who handles them: after three times they are held, and nobody else is stopped or blamed.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use disk::{Crash, FaultDisk};
use kit::*;
use spool::{Attempt, AuditEvent, Due, Outcome, QueueId, Spool};

fn crashed() -> Attempt {
    Attempt::Crashed(said(451, "4.6.0", "the delivery crashed"))
}

async fn accept_to(spool: &Spool, to: &str) -> QueueId {
    accept(spool, SENDER, vec![route(to, "")]).await
}

/// Begins an attempt that must be allowed.
async fn begun(spool: &Spool, due: Due) -> Due {
    spool.begin(due).await.unwrap().expect("it may be tried")
}

#[tokio::test]
async fn an_attempt_that_crashed_elsewhere_is_a_strike_and_the_third_one_holds_the_message() {
    let spool = open(&FaultDisk::new());
    let id = accept_to(&spool, "poison@example.org").await;
    for strikes in 1..=3 {
        assert!(spool.show(id).unwrap().held.is_none());
        let now = at(i64::from(strikes) * HOUR);
        complete(&spool, due_one(&spool, now), crashed(), now).await;
        assert_eq!(spool.show(id).unwrap().strikes, strikes);
        assert!(spool.due(now, 10).is_empty(), "not again at once");
    }
    let shown = spool.show(id).unwrap();
    assert!(shown.held.unwrap().contains("the delivery crashed"));
    assert_eq!(shown.recipients[0].last.as_ref().unwrap().status, "4.6.0");
    assert_eq!(spool.stat().held, 1);
    spool.retry(id, at(9 * HOUR)).await.unwrap();
    assert!(complete(&spool, due_one(&spool, at(9 * HOUR)), delivered(), at(9 * HOUR)).await.finished);
    assert_eq!(spool.stat().held, 0);
}

/// Begins all that is due until `poison` is in hand, and dies.
async fn die_of(disk: &FaultDisk, poison: QueueId) -> bool {
    let spool = open(disk);
    let mut in_hand = Vec::new();
    loop {
        let Some(due) = spool.due(at(1), 1).pop() else { return false };
        let queue_id = due.queue_id;
        match spool.begin(due).await.unwrap() {
            Some(due) if queue_id == poison => {
                in_hand.push(due);
                break;
            }
            // On trial: others of its kind wait for it.
            Some(due) if spool.show(queue_id).unwrap().strikes > 0 => {
                drop(complete(&spool, due, delivered(), at(1)).await);
            }
            Some(due) => in_hand.push(due),
            None => assert_eq!(queue_id, poison),
        }
    }
    disk.crash(Crash::Process);
    drop(in_hand);
    true
}

#[tokio::test]
async fn a_message_that_kills_the_process_is_found_out_and_held_and_the_innocent_are_delivered() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let innocent = [accept_to(&spool, "a@a.example").await, accept_to(&spool, "b@b.example").await];
    let poison = accept_to(&spool, "poison@example.org").await;
    spool.stop().unwrap();
    drop(spool);
    let mut deaths = 0;
    while die_of(&disk, poison).await {
        deaths += 1;
        assert!(deaths < 9, "it is never held");
    }
    assert_eq!(deaths, 4, "once among others, then three times by itself");
    disk.crash(Crash::Process);
    let spool = open(&disk);
    let shown = spool.show(poison).unwrap();
    assert!(shown.held.unwrap().contains("the process died"));
    assert!(innocent.iter().all(|id| spool.show(*id).is_none()), "delivered in between");
    assert!(spool.due(at(HOUR), 10).is_empty());
    let struck = spool.trace(poison).unwrap().iter().filter(|step| step.event == AuditEvent::Struck).count();
    assert_eq!(struck, 3);
}

#[tokio::test]
async fn what_was_in_hand_at_a_death_is_tried_one_at_a_time_beside_what_was_not() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let suspects = [accept_to(&spool, "a@a.example").await, accept_to(&spool, "b@b.example").await];
    let mut in_hand = Vec::new();
    for due in spool.due(at(1), 10) {
        in_hand.push(begun(&spool, due).await);
    }
    let other = accept_to(&spool, "c@c.example").await;
    disk.crash(Crash::Process);
    drop(in_hand);
    let spool = open(&disk);
    let mut due = spool.due(at(1), 10);
    let ids: Vec<_> = due.iter().map(|due| due.queue_id).collect();
    assert!(ids.contains(&other) && ids.len() == 2, "{ids:?}");
    let first = due.remove(ids.iter().position(|id| suspects.contains(id)).unwrap());
    let first_id = first.queue_id;
    let first = begun(&spool, first).await;
    assert_eq!(spool.show(first_id).unwrap().strikes, 1, "before anything happens");
    assert!(spool.due(at(1), 10).is_empty());
    complete(&spool, first, deferred(), at(1)).await;
    assert_eq!(spool.show(first_id).unwrap().strikes, 0, "something came of it");
    let second = begun(&spool, due_one(&spool, at(1))).await;
    assert!(suspects.contains(&second.queue_id) && second.queue_id != first_id);
    complete(&spool, second, delivered(), at(1)).await;
    assert_eq!(due_one(&spool, at(HOUR)).queue_id, first_id, "a message like others again");
}

#[tokio::test]
async fn an_attempt_that_ended_leaves_nobody_suspect() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    let (done, dropped) = (accept_to(&spool, "a@a.example").await, accept_to(&spool, "b@b.example").await);
    for due in spool.due(at(1), 10) {
        let due = begun(&spool, due).await;
        if due.queue_id == done {
            let outcome = vec![Outcome::new(0, deferred())];
            spool.complete(due, outcome, at(1)).await.unwrap();
        }
    }
    disk.crash(Crash::Process);
    let spool = open(&disk);
    begun(&spool, due_one(&spool, at(1))).await;
    assert_eq!(spool.show(dropped).unwrap().strikes, 0);
}
