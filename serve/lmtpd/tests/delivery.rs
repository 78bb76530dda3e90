//! LMTP sessions that deliver into a mail store.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../flow/receive/tests/client/mod.rs"]
mod client;

use std::path::Path;
use std::sync::Arc;

use address::{AccountName, Address, Domain};
use directory::{Embedded, PasswordSettings};
use disk::{Crash, Disk, FaultDisk};
use lmtpd::{Lmtpd, LmtpdSettings};
use mailstore::{MailboxPath, Mailstore, MailstoreSettings};
use net::{Connection, Peer, RoleName};
use receive::ReceiverSettings;
use route::{RouteSettings, Router};

use client::Client;

struct System {
    disk: FaultDisk,
    mailstore: Mailstore,
    lmtpd: Lmtpd,
}

impl System {
    /// A system with the accounts `user0` to `user9`, ann, and an alias.
    async fn new() -> Self {
        let disk = FaultDisk::new();
        let domain = Domain::parse("example.org").unwrap();
        let directory = directory(&disk, &domain);
        directory.domain_add(domain.clone()).await.unwrap();
        for name in ["ann", "user0", "user1", "user2", "user3", "user4"] {
            let name = AccountName::new(name, domain.clone()).unwrap();
            directory.account_add(name, None, false).await.unwrap();
        }
        let targets = vec![address("user0@example.org"), address("user1@example.org")];
        directory.address_add(address("team@example.org"), targets).await.unwrap();
        let mailstore = mailstore(&disk);
        let router = Router::new(Arc::new(directory), RouteSettings::default());
        let receiver =
            ReceiverSettings { hostname: "store.example.org".into(), domain, ..ReceiverSettings::default() };
        let settings = LmtpdSettings { receiver, ..LmtpdSettings::default() };
        let lmtpd = Lmtpd::new(router, mailstore.clone(), Arc::new(disk.clone()), settings);
        Self { disk, mailstore, lmtpd }
    }

    fn connect(&self, peer: Peer) -> Client {
        let (called, calling) = Connection::pair(peer, RoleName::new("lmtpd"));
        let lmtpd = self.lmtpd.clone();
        tokio::spawn(async move { lmtpd.serve(called).await });
        Client::new(calling)
    }

    async fn greeted(&self) -> Client {
        let mut client = self.connect(Peer::Pipe { role: RoleName::new("relay") });
        client.expect("220 store.example.org LMTP").await;
        client.ask("LHLO relay.example.org", "250").await;
        client
    }
}

fn directory(disk: &FaultDisk, domain: &Domain) -> Embedded {
    let cheap = PasswordSettings {
        argon2_memory_kib: 64,
        argon2_passes: 1,
        scram_iterations: 4096,
        ..PasswordSettings::default()
    };
    Embedded::open(Arc::new(disk.clone()), Path::new("/directory"), domain.clone(), cheap).unwrap()
}

fn mailstore(disk: &FaultDisk) -> Mailstore {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Mailstore::open(MailstoreSettings::in_memory("/mailstore"), disk).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn account(name: &str) -> AccountName {
    AccountName::parse(&format!("{name}@example.org")).unwrap()
}

/// The messages of a mailbox, as text.
async fn messages(mailstore: &Mailstore, path: &MailboxPath) -> Vec<String> {
    let id = mailstore.mailbox_find(path).unwrap().id.unwrap();
    let snapshot = mailstore.snapshot(id).await.unwrap();
    let mut found = vec![];
    for row in snapshot.rows() {
        let body = mailstore.body(row.body).await.unwrap();
        found.push(String::from_utf8(body.read_all().unwrap().to_vec()).unwrap());
    }
    found
}

async fn inbox(system: &System, name: &str) -> Vec<String> {
    messages(&system.mailstore, &MailboxPath::inbox(&account(name))).await
}

#[tokio::test]
async fn a_message_is_in_the_inbox_with_its_trace_fields_on_top() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<bob@client.example>", "250").await;
    client.ask("RCPT TO:<ann@example.org>", "250").await;
    client.ask("DATA", "354").await;
    let message = "Return-Path: <forged@client.example>\r\nSubject: hello\r\n\r\ntext\r\n";
    client.ask(&format!("{message}."), "250 2.0.0 stored as uid 1 ").await;
    let stored = inbox(&system, "ann").await.remove(0);
    let front = "Return-Path: <bob@client.example>\r\nDelivered-To: ann@example.org\r\n\
                 Received: from relay.example.org\r\n\tby store.example.org with LMTP id ";
    assert!(stored.starts_with(front), "{stored}");
    assert!(stored.ends_with("+0000\r\nSubject: hello\r\n\r\ntext\r\n"), "{stored}");
    assert!(!stored.contains("forged"));
}

