//! The relay against a small internet on loopback.

mod fake;

use std::sync::Arc;
use std::time::Duration;

use address::{BodyKind, MailParams};
use disk::{FaultDisk, RealDisk};
use fake::dns::Zone;
use fake::server::{Behaviour, FakeServer};
use fake::system::{Submission, System, lmtp_over_tcp, settings};
use net::TlsStore;
use relay::RelaySettings;
use spool::{NextHop, Shown, StateShown};

/// A mail server of `x.example`, its only exchanger, and a system that can reach it.
async fn one_exchanger(behaviour: Behaviour) -> (FakeServer, System) {
    let server = FakeServer::start("127.0.0.1:0", behaviour).await;
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let system = System::start(zone, server.address.port()).await;
    (server, system)
}

fn pipelining() -> Behaviour {
    Behaviour { extensions: vec!["PIPELINING", "8BITMIME"], ..Behaviour::default() }
}

fn is_deferred(shown: &Shown) -> bool {
    shown.recipients.iter().all(|recipient| recipient.state == StateShown::Deferred)
}

fn last_status(shown: &Shown) -> String {
    shown.recipients[0].last.as_ref().expect("an attempt was made").status.to_string()
}

#[tokio::test]
async fn a_message_is_relayed_to_the_exchanger_of_its_domain() {
    let (server, system) = one_exchanger(pipelining()).await;
    let id = system.submit(Submission::by_mx(&["b@x.example", "c@x.example"])).await;
    system.finished(id).await;
    let seen = server.seen();
    assert_eq!(seen.messages.len(), 1);
    assert_eq!(seen.messages[0].mail, "MAIL FROM:<alice@here.example>");
    assert_eq!(seen.messages[0].recipients, ["RCPT TO:<b@x.example>", "RCPT TO:<c@x.example>"]);
    assert_eq!(seen.messages[0].data, "Subject: hi\r\n\r\nhello\r\n");
    assert_eq!(seen.commands[0], "EHLO me.example");
    let way = system.spool.trace(id).unwrap();
    let relayed = way.iter().filter(|event| event.role == "relay").map(|event| event.session.as_deref());
    let sessions: Vec<_> = relayed.collect();
    assert!(sessions.len() == 2 && sessions[0].is_some() && sessions[0] == sessions[1], "{way:?}");
}

#[tokio::test]
async fn exchangers_are_tried_by_preference_until_one_takes_the_message() {
    let last = FakeServer::start("127.0.0.4:0", pipelining()).await;
    let port = last.address.port();
    let greeting = Some("554 not today");
    let unwilling = Behaviour { greeting, ..Behaviour::default() };
    let unwilling = FakeServer::start(&format!("127.0.0.3:{port}"), unwilling).await;
    let zone = Zone::new()
        .mx("x.example", 30, "last.x.example")
        .mx("x.example", 10, "dead.x.example")
        .mx("x.example", 20, "unwilling.x.example")
        .mx("x.example", 5, "nameless.x.example")
        .a("dead.x.example", "127.0.0.2")
        .a("unwilling.x.example", "127.0.0.3")
        .a("last.x.example", "127.0.0.4");
    let system = System::start(zone, port).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert_eq!(unwilling.seen().connections, 1);
    assert_eq!(last.seen().messages.len(), 1);
}

