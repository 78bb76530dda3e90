//! Sessions from other hosts, into a real spool.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../flow/receive/tests/client/mod.rs"]
mod client;

use std::path::Path;
use std::sync::Arc;

use address::{AccountName, Address, Domain};
use directory::{
    AccountEntry, Answer, Credentials, Directory, DirectoryError, DomainEntry, Embedded, PasswordSettings,
    Resolution,
};
use disk::{Crash, Disk, FaultDisk};
use mx::{Mx, MxSettings};
use net::{Connection, Peer, RoleName};
use receive::ReceiverSettings;
use route::{RouteSettings, Router};
use spool::{NextHop, QueueId, Spool, SpoolSettings};

use client::Client;

struct System {
    disk: FaultDisk,
    spool: Spool,
    mx: Mx,
}

impl System {
    async fn new() -> Self {
        let disk = FaultDisk::new();
        let directory = directory(&disk).await;
        Self::with(disk, Arc::new(directory))
    }

    fn with(disk: FaultDisk, directory: Arc<dyn Directory>) -> Self {
        let spool = spool(&disk);
        let router = Router::new(directory, RouteSettings::default());
        let receiver = ReceiverSettings {
            hostname: "mx.example.org".into(),
            domain: domain(),
            ..ReceiverSettings::default()
        };
        let settings = MxSettings { receiver, ..MxSettings::default() };
        let mx = Mx::new(router, spool.clone(), Arc::new(disk.clone()), None, settings);
        Self { disk, spool, mx }
    }

    async fn greeted(&self) -> Client {
        let (called, calling) =
            Connection::pair(Peer::Tcp("192.0.2.7:4000".parse().unwrap()), RoleName::new("mx"));
        let mx = self.mx.clone();
        tokio::spawn(async move { mx.serve(called).await });
        let mut client = Client::new(calling);
        client.expect("220 mx.example.org ESMTP").await;
        client.ask("EHLO client.example", "250").await;
        client
    }
}

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

