//! What senders hear (RFC 3461).

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use address::{Envid, Ret};
use disk::FaultDisk;
use kit::*;
use spool::{Attempt, Delivery, NextHop, QueueId, Spool};

async fn report(spool: &Spool, id: QueueId) -> String {
    let shown = spool.show(id).unwrap();
    assert!(shown.reverse_path.is_null());
    assert_eq!(shown.recipients[0].address, address("sender@example.com"));
    assert_eq!(shown.recipients[0].next_hop, NextHop::Unrouted);
    body(spool, id).await
}

/// What the sender hears after one attempt at `now` for a recipient with this NOTIFY.
async fn reports(notify: &str, attempt: Attempt, now: i64) -> Vec<String> {
    let spool = open(&FaultDisk::new());
    accept(&spool, SENDER, vec![route("one@example.org", notify)]).await;
    let completed = complete(&spool, due_one(&spool, at(now)), attempt, at(now)).await;
    let mut reports = Vec::new();
    for id in completed.reports {
        reports.push(report(&spool, id).await);
    }
    reports
}

#[tokio::test]
async fn a_failure_is_reported_by_default_with_the_header_and_the_reply() {
    let reports = reports("", failed(), 1).await;
    let [report] = &reports[..] else { panic!("one report, not {}", reports.len()) };
    for part in [
        "Action: failed\r\n",
        "Status: 5.1.1\r\n",
        "Final-Recipient: rfc822; one@example.org\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        "Reporting-MTA: dns; mail.example.com\r\n",
        "Received-From-MTA: dns; client.example.com\r\n",
        "Subject: 1\r\n",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert!(!report.contains("body 1"));
}

#[tokio::test]
async fn notify_says_what_is_reported() {
    let relayed = |delivery| Attempt::Delivered(delivery, said(250, "2.0.0", "ok"));
    let cases = [
        ("", delivered(), 1, None),
        ("NEVER", failed(), 1, None),
        ("SUCCESS", failed(), 1, None),
        ("DELAY", failed(), 1, None),
        ("FAILURE", failed(), 1, Some("failed")),
        ("SUCCESS", delivered(), 1, Some("delivered")),
        ("FAILURE", delivered(), 1, None),
        ("SUCCESS", relayed(Delivery::RelayedWithoutDsn), 1, Some("relayed")),
        ("SUCCESS", relayed(Delivery::Relayed), 1, None),
        ("", deferred(), 3 * HOUR, None),
        ("", deferred(), 5 * HOUR, Some("delayed")),
        ("DELAY", deferred(), 5 * HOUR, Some("delayed")),
        ("FAILURE", deferred(), 5 * HOUR, None),
        ("NEVER", deferred(), 5 * HOUR, None),
    ];
    for (notify, attempt, now, action) in cases {
        let reports = reports(notify, attempt.clone(), now).await;
        let said = format!("NOTIFY={notify} {attempt:?} at {now}");
        assert_eq!(reports.len(), usize::from(action.is_some()), "{said}");
        if let Some(action) = action {
            assert!(reports[0].contains(&format!("Action: {action}\r\n")), "{said}: {}", reports[0]);
        }
    }
}

#[tokio::test]
async fn a_delay_is_reported_once_and_does_not_keep_the_message_from_being_tried() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    let first = complete(&spool, due_one(&spool, at(5 * HOUR)), deferred(), at(5 * HOUR)).await;
    let report = report(&spool, first.reports[0]).await;
    assert!(report.contains("Will-Retry-Until: "), "{report}");
    let later = 6 * HOUR;
    let due = spool.due(at(later), 10).into_iter().find(|due| due.queue_id == id).unwrap();
    let second = complete(&spool, due, deferred(), at(later)).await;
    assert!(second.reports.is_empty() && !second.finished);
}

#[tokio::test]
async fn a_message_that_expires_is_given_back() {
    let spool = open(&FaultDisk::new());
    let id = accept(&spool, SENDER, vec![route("one@example.org", "FAILURE")]).await;
    let expires = 5 * 24 * HOUR;
    complete(&spool, due_one(&spool, at(expires - 10)), deferred(), at(expires - 10)).await;
    assert!(spool.due(at(expires - 1), 10).is_empty());
    let completed = complete(&spool, due_one(&spool, at(expires)), deferred(), at(expires)).await;
    assert!(completed.finished && spool.show(id).is_none());
    let report = report(&spool, completed.reports[0]).await;
    assert!(report.contains("Status: 5.4.7\r\n"), "{report}");
    let said = "x-tartan; 5.4.7 given up after 5 days; last: 451 4.7.1 try again later\r\n";
    assert!(report.replace("\r\n ", " ").contains(said), "{report}");
}

