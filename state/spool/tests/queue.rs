//! The queue at work: what is due, what comes of it, what operators do.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::sync::Arc;

use address::AccountName;
use disk::{Body, BodyWriter, Disk, FaultDisk, RealDisk};
use kit::*;
use spool::{Attempt, AuditEvent, NextHop, Outcome, Route, Spool, SpoolError, SpoolSettings, StateShown};

#[tokio::test]
async fn an_accepted_message_is_due_at_once_with_all_that_it_came_with() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let due = due_one(&spool, at(0));
    assert_eq!((due.queue_id, due.next_hop.clone()), (id, mx("example.org")));
    assert_eq!(due.reverse_path.to_string(), SENDER);
    assert_eq!(due.recipients[0].address, address("one@example.org"));
    assert_eq!(due.bytes, text(1).len() as u64);
    assert_eq!(body(&spool, id).await, text(1));
}

#[tokio::test]
async fn a_delivered_message_leaves_the_queue() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let completed = complete(&spool, due_one(&spool, at(0)), delivered(), at(1)).await;
    assert!(completed.finished && completed.reports.is_empty());
    assert!(spool.list().is_empty() && spool.show(id).is_none());
    assert!(matches!(spool.body(id).await, Err(SpoolError::NotFound(_))));
}

#[tokio::test]
async fn recipients_are_grouped_by_next_hop_and_claimed_once() {
    let spool = open(&FaultDisk::new());
    let local = |name: &str| {
        let account = AccountName::parse(&format!("{name}@example.com")).unwrap();
        Route { next_hop: NextHop::Local { account }, ..route(&format!("{name}@example.com"), "") }
    };
    let remote = ["a@one.example", "b@two.example", "c@one.example"].map(|to| route(to, ""));
    accept(&spool, SENDER, [&remote[..], &[local("x"), local("y")]].concat()).await;
    let due = spool.due(at(0), 10);
    let mut groups: Vec<Vec<u32>> =
        due.iter().map(|due| due.recipients.iter().map(|recipient| recipient.index).collect()).collect();
    groups.sort();
    assert_eq!(groups, [vec![0, 2], vec![1], vec![3, 4]]);
    assert!(spool.due(at(9), 10).is_empty(), "all are claimed");
    assert_eq!(spool.stat().claimed, 5);
    drop(due);
    assert_eq!(spool.due(at(9), 2).len(), 2, "what was dropped is due again, as many as asked for");
}

#[tokio::test]
async fn parts_of_a_message_are_completed_on_their_own() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("a@one.example", ""), route("b@two.example", "")]).await;
    let mut due = spool.due(at(0), 10);
    let second = due.pop().unwrap();
    assert!(!complete(&spool, due.pop().unwrap(), delivered(), at(1)).await.finished);
    assert_eq!(spool.show(id).unwrap().recipients[0].state, StateShown::Delivered);
    assert!(complete(&spool, second, delivered(), at(2)).await.finished);
}

#[tokio::test]
async fn recipients_without_an_outcome_are_due_again() {
    let spool = open(&FaultDisk::new());
    accept(&spool, SENDER, vec![route("a@one.example", ""), route("b@one.example", "")]).await;
    let due = due_one(&spool, at(0));
    spool.complete(due, vec![Outcome::new(1, delivered())], at(1)).await.unwrap();
    let due = due_one(&spool, at(1));
    assert_eq!((due.recipients[0].index, due.recipients[0].attempts), (0, 0));
}

#[tokio::test]
async fn a_deferred_recipient_waits_by_the_back_off_schedule() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let mut now = 0;
    for (attempt, wait) in [60, 300, 300, 300].into_iter().enumerate() {
        let due = due_one(&spool, at(now));
        assert_eq!(due.recipients[0].attempts as usize, attempt);
        complete(&spool, due, deferred(), at(now)).await;
        assert!(spool.due(at(now + wait - 1), 10).is_empty());
        now += wait;
    }
    let shown = &spool.show(id).unwrap().recipients[0];
    assert_eq!((shown.state, shown.attempts, shown.next), (StateShown::Deferred, 4, Some(at(now))));
    assert_eq!(shown.last.as_ref().unwrap().text, "try again later");
}

#[tokio::test]
async fn an_expanded_recipient_is_replaced_by_others_that_are_due_at_once() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("list@example.org", "")]).await;
    let others = vec![route("a@one.example", ""), route("b@two.example", "")];
    complete(&spool, due_one(&spool, at(0)), Attempt::Expanded(others), at(1)).await;
    let due = spool.due(at(1), 10);
    assert_eq!(due.iter().map(|due| due.recipients[0].index).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(spool.show(id).unwrap().recipients[0].state, StateShown::Expanded);
    for due in due {
        complete(&spool, due, delivered(), at(2)).await;
    }
    assert!(spool.list().is_empty());
}

