//! Messages taken into a real spool.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Arc;

use address::{AccountName, Address, Domain, Envelope, MailParams, Recipient, ReversePath};
use directory::{Embedded, PasswordSettings};
use disk::{Body, Disk, FaultDisk};
use filter::{Draft, Filter, Filters, Look, Minimum, Verdict};
use intake::Intake;
use jiff::Timestamp;
use net::{Peer, RoleName};
use receive::{SessionInfo, Transaction};
use route::{RouteSettings, Router};
use spool::{AuditEvent, Spool, SpoolSettings};
use telemetry::SessionId;

async fn system(filters: Filters) -> (Intake, Spool) {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let domain = Domain::parse("example.org").unwrap();
    let directory =
        Embedded::open(disk.clone(), Path::new("/directory"), domain.clone(), PasswordSettings::default())
            .unwrap();
    directory.domain_add(domain.clone()).await.unwrap();
    directory.account_add(AccountName::new("ann", domain).unwrap(), None, true).await.unwrap();
    let spool = Spool::open_in_memory(SpoolSettings::default(), disk).unwrap();
    let router = Router::new(Arc::new(directory), RouteSettings::default());
    (Intake::new(filters, router, spool.clone()), spool)
}

fn transaction() -> Transaction {
    let session = SessionInfo {
        id: SessionId::next(),
        role: "mx",
        hostname: "mx.example.org".into(),
        peer: Peer::Pipe { role: RoleName::new("test") },
        client_name: None,
        hello: None,
        tls: None,
        account: None,
    };
    let envelope = Envelope {
        reverse_path: ReversePath::Null,
        recipients: vec![Recipient::new(Address::parse("ann@example.org").unwrap())],
        params: MailParams::default(),
    };
    Transaction {
        session: Arc::new(session),
        envelope,
        body: Body::from_bytes(&b"Subject: x\r\n\r\ntext\r\n"[..]),
        received: "Received: from a by b; now\r\n".into(),
        arrival: Timestamp::now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_tells_each_hop_in_its_order() {
    let (intake, spool) = system(Filters::new(Minimum::default())).await;
    let id = intake.queue_id_next(Timestamp::now());
    assert_eq!(intake.take(id, transaction()).await.unwrap().queue_id(), id);
    let events: Vec<AuditEvent> = spool.trace(id).unwrap().into_iter().map(|event| event.event).collect();
    let way = [AuditEvent::Received, AuditEvent::Filtered, AuditEvent::Routed, AuditEvent::Accepted];
    assert_eq!(events, way);
}

/// Holds everything.
struct Suspicious;

impl Filter for Suspicious {
    fn name(&self) -> &'static str {
        "suspicious"
    }

    fn look<'a>(&'a self, _: &'a mut Draft) -> Look<'a> {
        Box::pin(async { Ok(Verdict::Hold("looks odd".into())) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_filter_holds_is_taken_and_never_due() {
    let (intake, spool) = system(Filters::new(Minimum::default()).then(Arc::new(Suspicious))).await;
    let id = intake.queue_id_next(Timestamp::now());
    let _accepted = intake.take(id, transaction()).await.unwrap();
    assert_eq!(spool.show(id).unwrap().held.as_deref(), Some("looks odd"));
    assert!(spool.due(Timestamp::now(), 10).is_empty());
}

/// Crashes on what has `poison` in it.
struct Fragile;

impl Filter for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn look<'a>(&'a self, draft: &'a mut Draft) -> Look<'a> {
        let text = draft.transaction.body.read_all().unwrap();
        Box::pin(async move {
            assert!(!text.windows(6).any(|word| word == b"poison"), "as the test wants it");
            Ok(Verdict::Accept)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_a_filter_crashes_on_is_put_off_and_the_next_one_taken() {
    let (intake, spool) = system(Filters::new(Minimum::default()).then(Arc::new(Fragile))).await;
    let poison = Body::from_bytes(&b"Subject: poison\r\n\r\n"[..]);
    let now = Timestamp::now();
    for _ in 0..4 {
        let poisoned = Transaction { body: poison.clone(), ..transaction() };
        let refused = intake.take(intake.queue_id_next(now), poisoned).await.unwrap_err();
        assert_eq!(refused.reply().code(), 451);
        assert!(intake.take(intake.queue_id_next(now), transaction()).await.is_ok());
    }
    assert_eq!(spool.list().len(), 4);
}