#[tokio::test]
async fn all_addresses_of_an_exchanger_are_tried() {
    let server = FakeServer::start("127.0.0.3:0", pipelining()).await;
    let zone = Zone::new()
        .mx("x.example", 10, "mx.x.example")
        .a("mx.x.example", "127.0.0.2")
        .a("mx.x.example", "127.0.0.3");
    let system = System::start(zone, server.address.port()).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn a_domain_without_mx_records_is_its_own_exchanger_also_behind_an_alias() {
    let server = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let zone = Zone::new().a("host.example", "127.0.0.1").cname("x.example", "host.example");
    let system = System::start(zone, server.address.port()).await;
    for recipient in ["b@host.example", "b@x.example"] {
        let id = system.submit(Submission::by_mx(&[recipient])).await;
        system.finished(id).await;
    }
    assert_eq!(server.seen().messages.len(), 2);
}

#[tokio::test]
async fn what_the_dns_rules_out_is_reported_to_the_sender_at_once() {
    let zone = || {
        Zone::new()
            .mx("null.example", 0, ".")
            .mx("loop.example", 10, "me.example")
            .mx("loop.example", 20, "other.example")
            .mx("nowhere.example", 10, "gone.nowhere.example")
    };
    let ruled_out = [
        ("b@null.example", "5.1.10"),
        ("b@missing.example", "5.1.2"),
        ("b@loop.example", "5.4.6"),
        ("b@nowhere.example", "5.4.4"),
    ];
    for (recipient, status) in ruled_out {
        let system = System::start(zone(), 9).await;
        let id = system.submit(Submission::by_mx(&[recipient])).await;
        system.finished(id).await;
        let report = system.report().await;
        assert!(report.contains(&format!("Status: {status}\r\n")), "{status}: {report}");
    }
}

#[tokio::test]
async fn a_name_server_that_fails_defers() {
    let system = System::start(Zone::new().broken("x.example"), 9).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    let shown = system.queued(id, is_deferred).await;
    assert_eq!(last_status(&shown), "4.4.3");
}

#[tokio::test]
async fn an_exchanger_without_address_does_not_bounce_what_another_may_take_later() {
    let zone = Zone::new()
        .mx("x.example", 10, "dead.x.example")
        .mx("x.example", 20, "nameless.x.example")
        .a("dead.x.example", "127.0.0.2");
    let system = System::start(zone, 9).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    let shown = system.queued(id, is_deferred).await;
    assert_eq!(last_status(&shown), "4.4.1");
}

#[tokio::test]
async fn a_host_that_takes_no_mail_at_all_bounces() {
    let greeting = Some("521 no mail here");
    let (_server, system) = one_exchanger(Behaviour { greeting, ..Behaviour::default() }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert!(system.report().await.contains("521"));
}

#[tokio::test]
async fn tls_is_used_where_it_is_offered() {
    let dir = tempfile::tempdir().unwrap();
    let acceptor = TlsStore::self_signed(dir.path(), &["mx.x.example".into()]).unwrap().acceptor();
    let (server, system) = one_exchanger(Behaviour { tls: Some(acceptor), ..pipelining() }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert!(server.seen().messages[0].tls);
    let hellos = server.seen().commands.iter().filter(|line| line.starts_with("EHLO")).count();
    assert_eq!(hellos, 2);
}

#[tokio::test]
async fn a_failed_handshake_is_followed_by_plain_text() {
    let (server, system) = one_exchanger(Behaviour { tls_is_broken: true, ..pipelining() }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert_eq!(server.seen().connections, 2);
    assert!(!server.seen().messages[0].tls);
}

#[tokio::test]
async fn a_refused_recipient_is_reported_and_the_others_are_served() {
    let replies = [("RCPT TO:<no@x.example>", "550 5.1.1 no such user")].into();
    let (server, system) = one_exchanger(Behaviour { replies, ..pipelining() }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example", "no@x.example", "c@x.example"])).await;
    system.finished(id).await;
    assert_eq!(server.seen().messages[0].recipients, ["RCPT TO:<b@x.example>", "RCPT TO:<c@x.example>"]);
    let report = system.report().await;
    let of = |recipient: &str| report.contains(&format!("Final-Recipient: rfc822; {recipient}"));
    assert!(report.contains("Status: 5.1.1"), "{report}");
    assert!(of("no@x.example") && !of("b@x.example") && !of("c@x.example"));
}

#[tokio::test]
async fn a_recipient_refused_for_now_waits_alone() {
    let replies = [("RCPT TO:<later@x.example>", "451 4.2.0 greylisted")].into();
    let (server, system) = one_exchanger(Behaviour { replies, ..pipelining() }).await;
    let id = system.submit(Submission::by_mx(&["later@x.example", "b@x.example"])).await;
    let waiting = |shown: &Shown| shown.recipients.iter().any(|to| to.state == StateShown::Deferred);
    let shown = system.queued(id, waiting).await;
    assert_eq!(server.seen().messages[0].recipients, ["RCPT TO:<b@x.example>"]);
    assert_eq!(shown.recipients[0].state, StateShown::Deferred);
    assert_eq!(last_status(&shown), "4.2.0");
    assert_eq!(shown.recipients[1].state, StateShown::Delivered);
}

#[tokio::test]
async fn recipients_that_were_one_too_many_follow_in_further_transactions() {
    let (server, system) = one_exchanger(Behaviour { recipients_max: Some(2), ..pipelining() }).await;
    let recipients = ["a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"];
    let id = system.submit(Submission::by_mx(&recipients)).await;
    system.finished(id).await;
    let counts: Vec<usize> = server.seen().messages.iter().map(|message| message.recipients.len()).collect();
    assert_eq!(counts, [2, 2, 1]);
    assert_eq!(server.seen().connections, 1);
}

#[tokio::test]
async fn messages_for_one_destination_share_a_connection() {
    let server = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let settings = settings(zone.serve().await, server.address.port());
    let system = System::start_with(RelaySettings { per_destination_max: 1, ..settings }).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(system.submit(Submission::by_mx(&["b@x.example"])).await);
    }
    for id in ids {
        system.finished(id).await;
    }
    assert_eq!(server.seen().messages.len(), 5);
    assert_eq!(server.seen().connections, 1);
}

#[tokio::test]
async fn a_destination_gets_no_more_connections_than_it_may() {
    let behaviour = Behaviour { message_time: Duration::from_millis(50), ..pipelining() };
    let server = FakeServer::start("127.0.0.1:0", behaviour).await;
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let settings = settings(zone.serve().await, server.address.port());
    let system = System::start_with(RelaySettings { per_destination_max: 2, ..settings }).await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(system.submit(Submission::by_mx(&["b@x.example"])).await);
    }
    for id in ids {
        system.finished(id).await;
    }
    assert_eq!(server.seen().connections_at_once, 2);
}

#[tokio::test]
async fn a_connection_that_the_peer_closed_meanwhile_costs_no_attempt() {
    let (server, system) = one_exchanger(Behaviour { closes_after_message: true, ..pipelining() }).await;
    let first = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(first).await;
    let second = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(second).await;
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test]
async fn a_peer_that_goes_in_the_middle_defers() {
    let (server, system) = one_exchanger(Behaviour { closes_at: Some("DATA"), ..pipelining() }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    let shown = system.queued(id, is_deferred).await;
    assert_eq!(last_status(&shown), "4.4.2");
    assert_eq!(server.seen().connections, 1);
}

#[tokio::test]
async fn a_peer_that_does_not_answer_in_time_is_given_up() {
    let behaviour = Behaviour { message_time: Duration::from_secs(60), ..pipelining() };
    let server = FakeServer::start("127.0.0.1:0", behaviour).await;
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let mut settings = settings(zone.serve().await, server.address.port());
    settings.times.data_termination = Duration::from_millis(200);
    let system = System::start_with(settings).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    let shown = system.queued(id, is_deferred).await;
    assert_eq!(last_status(&shown), "4.4.2");
}

#[tokio::test]
async fn a_peer_that_always_has_a_little_more_to_say_is_given_up() {
    let behaviour = Behaviour { drips_at: Some("RCPT"), ..pipelining() };
    let server = FakeServer::start("127.0.0.1:0", behaviour).await;
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let mut settings = settings(zone.serve().await, server.address.port());
    settings.times.transaction = Duration::from_millis(500);
    let system = System::start_with(settings).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    let shown = system.queued(id, is_deferred).await;
    assert_eq!(last_status(&shown), "4.4.2");
}

#[tokio::test]
async fn a_slow_destination_does_not_hold_up_another() {
    let slow = Behaviour { message_time: Duration::from_secs(8), ..pipelining() };
    let slow = FakeServer::start("127.0.0.1:0", slow).await;
    let port = slow.address.port();
    let quick = FakeServer::start(&format!("127.0.0.2:{port}"), pipelining()).await;
    let zone = Zone::new()
        .mx("slow.example", 10, "mx.slow.example")
        .a("mx.slow.example", "127.0.0.1")
        .mx("quick.example", 10, "mx.quick.example")
        .a("mx.quick.example", "127.0.0.2");
    let system = System::start(zone, port).await;
    let slow_id = system.submit(Submission::by_mx(&["b@slow.example"])).await;
    system.until(|| (slow.seen().connections == 1).then_some(())).await;
    let quick_id = system.submit(Submission::by_mx(&["b@quick.example"])).await;
    system.finished(quick_id).await;
    assert_eq!(quick.seen().messages.len(), 1);
    assert!(system.spool.show(slow_id).is_some());
}

#[tokio::test]
async fn hosts_that_do_not_answer_do_not_hold_up_mail_for_accounts() {
    let slow = Behaviour { message_time: Duration::from_secs(8), ..pipelining() };
    let slow = FakeServer::start("127.0.0.1:0", slow).await;
    let zone = Zone::new().mx("slow.example", 10, "mx.slow.example").a("mx.slow.example", "127.0.0.1");
    let settings = settings(zone.serve().await, slow.address.port());
    let system = System::start_with(RelaySettings { workers_max: 1, ..settings }).await;
    let away = system.submit(Submission::by_mx(&["b@slow.example"])).await;
    system.until(|| (slow.seen().connections == 1).then_some(())).await;
    let here = system.submit(Submission::local(&["alice@here.example"])).await;
    system.finished(here).await;
    assert_eq!(system.lmtpd.seen().messages.len(), 1);
    assert!(system.spool.show(away).is_some());
}

#[tokio::test]
async fn all_that_waits_for_an_unreachable_destination_is_deferred_by_one_attempt() {
    let greeting = Some("421 busy");
    let server = FakeServer::start("127.0.0.1:0", Behaviour { greeting, ..Behaviour::default() }).await;
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let settings = settings(zone.serve().await, server.address.port());
    // The messages must all be there before the relay looks.
    let idle = System::start_with(RelaySettings { claimed_max: 0, ..settings.clone() }).await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(idle.submit(Submission::by_mx(&["b@x.example"])).await);
    }
    let settings = RelaySettings { per_destination_max: 1, ..settings };
    let system = idle.served_anew(settings).await;
    for id in ids {
        system.queued(id, is_deferred).await;
    }
    assert_eq!(server.seen().connections, 1);
}

#[tokio::test]
async fn a_configured_host_is_used_without_mx_records() {
    let server = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let zone = Zone::new().mx("smart.example", 10, "wrong.example").a("smart.example", "127.0.0.1");
    let system = System::start(zone, 9).await;
    let port = server.address.port();
    let hop = |_: &address::Address| NextHop::Host { host: "smart.example".into(), port };
    let id = system.submit(Submission::by(&["b@x.example"], hop)).await;
    system.finished(id).await;
    assert_eq!(server.seen().messages.len(), 1);
}

async fn local_delivery(system: System, lmtpd: FakeServer) {
    lmtpd.behave(|behaviour| {
        behaviour.delivery_replies = [("bob@", "452 4.2.2 mailbox full")].into();
    });
    let id = system.submit(Submission::local(&["alice@here.example", "bob@here.example"])).await;
    let waiting = |shown: &Shown| shown.recipients.iter().any(|to| to.state == StateShown::Deferred);
    let shown = system.queued(id, waiting).await;
    let state = |name: &str| {
        let recipient = shown.recipients.iter().find(|to| to.address.to_string().starts_with(name));
        recipient.expect("a recipient of the message").state
    };
    assert_eq!((state("alice"), state("bob")), (StateShown::Delivered, StateShown::Deferred));
    assert_eq!(lmtpd.seen().commands[0], "LHLO me.example");
}

#[tokio::test]
async fn accounts_are_served_over_lmtp_by_a_pipe() {
    let system = System::start(Zone::new(), 9).await;
    let lmtpd = system.lmtpd.clone();
    local_delivery(system, lmtpd).await;
}

#[tokio::test]
async fn accounts_are_served_over_lmtp_by_tcp_in_the_same_way() {
    let lmtpd = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let settings = lmtp_over_tcp(settings(Zone::new().serve().await, 9), lmtpd.address);
    let system = System::start_with(settings).await;
    local_delivery(system, lmtpd).await;
}

#[tokio::test]
async fn an_lmtpd_that_is_away_defers() {
    let settings = lmtp_over_tcp(settings(Zone::new().serve().await, 9), "127.0.0.2:9".parse().unwrap());
    let system = System::start_with(settings).await;
    let id = system.submit(Submission::local(&["bob@here.example"])).await;
    let shown = system.queued(id, is_deferred).await;
    assert_eq!(last_status(&shown), "4.4.1");
}

#[tokio::test]
async fn what_has_no_route_is_routed_first() {
    let system = System::start(Zone::new(), 9).await;
    let recipients = ["bob+lists@here.example", "nobody@here.example"];
    let id = system.submit(Submission::by(&recipients, |_| NextHop::Unrouted)).await;
    system.finished(id).await;
    assert!(system.report().await.contains("Status: 5.1.1"));
    let messages = system.lmtpd.seen().messages;
    assert!(messages.iter().any(|message| message.recipients == ["RCPT TO:<bob+lists@here.example>"]));
}

#[tokio::test]
async fn a_large_message_arrives_whole_with_and_without_chunks() {
    let body: String = (0..200_000).map(|n| format!(".line {n}\r\n")).collect();
    for extensions in [vec!["CHUNKING", "PIPELINING"], vec![]] {
        let (server, system) = one_exchanger(Behaviour { extensions, ..Behaviour::default() }).await;
        let id = system.submit(Submission::by_mx(&["b@x.example"]).body(body.clone())).await;
        system.finished(id).await;
        assert!(server.seen().messages[0].data == body, "the body has changed on its way");
    }
}

#[tokio::test]
async fn a_message_announced_as_8bit_goes_to_a_7bit_peer_if_it_is_7bit_after_all() {
    let (server, system) = one_exchanger(Behaviour::default()).await;
    let eight_bit = || MailParams { body: BodyKind::EightBitMime, smtputf8: true, ..MailParams::default() };
    let mut plain = Submission::by_mx(&["b@x.example"]);
    plain.params = eight_bit();
    let plain = system.submit(plain).await;
    system.finished(plain).await;
    assert_eq!(server.seen().messages.len(), 1);

    let mut real = Submission::by_mx(&["b@x.example"]).body("Subject: h\u{e9}\r\n\r\n");
    real.params = eight_bit();
    let real = system.submit(real).await;
    system.finished(real).await;
    assert!(system.report().await.contains("Status: 5.6.7"));
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn a_stop_lets_workers_finish_what_they_have_in_hand() {
    let behaviour = Behaviour { message_time: Duration::from_millis(500), ..pipelining() };
    let (server, system) = one_exchanger(behaviour).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.until(|| server.seen().commands.iter().any(|line| line == "DATA").then_some(())).await;
    let spool = system.stop().await;
    assert!(spool.show(id).is_none());
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn a_message_that_crashes_its_worker_three_times_is_held_and_stops_nobody() {
    let settings = settings(Zone::new().serve().await, 9);
    let system = System::start_on(Arc::new(RealDisk), Duration::from_millis(20), settings).await;
    let poison = system.submit(Submission::by(&["poison@here.example"], |_| NextHop::Unrouted)).await;
    let sound = system.submit(Submission::by(&["bob@here.example"], |_| NextHop::Unrouted)).await;
    system.finished(sound).await;
    let shown = system.queued(poison, |shown| shown.held.is_some()).await;
    assert_eq!(shown.strikes, 3);
    let later = system.submit(Submission::by(&["bob@here.example"], |_| NextHop::Unrouted)).await;
    system.finished(later).await;
}

/// A system that tries again soon, with its lmtpd.
async fn soon_again() -> System {
    let settings = settings(Zone::new().serve().await, 9);
    System::start_on(Arc::new(RealDisk), Duration::from_millis(20), settings).await
}

#[tokio::test]
async fn a_message_whose_delivery_crashes_three_times_is_held_and_the_rest_is_delivered() {
    let system = soon_again().await;
    system.lmtpd.behave(|lmtpd| lmtpd.delivery_replies.extend([("poison", "451 4.6.0 crashed")]));
    let both = system.submit(Submission::local(&["poison@here.example", "bob@here.example"])).await;
    let shown = system.queued(both, |shown| shown.held.is_some()).await;
    assert_eq!(shown.strikes, 3);
    assert!(shown.held.unwrap().contains("451 4.6.0 crashed"));
    let states: Vec<_> = shown.recipients.iter().map(|recipient| recipient.state).collect();
    assert_eq!(states, [StateShown::Deferred, StateShown::Delivered]);
    let later = system.submit(Submission::local(&["bob@here.example"])).await;
    system.finished(later).await;
}

#[tokio::test]
async fn a_message_that_kills_lmtpd_three_times_is_held_and_one_that_finds_it_dead_is_not() {
    let system = soon_again().await;
    system.lmtpd.behave(|lmtpd| lmtpd.closes_at = Some("BDAT"));
    let poison = system.submit(Submission::local(&["bob@here.example"])).await;
    system.queued(poison, |shown| shown.held.is_some()).await;
    system.lmtpd.behave(|lmtpd| lmtpd.closes_at = Some("MAIL"));
    let unlucky = system.submit(Submission::local(&["bob@here.example"])).await;
    let shown = system.queued(unlucky, |shown| shown.recipients[0].attempts > 3).await;
    assert!(shown.held.is_none() && shown.strikes == 0);
    system.lmtpd.behave(|lmtpd| lmtpd.closes_at = None);
    system.finished(unlucky).await;
}

#[tokio::test]
async fn where_mail_may_not_leave_only_configured_hosts_are_called() {
    let server = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let port = server.address.port();
    let zone = Zone::new().mx("x.example", 10, "mx.x.example").a("mx.x.example", "127.0.0.1");
    let settings = settings(zone.serve().await, port);
    let system = System::start_with(RelaySettings { remote: false, ..settings }).await;
    let host = |host: &str| NextHop::Host { host: host.into(), port };
    let by_mx = system.submit(Submission::by_mx(&["b@x.example"])).await;
    let by_literal = system.submit(Submission::by(&["b@[127.0.0.1]"], |_| host("[127.0.0.1]"))).await;
    for id in [by_mx, by_literal] {
        let shown = system.queued(id, is_deferred).await;
        assert_eq!(last_status(&shown), "4.7.1");
    }
    let configured = system.submit(Submission::by(&["b@y.example"], |_| host("127.0.0.1"))).await;
    system.finished(configured).await;
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn what_was_deferred_is_tried_again() {
    let greeting = Some("421 busy");
    let server = FakeServer::start("127.0.0.1:0", Behaviour { greeting, ..pipelining() }).await;
    let zone = Zone::new().a("x.example", "127.0.0.1");
    let settings = settings(zone.serve().await, server.address.port());
    let system = System::start_on(Arc::new(RealDisk), Duration::from_millis(20), settings).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.queued(id, |shown| shown.recipients[0].attempts >= 2).await;
    server.behave(|behaviour| behaviour.greeting = None);
    system.finished(id).await;
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn a_spool_that_cannot_record_outcomes_ends_the_relay_before_it_delivers_twice() {
    let behaviour = Behaviour { message_time: Duration::from_millis(200), ..pipelining() };
    let server = FakeServer::start("127.0.0.1:0", behaviour).await;
    let zone = Zone::new().a("x.example", "127.0.0.1");
    let settings = settings(zone.serve().await, server.address.port());
    let disk = FaultDisk::new();
    let system = System::start_on(Arc::new(disk.clone()), Duration::from_millis(1), settings).await;
    system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.until(|| server.seen().commands.iter().any(|line| line == "DATA").then_some(())).await;
    disk.fail_from(1, std::io::ErrorKind::Other);
    assert!(system.ended().await.is_err());
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn a_handshake_that_hangs_is_followed_by_plain_text() {
    let (server, system) = one_exchanger(Behaviour { tls_hangs: true, ..pipelining() }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert!(!server.seen().messages[0].tls);
}

#[tokio::test]
async fn a_host_that_puts_off_a_message_does_not_keep_it_from_the_next() {
    let full = |command| {
        let replies = [(command, "452 4.3.1 full")].into_iter().collect();
        Behaviour { replies, ..pipelining() }
    };
    let last = FakeServer::start("127.0.0.4:0", pipelining()).await;
    let port = last.address.port();
    let first = FakeServer::start(&format!("127.0.0.2:{port}"), full("MAIL")).await;
    let second = FakeServer::start(&format!("127.0.0.3:{port}"), full("RCPT")).await;
    let zone = Zone::new()
        .mx("x.example", 10, "a.x.example")
        .mx("x.example", 20, "b.x.example")
        .mx("x.example", 30, "c.x.example")
        .a("a.x.example", "127.0.0.2")
        .a("b.x.example", "127.0.0.3")
        .a("c.x.example", "127.0.0.4");
    let system = System::start(zone, port).await;
    let id = system.submit(Submission::by_mx(&["b@x.example", "c@x.example"])).await;
    system.finished(id).await;
    assert_eq!((first.seen().connections, second.seen().connections), (1, 1));
    assert_eq!(last.seen().messages[0].recipients.len(), 2);
}

#[tokio::test]
async fn neither_a_sender_nor_the_dns_leads_the_relay_to_this_host() {
    let server = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let (port, here) = (server.address.port(), "mx.x.example");
    let zone = Zone::new().mx("x.example", 10, here).a(here, "127.0.0.1");
    let near_hosts = false;
    let system = System::start_with(RelaySettings { near_hosts, ..settings(zone.serve().await, port) }).await;
    let by_mx = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(by_mx).await;
    let literal = |_: &_| NextHop::Host { host: "[127.0.0.1]".into(), port };
    let by_literal = system.submit(Submission::by(&["b@[127.0.0.1]"], literal)).await;
    system.finished(by_literal).await;
    assert_eq!(server.seen().connections, 0);
    assert!(system.report().await.contains("5.4.4"));
    let route = |_: &_| NextHop::Host { host: "127.0.0.1".into(), port };
    let by_route = system.submit(Submission::by(&["b@x.example"], route)).await;
    system.finished(by_route).await;
    assert_eq!(server.seen().messages.len(), 1);
}

#[tokio::test]
async fn an_exchanger_that_is_ourselves_under_another_name_is_a_loop() {
    let server = FakeServer::start("127.0.0.1:0", pipelining()).await;
    let port = server.address.port();
    let behind = FakeServer::start(&format!("127.0.0.3:{port}"), pipelining()).await;
    let zone = Zone::new()
        .mx("x.example", 10, "other.name.example")
        .mx("x.example", 20, "behind.x.example")
        .a("other.name.example", "127.0.0.1")
        .a("behind.x.example", "127.0.0.3");
    let own_listeners = vec![([127, 0, 0, 1], port).into()];
    let system =
        System::start_with(RelaySettings { own_listeners, ..settings(zone.serve().await, port) }).await;
    let id = system.submit(Submission::by_mx(&["b@x.example"])).await;
    system.finished(id).await;
    assert_eq!((server.seen().connections, behind.seen().connections), (0, 0));
    assert!(system.report().await.contains("5.4.6"));
}

#[tokio::test]
async fn what_a_peer_says_that_it_takes_in_one_go_is_kept_to() {
    let extensions = vec!["PIPELINING", "LIMITS RCPTMAX=2"];
    let (server, system) = one_exchanger(Behaviour { extensions, ..Behaviour::default() }).await;
    let recipients = ["a@x.example", "b@x.example", "c@x.example"];
    let id = system.submit(Submission::by_mx(&recipients)).await;
    system.finished(id).await;
    let rcpts = |seen: &[String]| seen.iter().map(|line| line[..4].to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(rcpts(&server.seen().commands), "EHLO MAIL RCPT RCPT DATA MAIL RCPT DATA");
    assert_eq!(server.seen().messages.len(), 2);
}

#[tokio::test]
async fn a_peer_gets_no_more_messages_in_a_session_than_it_says() {
    let extensions = vec!["PIPELINING", "LIMITS MAILMAX=1"];
    let (server, system) = one_exchanger(Behaviour { extensions, ..Behaviour::default() }).await;
    for _ in 0..3 {
        let id = system.submit(Submission::by_mx(&["a@x.example"])).await;
        system.finished(id).await;
    }
    assert_eq!((server.seen().connections, server.seen().messages.len()), (3, 3));
}

#[tokio::test]
async fn what_this_side_says_of_a_peer_is_not_reported_as_the_peers_reply() {
    let extensions = vec!["SIZE 10"];
    let (_server, system) = one_exchanger(Behaviour { extensions, ..Behaviour::default() }).await;
    let id = system.submit(Submission::by_mx(&["a@x.example"])).await;
    system.finished(id).await;
    let report = system.report().await;
    assert!(
        report.contains("Status: 5.3.4\r\n") && report.contains("Diagnostic-Code: x-tartan; 5.3.4 "),
        "{report}"
    );
}