#[tokio::test]
async fn each_recipient_has_a_reply_of_its_own_and_none_hinders_another() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    client.ask("RCPT TO:<nobody@example.org>", "550 5.1.1").await;
    client.ask("RCPT TO:<team@example.org>", "550 5.1.1").await;
    client.ask("RCPT TO:<ann@elsewhere.example>", "550 5.1.1").await;
    for name in ["user0", "ann", "user1"] {
        client.ask(&format!("RCPT TO:<{name}@example.org>"), "250").await;
    }
    client.ask("DATA", "354").await;
    let looping = "Delivered-To: ann@example.org\r\n".repeat(limits::DELIVERIES_MAX);
    client.ask(&format!("{looping}\r\n."), "250 2.0.0").await;
    client.expect("554 5.4.6").await;
    client.expect("250 2.0.0").await;
    assert_eq!(inbox(&system, "user0").await.len(), 1);
    assert_eq!(inbox(&system, "user1").await.len(), 1);
    assert!(system.mailstore.mailbox_find(&MailboxPath::inbox(&account("ann"))).is_none());
}

#[tokio::test]
async fn a_plus_address_finds_its_mailbox_or_else_the_inbox() {
    let system = System::new().await;
    let ann = account("ann");
    let below = MailboxPath::personal(&ann, &["INBOX", "lists"]).unwrap();
    let top = MailboxPath::personal(&ann, &["work"]).unwrap();
    system.mailstore.account_ensure(&ann).await.unwrap();
    for path in [&below, &top] {
        system.mailstore.mailbox_create(path, None).await.unwrap();
    }
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    for detail in ["lists", "work", "other"] {
        client.ask(&format!("RCPT TO:<ann+{detail}@example.org>"), "250").await;
    }
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n.", "250").await;
    client.expect("250").await;
    client.expect("250").await;
    for (path, recipient) in
        [(below, "ann+lists"), (top, "ann+work"), (MailboxPath::inbox(&ann), "ann+other")]
    {
        let found = messages(&system.mailstore, &path).await;
        assert_eq!(found.len(), 1, "{path}");
        assert!(found[0].contains(&format!("Delivered-To: {recipient}@example.org\r\n")), "{}", found[0]);
    }
}

#[tokio::test]
async fn a_plus_address_does_not_write_to_what_a_client_keeps_for_itself() {
    let system = System::new().await;
    let ann = account("ann");
    system.mailstore.account_ensure(&ann).await.unwrap();
    let sent = MailboxPath::personal(&ann, &["Sent"]).unwrap();
    assert!(system.mailstore.mailbox_find(&sent).unwrap().special_use.is_some());
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    client.ask("RCPT TO:<ann+Sent@example.org>", "250").await;
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n.", "250").await;
    assert_eq!(messages(&system.mailstore, &sent).await.len(), 0);
    assert_eq!(inbox(&system, "ann").await.len(), 1);
}

#[tokio::test]
async fn the_biggest_header_that_an_mx_takes_is_delivered() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<bob@client.example>", "250").await;
    client.ask("RCPT TO:<ann@example.org>", "250").await;
    client.ask("DATA", "354").await;
    let trace = format!("Received: from {}\r\n", "x".repeat(2_000));
    let taken = limits::HEADER_BYTES_MAX - limits::HEADER_RESERVE_BYTES;
    let header = format!("{trace}Subject: {}\r\n", "x".repeat(taken - 13));
    client.ask(&format!("{header}\r\ntext\r\n."), "250 2.0.0 stored").await;
}

#[tokio::test]
async fn only_roles_and_trusted_hosts_may_deliver() {
    let system = System::new().await;
    let mut stranger = system.connect(Peer::Tcp("192.0.2.7:4000".parse().unwrap()));
    stranger.expect("554 5.7.1").await;
    stranger.ask("LHLO x.example", "503").await;
    stranger.ask("QUIT", "221").await;
    let mut local = system.connect(Peer::Tcp("127.0.0.1:4000".parse().unwrap()));
    local.expect("220").await;
}

#[tokio::test]
async fn chunks_are_answered_for_each_recipient_at_the_last() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    client.ask("RCPT TO:<user2@example.org>", "250").await;
    client.ask("RCPT TO:<user3@example.org>", "250").await;
    client.send("BDAT 12\r\nSubject: x\r\nBDAT 6 LAST\r\n\r\nabc\n").await;
    client.expect("250 2.0.0 12 bytes").await;
    client.expect("550 5.5.2").await;
    client.expect("550 5.5.2").await;
    client.ask("NOOP", "250").await;
}

#[tokio::test]
async fn what_was_answered_250_is_there_after_a_crash_and_what_failed_was_not_acknowledged() {
    let system = System::new().await;
    let mut client = system.greeted().await;
    for (sync_fails, reply) in [(false, "250 2.0.0"), (true, "451")] {
        client.ask("MAIL FROM:<>", "250").await;
        client.ask("RCPT TO:<user4@example.org>", "250").await;
        client.ask("DATA", "354").await;
        if sync_fails {
            system.disk.fail_from(1, std::io::ErrorKind::Other);
        }
        client.ask("Subject: x\r\n\r\n.", reply).await;
    }
    drop(client);
    let _ = system.mailstore.stop();
    system.disk.crash(Crash::Power);
    system.disk.heal();
    let reopened = mailstore(&system.disk);
    assert_eq!(messages(&reopened, &MailboxPath::inbox(&account("user4"))).await.len(), 1);
}