#[tokio::test]
async fn a_held_message_waits_until_it_is_let_go() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    spool.hold(id, "looks odd", at(1)).await.unwrap();
    assert_eq!(spool.show(id).unwrap().held.as_deref(), Some("looks odd"));
    assert!(spool.due(at(HOUR), 10).is_empty());
    spool.retry(id, at(HOUR)).await.unwrap();
    due_one(&spool, at(HOUR));
}

#[tokio::test]
async fn a_message_can_come_in_held() {
    let spool = open(&FaultDisk::new());
    let mut routed = routed(&spool, SENDER, vec![route("one@example.org", "")], text(1));
    routed.hold = Some("virus".into());
    let id = spool.accept(routed).await.unwrap().queue_id();
    assert!(spool.due(at(HOUR), 10).is_empty());
    assert_eq!(spool.show(id).unwrap().held.as_deref(), Some("virus"));
    assert_eq!(spool.stat().held, 1);
}

#[tokio::test]
async fn retry_makes_a_waiting_message_due_now() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    complete(&spool, due_one(&spool, at(0)), deferred(), at(0)).await;
    assert!(spool.due(at(1), 10).is_empty());
    spool.retry(id, at(1)).await.unwrap();
    due_one(&spool, at(1));
}

#[tokio::test]
async fn a_deleted_message_is_gone_also_for_the_worker_that_has_it() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let due = due_one(&spool, at(0));
    spool.delete(id, at(1)).await.unwrap();
    let outcome = vec![Outcome::new(0, failed())];
    assert!(matches!(spool.complete(due, outcome, at(2)).await, Err(SpoolError::NotFound(_))));
    assert!(spool.list().is_empty() && spool.due(at(HOUR), 10).is_empty());
    assert!(matches!(spool.delete(id, at(3)).await, Err(SpoolError::NotFound(_))));
}