/// The account ann, its address anna, and the alias team for ann and somebody elsewhere.
async fn directory(disk: &FaultDisk) -> Embedded {
    let cheap = PasswordSettings {
        argon2_memory_kib: 64,
        argon2_passes: 1,
        scram_iterations: 4096,
        ..PasswordSettings::default()
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let directory = Embedded::open(disk, Path::new("/directory"), domain(), cheap).unwrap();
    directory.domain_add(domain()).await.unwrap();
    directory.account_add(AccountName::new("ann", domain()).unwrap(), None, true).await.unwrap();
    directory.address_add(address("anna@example.org"), vec![address("ann@example.org")]).await.unwrap();
    let team = vec![address("ann@example.org"), address("bob@elsewhere.example")];
    directory.address_add(address("team@example.org"), team).await.unwrap();
    directory
}

fn spool(disk: &FaultDisk) -> Spool {
    let settings = SpoolSettings { dir: "/spool".into(), ..SpoolSettings::default() };
    Spool::open_in_memory(settings, Arc::new(disk.clone())).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// The queue id in `250 2.0.0 queued as ID`.
fn queue_id(reply: &str) -> QueueId {
    reply.trim().rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_queued_under_the_name_that_the_reply_and_received_give() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<bob@client.example>", "250").await;
    client.ask("RCPT TO:<ann+lists@example.org>", "250").await;
    client.ask("DATA", "354").await;
    let reply = client.ask("Subject: x\r\n\r\ntext\r\n.", "250 2.0.0 queued as ").await;
    let id = queue_id(&reply);
    let shown = system.spool.show(id).unwrap();
    assert_eq!(shown.reverse_path.to_string(), "<bob@client.example>");
    assert_eq!(shown.origin.helo, "client.example");
    let account = AccountName::new("ann", domain()).unwrap();
    assert_eq!(shown.recipients[0].next_hop, NextHop::Local { account });
    let body = system.spool.body(id).await.unwrap().read_all().unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains(&format!(" with ESMTP id {id}\r\n\tfor <ann+lists@example.org>;")), "{text}");
    assert!(text.ends_with("+0000\r\nSubject: x\r\n\r\ntext\r\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recipients_are_judged_at_rcpt_and_aliases_are_expanded_into_routes() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    client.ask("RCPT TO:<nobody@example.org>", "550 5.1.1").await;
    client.ask("RCPT TO:<ann@elsewhere.example>", "550 5.7.1").await;
    client.ask("RCPT TO:<ann@[192.0.2.1]>", "550 5.7.1").await;
    client.ask("RCPT TO:<@example.org:ann@elsewhere.example>", "550 5.7.1").await;
    client.ask("RCPT TO:<Postmaster>", "250").await;
    client.ask("RCPT TO:<\"ANNA\"@EXAMPLE.org>", "250").await;
    client.ask("RCPT TO:<team@example.org>", "250").await;
    client.ask("DATA", "354").await;
    let id = queue_id(&client.ask(".", "250").await);
    let hops: Vec<_> = system.spool.show(id).unwrap().recipients.into_iter().map(|r| r.next_hop).collect();
    assert!(hops.contains(&NextHop::Mx { domain: Domain::parse("elsewhere.example").unwrap() }), "{hops:?}");
    let account = AccountName::new("ann", domain()).unwrap();
    assert!(hops.contains(&NextHop::Local { account }), "{hops:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_logs_in_and_what_loops_is_not_queued() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("AUTH PLAIN AHVzZXIAc2VjcmV0", "502 5.5.1").await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    let looping = "Received: from a by b; now\r\n".repeat(limits::HOPS_MAX);
    client.ask(&format!("{looping}\r\n."), "554 5.4.6").await;
    assert!(system.spool.list().is_empty());
}

/// What the MX answers to a message to ann and to the alias team.
async fn answer(system: &System, message: &str, reply: &str) {
    let mut client = system.greeted().await;
    client.envelope().await;
    client.ask("RCPT TO:<team@example.org>", "250").await;
    client.ask("DATA", "354").await;
    client.ask(&format!("{message}."), reply).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_our_own_lmtpd_would_have_to_bounce_is_refused() {
    let system = System::new().await;
    let delivered = |times| "Delivered-To: ann@example.org\r\n".repeat(times) + "\r\n";
    answer(&system, &delivered(limits::DELIVERIES_MAX), "554 5.4.6").await;
    let header = |bytes: usize| format!("Subject: {}\r\n\r\n", "x".repeat(bytes - 13));
    let taken = limits::HEADER_BYTES_MAX - limits::HEADER_RESERVE_BYTES;
    answer(&system, &header(taken + 1), "552 5.3.4").await;
    assert!(system.spool.list().is_empty());
    answer(&system, &header(taken), "250 2.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_somebody_kept_and_sent_again_is_taken() {
    let system = System::new().await;
    answer(&system, "Delivered-To: ann@example.org\r\n\r\n", "250 2.0.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_250_is_there_after_a_crash_and_what_failed_was_not_acknowledged() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    let mut accepted = vec![];
    for sync_fails in [false, false, true] {
        client.envelope().await;
        client.ask("DATA", "354").await;
        if sync_fails {
            system.disk.fail_from(1, std::io::ErrorKind::Other);
            client.ask("Subject: x\r\n\r\ntext\r\n.", "451").await;
        } else {
            accepted.push(queue_id(&client.ask("Subject: x\r\n\r\ntext\r\n.", "250").await));
        }
    }
    drop(client);
    let _ = system.spool.stop();
    system.disk.crash(Crash::Power);
    system.disk.heal();
    let reopened = spool(&system.disk);
    let there: Vec<_> = reopened.list().into_iter().map(|shown| shown.queue_id).collect();
    assert_eq!(there, accepted);
}

/// A directory that cannot be asked.
struct Away(Domain);

impl Away {
    fn away<T>(&self) -> Result<T, DirectoryError> {
        Err(DirectoryError::Busy)
    }
}

impl Directory for Away {
    fn default_domain(&self) -> &Domain {
        &self.0
    }

    fn domain<'a>(&'a self, _: &'a Domain) -> Answer<'a, Option<DomainEntry>> {
        Box::pin(async { self.away() })
    }

    fn account<'a>(&'a self, _: &'a AccountName) -> Answer<'a, Option<AccountEntry>> {
        Box::pin(async { self.away() })
    }

    fn resolve<'a>(&'a self, _: &'a Address) -> Answer<'a, Resolution> {
        Box::pin(async { self.away() })
    }

    fn addresses_of<'a>(&'a self, _: &'a AccountName) -> Answer<'a, Vec<Address>> {
        Box::pin(async { self.away() })
    }

    fn verify_password<'a>(&'a self, _: &'a str, _: &'a sasl::Password) -> Answer<'a, Option<AccountName>> {
        Box::pin(async { self.away() })
    }

    fn credentials<'a>(&'a self, _: &'a str) -> Answer<'a, Credentials> {
        Box::pin(async { self.away() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_directory_is_away_nobody_is_unknown() {
    let system = System::with(FaultDisk::new(), Arc::new(Away(domain())));
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    client.ask("RCPT TO:<ann@example.org>", "451 4.4.3").await;
    client.ask("RCPT TO:<nobody@example.org>", "451 4.4.3").await;
}