#[tokio::test]
async fn nobody_hears_of_a_message_without_a_sender() {
    let spool = open(&FaultDisk::new());
    accept(&spool, "<>", vec![route("one@example.org", "SUCCESS,FAILURE,DELAY")]).await;
    let completed = complete(&spool, due_one(&spool, at(0)), failed(), at(1)).await;
    assert!(completed.finished && completed.reports.is_empty());
    assert!(spool.list().is_empty());
}

#[tokio::test]
async fn a_report_that_fails_is_not_reported_about() {
    let spool = open(&FaultDisk::new());
    accept(&spool, SENDER, vec![route("one@example.org", "")]).await;
    complete(&spool, due_one(&spool, at(0)), failed(), at(1)).await;
    let report = due_one(&spool, at(1));
    let routed = vec![route("sender@example.com", "NEVER")];
    complete(&spool, report, Attempt::Expanded(routed), at(1)).await;
    let completed = complete(&spool, due_one(&spool, at(1)), failed(), at(2)).await;
    assert!(completed.finished && completed.reports.is_empty());
    assert!(spool.list().is_empty());
}

#[tokio::test]
async fn ret_full_gives_the_whole_message_back_and_envid_comes_back_too() {
    let spool = open(&FaultDisk::new());
    let mut routed = routed(&spool, SENDER, vec![route("one@example.org", "")], text(1));
    routed.envelope.params.ret = Some(Ret::Full);
    routed.envelope.params.envid = Some(Envid::parse("envelope-7").unwrap());
    let _ = spool.accept(routed).await.unwrap();
    let completed = complete(&spool, due_one(&spool, at(0)), failed(), at(1)).await;
    let report = report(&spool, completed.reports[0]).await;
    assert!(report.contains(&text(1)));
    assert!(report.contains("Content-Type: message/rfc822\r\n"));
    assert!(report.contains("Original-Envelope-Id: envelope-7\r\n"));
}

#[tokio::test]
async fn recipients_with_the_same_fate_share_a_report() {
    let spool = open(&FaultDisk::new());
    let to = ["a@example.org", "b@example.org", "c@example.org"];
    accept(&spool, SENDER, to.map(|to| route(to, "SUCCESS,FAILURE")).to_vec()).await;
    let due = due_one(&spool, at(0));
    let attempts = [failed(), delivered(), failed()];
    let outcomes = attempts.into_iter().zip(0..).map(|(attempt, index)| spool::Outcome::new(index, attempt));
    let completed = spool.complete(due, outcomes.collect(), at(1)).await.unwrap();
    assert_eq!(completed.reports.len(), 2);
    let first = report(&spool, completed.reports[0]).await;
    assert!(first.contains("; a@example.org") && first.contains("; c@example.org"));
    assert!(!first.contains("; b@example.org"));
}

#[tokio::test]
async fn who_wants_to_hear_of_deliveries_hears_of_an_expansion_and_not_of_each_of_many() {
    let spool = open(&FaultDisk::new());
    accept(&spool, SENDER, vec![route("all@example.org", "SUCCESS,DELAY")]).await;
    let targets = ["one@example.org", "two@example.org"]
        .map(|to| spool::Route { rewritten: Some(address(to)), ..route("all@example.org", "SUCCESS,DELAY") });
    let completed =
        complete(&spool, due_one(&spool, at(0)), Attempt::Expanded(targets.to_vec()), at(0)).await;
    let report = report(&spool, completed.reports[0]).await;
    for part in ["Action: expanded\r\n", "Final-Recipient: rfc822; all@example.org\r\n", "Status: 2.0.0\r\n"]
    {
        assert!(report.contains(part), "{part} in {report}");
    }
    let copies = spool.due(at(0), 10);
    let copy = copies.into_iter().find(|due| !due.reverse_path.is_null()).unwrap();
    assert!(copy.recipients.iter().all(|to| to.recipient.notify.to_string() == "DELAY"));
    let completed = complete(&spool, copy, delivered(), at(1)).await;
    assert!(completed.reports.is_empty());
}

#[tokio::test]
async fn an_alias_of_one_is_no_expansion_and_its_delivery_is_reported() {
    let spool = open(&FaultDisk::new());
    accept(&spool, SENDER, vec![route("alias@example.org", "SUCCESS")]).await;
    let target =
        spool::Route { rewritten: Some(address("one@example.org")), ..route("alias@example.org", "SUCCESS") };
    let completed = complete(&spool, due_one(&spool, at(0)), Attempt::Expanded(vec![target]), at(0)).await;
    assert!(completed.reports.is_empty());
    let completed = complete(&spool, due_one(&spool, at(0)), delivered(), at(1)).await;
    assert!(report(&spool, completed.reports[0]).await.contains("Action: delivered\r\n"));
}