async fn worker_breaks(due: spool::Due) {
    let broken = tokio::spawn(async move {
        let _due = due;
        panic!("this message is poison");
    });
    assert!(broken.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_message_that_breaks_three_workers_is_held_and_others_go_on() {
    let spool = open(&FaultDisk::new());
    let poison = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let mut now = at(0);
    for strike in 1..=3 {
        worker_breaks(due_one(&spool, now)).await;
        while spool.show(poison).unwrap().strikes < strike || spool.stat().claimed > 0 {
            tokio::task::yield_now().await;
        }
        let shown = spool.show(poison).unwrap();
        assert_eq!(shown.held.is_some(), strike == 3);
        now = shown.recipients[0].next.unwrap();
        assert!(now > jiff::Timestamp::now(), "it waits a while");
    }
    assert!(spool.show(poison).unwrap().held.unwrap().contains("3 attempts"));
    let good = accept(&spool, SENDER, vec![route("two@example.org", "")]).await;
    assert_eq!(due_one(&spool, at(HOUR)).queue_id, good);
    spool.retry(poison, at(HOUR)).await.unwrap();
    assert_eq!(spool.show(poison).unwrap().strikes, 0, "an operator's retry forgives");
}

#[tokio::test]
async fn a_worker_that_is_stopped_costs_no_strike() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let due = due_one(&spool, at(0));
    let worker = tokio::spawn(async move {
        let _due = due;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    assert_eq!(spool.show(id).unwrap().strikes, 0);
    due_one(&spool, at(0));
}

#[tokio::test]
async fn who_waits_is_woken_by_a_new_message() {
    let spool = open(&FaultDisk::new());
    let waiting = tokio::spawn({
        let spool = spool.clone();
        async move { spool.wait_due().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    waiting.await.unwrap();
}

#[tokio::test]
async fn the_way_of_a_message_can_be_traced_after_it_has_gone() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    complete(&spool, due_one(&spool, at(0)), deferred(), at(1)).await;
    let last = Outcome { session: Some("session2".into()), ..Outcome::new(0, delivered()) };
    spool.complete(due_one(&spool, at(61)), vec![last], at(62)).await.unwrap();
    let events = spool.trace(id).unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.event).collect();
    use AuditEvent::{Accepted, Deferred, Delivered, Finished, Received};
    assert_eq!(kinds, [Received, Accepted, Deferred, Delivered, Finished]);
    let sessions: Vec<_> = events.iter().map(|event| event.session.as_deref()).collect();
    let [tried, came] = [Some("session2"), Some("session1")];
    assert_eq!(sessions, [came, came, None, tried, tried]);
    let received = "from=<sender@example.com> to=<one@example.org> peer=192.0.2.1:4321 \
                    helo=client.example.com tls=yes bytes=";
    assert!(events[0].text.starts_with(received), "{}", events[0].text);
    assert!(events[0].text.ends_with(" message-id=<1@example.com>"), "{}", events[0].text);
    assert_eq!(spool.message_id_of(id).unwrap().as_deref(), Some("1@example.com"));
    assert!(events[3].text.contains("to=<one@example.org>") && events[3].text.contains("mx.example.org"));
    assert!(events.iter().all(|event| event.source.starts_with("spool record ")));
    assert_eq!(spool.message_id_find("<1@example.com>").unwrap(), [id]);
    assert_eq!(spool.message_id_find("1@example.com").unwrap(), [id]);
    assert!(spool.message_id_find("1@example.co").unwrap().is_empty());
}

#[tokio::test]
async fn a_message_without_a_route_or_with_a_taken_name_is_refused() {
    let spool = open(&FaultDisk::new());
    let none = routed(&spool, SENDER, Vec::new(), text(1));
    assert!(matches!(spool.accept(none).await, Err(SpoolError::NoRoute(_))));
    let first = routed(&spool, SENDER, vec![route("one@example.org", "")], text(1));
    let mut second = routed(&spool, SENDER, vec![route("one@example.org", "")], text(2));
    second.queue_id = first.queue_id;
    let id = spool.accept(first).await.unwrap().queue_id();
    assert!(matches!(spool.accept(second).await, Err(SpoolError::Taken(_))));
    assert_eq!(body(&spool, id).await, text(1));
}

#[tokio::test]
async fn a_large_body_has_a_file_of_its_own_that_goes_with_the_message() {
    let disk = FaultDisk::new();
    let spool = open(&disk);
    disk.create_dir("/incoming".as_ref()).unwrap();
    let mut writer = BodyWriter::new(Arc::new(disk.clone()), "/incoming", limits::BODY_MEMORY_BYTES_MAX);
    let large = format!("Message-ID: <big@example.com>\r\n\r\n{}", "a line of text\r\n".repeat(100_000));
    writer.write(large.as_bytes()).unwrap();
    let mut routed = routed(&spool, SENDER, vec![route("one@example.org", "")], "");
    routed.body = Body::prefixed("Received: here\r\n".into(), writer.finish().unwrap());
    let id = spool.accept(routed).await.unwrap().queue_id();
    assert_eq!(disk.list("/spool/bodies".as_ref()).unwrap(), [format!("{id}.body")]);
    assert_eq!(disk.list("/incoming".as_ref()).unwrap().len(), 0);
    assert_eq!(body(&spool, id).await, format!("Received: here\r\n{large}"));
    assert_eq!(spool.message_id_find("big@example.com").unwrap(), [id]);
    complete(&spool, due_one(&spool, at(0)), delivered(), at(1)).await;
    assert!(disk.list("/spool/bodies".as_ref()).unwrap().is_empty());
}

#[tokio::test]
async fn a_spool_on_the_real_disk_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let settings = SpoolSettings { dir: dir.path().join("spool"), ..settings() };
        Spool::open(settings, Arc::new(RealDisk)).unwrap()
    };
    let spool = open();
    let done = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    complete(&spool, due_one(&spool, at(0)), delivered(), at(1)).await;
    let id = accept(&spool, SENDER, vec![route("two@example.org", "")]).await;
    spool.stop().unwrap();
    assert!(spool.hold(id, "late", at(2)).await.is_err());
    drop(spool);
    let spool = open();
    assert_eq!(due_one(&spool, at(2)).queue_id, id);
    assert_eq!(body(&spool, id).await, text(1));
    assert_eq!(spool.trace(done).unwrap().len(), 4);
    assert!(spool.queue_id_next(at(0)) > id);
}

#[tokio::test]
async fn a_message_just_taken_is_given_from_memory_once_and_not_at_all_when_it_is_gone() {
    let disk = FaultDisk::new();
    let settings = SpoolSettings { recent_bytes_max: 1_000_000, ..settings() };
    let spool = Spool::open_in_memory(settings, Arc::new(disk.clone())).unwrap();
    let first = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let second = accept(&spool, SENDER, vec![route("two@example.org", "")]).await;
    disk.fail_nth(1, std::io::ErrorKind::Other);
    assert_eq!(body(&spool, first).await, text(1), "nothing is read from the disk");
    assert!(spool.body(first).await.is_err(), "this time it is, and fails");
    disk.heal();
    assert_eq!(body(&spool, first).await, text(1));
    spool.delete(second, at(1)).await.unwrap();
    assert!(matches!(spool.body(second).await, Err(SpoolError::NotFound(id)) if id == second));
}
