//! What the spool's tests share: a spool on a disk that can crash, and messages.

#![allow(clippy::unwrap_used, dead_code, reason = "a test may; no test file uses all of it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use address::{Address, Domain, Envelope, MailParams, Notify, Recipient, ReversePath};
use disk::{Body, FaultDisk};
use jiff::Timestamp;
use journal::JournalSettings;
use spool::{
    Attempt, Completed, Delivery, Diagnostic, Due, NextHop, Origin, Outcome, QueueId, Route, Routed, Spool,
    SpoolError, SpoolSettings,
};

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 60 * MINUTE;

/// `seconds` after the tests begin.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

pub fn settings() -> SpoolSettings {
    SpoolSettings {
        dir: PathBuf::from("/spool"),
        hostname: "mail.example.com".into(),
        back_off: vec![Duration::from_secs(60), Duration::from_secs(300)],
        journal: JournalSettings { segment_bytes: 16 * 1_024, ..JournalSettings::default() },
        // What is read in tests is what stands on the disk.
        recent_bytes_max: 0,
        ..SpoolSettings::default()
    }
}

pub fn open(disk: &FaultDisk) -> Spool {
    try_open(disk).unwrap()
}

pub fn try_open(disk: &FaultDisk) -> Result<Spool, SpoolError> {
    Spool::open_in_memory(settings(), Arc::new(disk.clone()))
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn mx(domain: &str) -> NextHop {
    NextHop::Mx { domain: Domain::parse(domain).unwrap() }
}

/// A route by MX with a NOTIFY, `""` for none.
pub fn route(to: &str, notify: &str) -> Route {
    let address = address(to);
    let next_hop = mx(&address.domain().unwrap().to_string());
    let notify = if notify.is_empty() { Notify::default() } else { Notify::parse(notify).unwrap() };
    Route::new(Recipient { address, notify, orcpt: None }, next_hop)
}

pub fn text(number: u64) -> String {
    format!("Message-ID: <{number}@example.com>\r\nSubject: {number}\r\n\r\nbody {number}\r\n").repeat(1)
        + &"line\r\n".repeat(number as usize % 50)
}

pub fn routed(spool: &Spool, from: &str, routes: Vec<Route>, body: impl Into<Vec<u8>>) -> Routed {
    Routed {
        queue_id: spool.queue_id_next(at(0)),
        origin: Origin {
            role: "mx".into(),
            session: Some("session1".into()),
            peer: "192.0.2.1:4321".into(),
            helo: "client.example.com".into(),
            account: None,
            tls: true,
            arrival: at(0),
        },
        envelope: Envelope {
            reverse_path: ReversePath::parse(from).unwrap(),
            recipients: routes.iter().map(|route| route.recipient.clone()).collect(),
            params: MailParams::default(),
        },
        body: Body::from_bytes(body.into()),
        routes,
        hold: None,
        notes: Vec::new(),
    }
}

pub const SENDER: &str = "<sender@example.com>";

pub async fn accept(spool: &Spool, from: &str, routes: Vec<Route>) -> QueueId {
    let routed = routed(spool, from, routes, text(1));
    spool.accept(routed).await.unwrap().queue_id()
}

pub fn said(code: u16, status: &str, text: &str) -> Diagnostic {
    Diagnostic {
        remote: Some("mx.example.org".into()),
        code: Some(code),
        status: status.into(),
        text: text.into(),
    }
}

pub fn delivered() -> Attempt {
    Attempt::Delivered(Delivery::Final, said(250, "2.1.5", "ok"))
}

pub fn deferred() -> Attempt {
    Attempt::Deferred(said(451, "4.7.1", "try again later"))
}

pub fn failed() -> Attempt {
    Attempt::Failed(said(550, "5.1.1", "no such user"))
}

/// The same outcome for all recipients of a copy.
pub async fn complete(spool: &Spool, due: Due, attempt: Attempt, now: Timestamp) -> Completed {
    let outcome = |index| Outcome::new(index, attempt.clone());
    let outcomes = due.recipients.iter().map(|recipient| outcome(recipient.index)).collect();
    spool.complete(due, outcomes, now).await.unwrap()
}

/// The only copy that is due.
pub fn due_one(spool: &Spool, now: Timestamp) -> Due {
    let mut due = spool.due(now, 10);
    assert_eq!(due.len(), 1, "{due:?}");
    due.remove(0)
}

pub async fn body(spool: &Spool, queue_id: QueueId) -> String {
    let body = spool.body(queue_id).await.unwrap().read_all().unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}
