//! Whole sessions over pipes and TLS, with scripted clients.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;

use std::sync::Arc;
use std::time::Duration;

use address::{Address, BodyKind, Domain, Envelope, Recipient};
use disk::{Disk, FaultDisk, RealDisk};
use jiff::Timestamp;
use net::{ClientTls, Connection, Peer, Pipes, RoleName, Shutdown, TlsStore};
use receive::{Proof, Receiver, ReceiverSettings, Role, SessionInfo, Transaction};
use smtp::{EnhancedCode, Flavour, Refusal, Reply};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use client::Client;

/// Takes everything and hands it to the test.
struct TestRole {
    taken: mpsc::UnboundedSender<(Transaction, Vec<String>)>,
}

struct TestProof;

impl Proof for TestProof {
    fn reply(&self) -> Reply {
        Reply::new(250, EnhancedCode::new(2, 0, 0), "taken")
    }
}

impl Role for TestRole {
    type Proof = TestProof;
    type Id = &'static str;
    type Target = String;

    const FLAVOUR: Flavour = Flavour::Smtp;

    fn name(&self) -> &'static str {
        "test"
    }

    fn transaction_id(&self, _session: &SessionInfo, _now: Timestamp) -> &'static str {
        "T1"
    }

    async fn on_rcpt(
        &self,
        _session: &SessionInfo,
        _envelope: &Envelope,
        recipient: &Recipient,
    ) -> Result<String, Refusal> {
        match recipient.address.local().content() {
            "unknown" => Err(Refusal::new(550, (5, 1, 1), "No such user")),
            local => Ok(local.to_uppercase()),
        }
    }

    async fn on_body(
        &self,
        id: &'static str,
        transaction: Transaction,
        targets: Vec<String>,
    ) -> Vec<Result<TestProof, Refusal>> {
        assert_eq!(id, "T1");
        self.taken.send((transaction, targets)).unwrap();
        vec![Ok(TestProof)]
    }
}

struct Server {
    receiver: Receiver<TestRole>,
    taken: mpsc::UnboundedReceiver<(Transaction, Vec<String>)>,
    tls: TlsStore,
    dir: tempfile::TempDir,
}

impl Server {
    fn new() -> Self {
        Self::with(Arc::new(RealDisk), |_| {})
    }

    fn with(disk: Arc<dyn Disk>, change: impl FnOnce(&mut ReceiverSettings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tls = TlsStore::self_signed(dir.path(), &["mx.example.org".to_owned()]).unwrap();
        let mut settings = ReceiverSettings {
            hostname: "mx.example.org".into(),
            domain: Domain::parse("example.org").unwrap(),
            body_dir: dir.path().to_owned(),
            body_memory_bytes_max: 1024,
            ..ReceiverSettings::default()
        };
        change(&mut settings);
        let (sender, taken) = mpsc::unbounded_channel();
        let role = TestRole { taken: sender };
        let receiver = Receiver::new(role, disk, Some(tls.acceptor()), None, settings);
        Self { receiver, taken, tls, dir }
    }

    /// A client that has just connected from a host of the internet, and the session.
    fn connect(&self) -> (Client, JoinHandle<()>) {
        let peer = Peer::Tcp("192.0.2.7:4000".parse().unwrap());
        let (called, calling) = Connection::pair(peer, RoleName::new("test"));
        let receiver = self.receiver.clone();
        let session = tokio::spawn(async move { receiver.serve(called).await });
        (Client::new(calling), session)
    }

    /// A client that has been greeted, and its session.
    async fn greeted(&self) -> (Client, JoinHandle<()>) {
        let (mut client, session) = self.connect();
        client.expect("220 mx.example.org ESMTP").await;
        client.ask("EHLO client.example", "250").await;
        (client, session)
    }
}

#[tokio::test]
async fn a_message_comes_through_as_it_was_sent_with_the_facts_of_its_session() {
    let mut server = Server::new();
    let (mut client, _) = server.greeted().await;
    client.ask("MAIL FROM:<bob@client.example> RET=HDRS", "250 2.1.0").await;
    client.ask("RCPT TO:<ann@example.org>", "250 2.1.5").await;
    client.ask("DATA", "354").await;
    client.ask("Subject: grüße\r\n\r\n..dot\r\n.", "250 2.0.0 taken").await;
    let (transaction, targets) = server.taken.recv().await.unwrap();
    assert_eq!(transaction.body.read_all().unwrap(), "Subject: grüße\r\n\r\n.dot\r\n".as_bytes());
    assert_eq!(transaction.envelope.params.body, BodyKind::EightBitMime);
    assert_eq!(transaction.envelope.recipients[0].address, Address::parse("ann@example.org").unwrap());
    assert_eq!(targets, ["ANN"]);
    assert_eq!(transaction.session.hello_name(), "client.example");
    assert!(
        transaction
            .received
            .starts_with("Received: from client.example ([192.0.2.7])\r\n\tby mx.example.org")
    );
    assert!(transaction.received.contains(" with ESMTP id T1\r\n\tfor <ann@example.org>;\r\n\t"));
}

#[tokio::test]
async fn replies_to_a_pipelined_group_come_in_order_and_the_session_goes_on() {
    let mut server = Server::new();
    let (mut client, _) = server.greeted().await;
    let group = "MAIL FROM:<>\r\nRCPT TO:<unknown@example.org>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n";
    client.send(group).await;
    for reply in ["250 2.1.0", "550 5.1.1", "250 2.1.5", "354"] {
        client.expect(reply).await;
    }
    client.send(".\r\nRSET\r\nQUIT\r\n").await;
    for reply in ["250 2.0.0 taken", "250 2.0.0", "221"] {
        client.expect(reply).await;
    }
    client.expect_close().await;
    let (transaction, targets) = server.taken.recv().await.unwrap();
    assert_eq!(targets, ["POSTMASTER"]);
    assert_eq!(transaction.envelope.recipients[0].address.to_string(), "postmaster@example.org");
}

#[tokio::test]
async fn a_big_message_is_a_file_while_it_comes_in_and_leaves_none_behind() {
    let mut server = Server::new();
    let (mut client, _) = server.greeted().await;
    let line = format!("{}\r\n", "x".repeat(998));
    client.envelope().await;
    client.ask("DATA", "354").await;
    for _ in 0..2000 {
        client.send(&line).await;
    }
    client.ask(".", "250 2.0.0").await;
    let (transaction, _) = server.taken.recv().await.unwrap();
    assert!(transaction.body.is_file());
    assert_eq!(transaction.body.len(), 2_000_000);
    assert!(transaction.body.chunks(65536).all(|chunk| chunk.unwrap().iter().all(|b| b"x\r\n".contains(b))));
    drop(transaction);
    assert_eq!(temporary_files(&server), 0);
}

fn temporary_files(server: &Server) -> usize {
    let entries = std::fs::read_dir(server.dir.path()).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "tmp")).count()
}

#[tokio::test]
async fn what_is_too_big_or_has_a_bare_lf_is_read_and_not_kept() {
    let mut server = Server::with(Arc::new(RealDisk), |settings| settings.message_bytes_max = 5000);
    let (mut client, _) = server.greeted().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.send(&"0123456789\r\n".repeat(1000)).await;
    client.ask(".", "552 5.3.4").await;
    assert_eq!(temporary_files(&server), 0);
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.ask("one\ntwo\r\n.", "550 5.5.2").await;
    client.ask("NOOP", "250").await;
    assert!(server.taken.try_recv().is_err());
}

#[tokio::test]
async fn chunks_make_a_message() {
    let mut server = Server::new();
    let (mut client, _) = server.greeted().await;
    client.envelope().await;
    client.send("BDAT 5\r\nQUIT\r").await;
    client.expect("250 2.0.0").await;
    client.send("BDAT 1 LAST\r\n\n").await;
    client.expect("250 2.0.0 taken").await;
    let (transaction, _) = server.taken.recv().await.unwrap();
    assert_eq!(transaction.body.read_all().unwrap(), "QUIT\r\n".as_bytes());
}

#[tokio::test]
async fn a_connection_that_is_lost_within_a_message_takes_the_message_with_it() {
    let mut server = Server::new();
    let (mut client, session) = server.greeted().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.send(&"0123456789\r\n".repeat(1000)).await;
    drop(client);
    session.await.unwrap();
    assert!(server.taken.try_recv().is_err());
    assert_eq!(temporary_files(&server), 0);
}

#[tokio::test]
async fn nothing_of_the_clear_session_survives_starttls() {
    let mut server = Server::new();
    let (mut client, _) = server.greeted().await;
    client.ask("MAIL FROM:<clear@client.example>", "250").await;
    client.ask("STARTTLS", "503 5.5.1").await;
    client.ask("RSET", "250").await;
    client.ask("STARTTLS", "220 2.0.0").await;
    let mut client = client.start_tls(&ClientTls::opportunistic()).await;
    client.ask("MAIL FROM:<a@client.example>", "503 5.5.1").await;
    let ehlo = client.ask("EHLO other.example", "250").await;
    assert!(!ehlo.contains("STARTTLS") && !ehlo.contains("AUTH"), "{ehlo}");
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.ask(".", "250").await;
    let (transaction, _) = server.taken.recv().await.unwrap();
    assert_eq!(transaction.session.hello_name(), "other.example");
    assert!(transaction.session.tls.is_some());
    assert!(transaction.received.contains(" with ESMTPS id "), "{}", transaction.received);
}

#[tokio::test]
async fn commands_injected_behind_starttls_end_the_session() {
    let server = Server::new();
    let (mut client, session) = server.greeted().await;
    client.send("STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@client.example>\r\n").await;
    client.expect("503 5.5.1").await;
    client.expect("421 4.7.0").await;
    client.expect_close().await;
    session.await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_is_none_ends_the_session() {
    let server = Server::new();
    let (mut client, session) = server.greeted().await;
    client.ask("STARTTLS", "220").await;
    client.send("MAIL FROM:<evil@client.example>\r\n").await;
    session.await.unwrap();
    drop(server.tls);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_told_and_closed() {
    let server = Server::new();
    let (mut client, session) = server.greeted().await;
    client.expect("421 4.4.2").await;
    client.expect_close().await;
    session.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_command_that_drips_has_no_more_time_than_one_that_is_silent() {
    let server = Server::new();
    let (mut client, session) = server.greeted().await;
    let started = tokio::time::Instant::now();
    while !session.is_finished() {
        client.try_send("x").await;
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    assert!(started.elapsed() < limits::SMTP_COMMAND_TIME_MAX + Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_noop_now_and_then_is_served() {
    let server = Server::new();
    let (mut client, _) = server.greeted().await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(200)).await;
        client.ask("NOOP", "250").await;
    }
}

#[tokio::test(start_paused = true)]
async fn content_that_drips_ends_at_the_limit_of_a_message() {
    let server = Server::with(Arc::new(RealDisk), |settings| settings.data_rate_bytes_min = 0);
    let (mut client, session) = server.greeted().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    let started = tokio::time::Instant::now();
    while !session.is_finished() {
        client.try_send("x\r\n").await;
        tokio::time::sleep(Duration::from_secs(100)).await;
    }
    let elapsed = started.elapsed();
    assert!(elapsed >= limits::SMTP_MESSAGE_TIME_MAX && elapsed < limits::SMTP_MESSAGE_TIME_MAX * 2);
}

#[tokio::test(start_paused = true)]
async fn content_that_comes_too_slowly_is_not_waited_for_and_its_sender_is_told() {
    let server = Server::with(Arc::new(RealDisk), |settings| settings.data_rate_bytes_min = 10);
    let (mut client, session) = server.greeted().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    let started = tokio::time::Instant::now();
    // Fast for as long as the first window, then slow.
    client.send(&"0123456789\r\n".repeat(100)).await;
    while !session.is_finished() {
        client.try_send("x\r\n").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let elapsed = started.elapsed();
    let window = limits::SMTP_DATA_RATE_WINDOW;
    assert!(elapsed > window && elapsed <= window * 2 + Duration::from_secs(10), "{elapsed:?}");
    client.expect("421 4.4.2 Message data comes too slowly").await;
}

#[tokio::test(start_paused = true)]
async fn content_that_is_just_fast_enough_is_taken() {
    let server = Server::with(Arc::new(RealDisk), |settings| settings.data_rate_bytes_min = 10);
    let (mut client, _) = server.greeted().await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    for _ in 0..60 {
        client.send("01234567890123456789012345678901234567890123456789\r\n").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    client.ask(".", "250 2.0.0").await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_chunks_is_no_slow_content() {
    let server = Server::new();
    let (mut client, _) = server.greeted().await;
    client.envelope().await;
    for _ in 0..3 {
        client.send("BDAT 3\r\nx\r\n").await;
        client.expect("250 2.0.0").await;
        tokio::time::sleep(limits::SMTP_DATA_RATE_WINDOW * 2).await;
    }
    client.ask("BDAT 0 LAST", "250 2.0.0").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_at_its_limit_but_not_within_a_message() {
    let server = Server::with(Arc::new(RealDisk), |settings| {
        (settings.session_time_max, settings.data_rate_bytes_min) = (Duration::from_secs(1_000), 0);
    });
    let (mut client, session) = server.greeted().await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(190)).await;
        client.ask("NOOP", "250").await;
    }
    client.envelope().await;
    client.ask("DATA", "354").await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(100)).await;
        client.send("x\r\n").await;
    }
    client.ask(".", "250 2.0.0").await;
    client.expect("421 4.4.2 The session takes too long").await;
    client.expect_close().await;
    session.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_no_replies_is_not_waited_for() {
    let server = Server::with(Arc::new(RealDisk), |settings| settings.messages_max = usize::MAX);
    let (mut client, session) = server.greeted().await;
    let messages = "MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nBDAT 2 LAST\r\n\r\n".repeat(8_000);
    let started = tokio::time::Instant::now();
    client.try_send(&messages).await;
    session.await.unwrap();
    assert!(started.elapsed() >= limits::SMTP_REPLY_TIME_MAX);
}

#[tokio::test]
async fn a_proxy_header_from_a_host_that_is_not_named_is_refused() {
    let server = Server::new();
    for header in ["PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"] {
        let (mut client, session) = server.connect();
        client.expect("220").await;
        client.send(header).await;
        client.expect("421 4.7.0 PROXY header").await;
        client.expect_close().await;
        session.await.unwrap();
    }
}

#[tokio::test]
async fn a_trusted_host_says_whom_it_speaks_for() {
    let mut server = Server::with(Arc::new(RealDisk), |settings| {
        settings.xclient = vec!["192.0.2.7".parse().unwrap()];
    });
    let (mut client, _) = server.greeted().await;
    client.ask("XCLIENT NAME=spike.example ADDR=198.51.100.4 PORT=4001 LOGIN=ann", "220").await;
    client.ask("EHLO inner.example", "250").await;
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n\r\n.", "250").await;
    let (transaction, _) = server.taken.recv().await.unwrap();
    let received = transaction.received.clone();
    assert!(
        received.starts_with("Received: from inner.example (spike.example [198.51.100.4])\r\n"),
        "{received}"
    );
    assert!(received.contains("with ESMTPA "), "{received}");
    let origin = transaction.session.origin(transaction.arrival);
    assert_eq!(origin.peer, "198.51.100.4:4001");
    assert_eq!(origin.account.unwrap().to_string(), "ann@example.org");
}

#[tokio::test(start_paused = true)]
async fn content_that_the_disk_refused_has_no_more_time_than_any_other() {
    let disk = FaultDisk::new();
    let server = Server::with(Arc::new(disk.clone()), |settings| settings.body_dir = "/incoming".into());
    let (mut client, session) = server.greeted().await;
    client.envelope().await;
    disk.fail_from(0, std::io::ErrorKind::StorageFull);
    client.ask("DATA", "354").await;
    client.send(&"0123456789\r\n".repeat(1000)).await;
    let started = tokio::time::Instant::now();
    while !session.is_finished() && started.elapsed() < limits::SMTP_MESSAGE_TIME_MAX * 3 {
        client.try_send("x\r\n").await;
        tokio::time::sleep(Duration::from_secs(100)).await;
    }
    assert!(started.elapsed() < limits::SMTP_MESSAGE_TIME_MAX * 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_may_send_all_of_a_chunk_that_is_refused() {
    let server = Server::with(Arc::new(RealDisk), |settings| settings.data_rate_bytes_min = 0);
    let (mut client, _) = server.greeted().await;
    client.send("BDAT 10 LAST\r\n").await;
    for _ in 0..9 {
        tokio::time::sleep(Duration::from_secs(100)).await;
        client.send("x").await;
    }
    client.send("x").await;
    client.expect("503 5.5.1").await;
    client.ask("NOOP", "250").await;
}

#[tokio::test]
async fn a_client_that_only_asks_for_unknown_addresses_is_sent_away() {
    let server = Server::new();
    let (mut client, session) = server.greeted().await;
    client.ask("MAIL FROM:<>", "250").await;
    for _ in 1..limits::SMTP_REFUSALS_MAX {
        client.ask("RCPT TO:<unknown@example.org>", "550 5.1.1").await;
    }
    client.ask("RCPT TO:<unknown@example.org>", "550 5.1.1").await;
    client.expect("421 4.7.0").await;
    client.expect_close().await;
    session.await.unwrap();
}

#[tokio::test]
async fn garbage_is_answered_and_ends_with_421() {
    let server = Server::new();
    let (mut client, session) = server.connect();
    client.expect("220").await;
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    while !session.is_finished() {
        let bytes: Vec<u8> = std::iter::repeat_with(|| next(&mut noise)).take(300).collect();
        client.try_send_bytes(&bytes).await;
        client.try_send_bytes(b"\r\n").await;
        tokio::task::yield_now().await;
    }
    let said = client.rest().await;
    assert!(said.lines().all(|line| line.starts_with('5') || line.starts_with('4')), "{said}");
    assert!(said.contains("421 4.7.0 Too many errors"), "{said}");
}

/// A step of xorshift.
fn next(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state as u8
}

#[tokio::test]
async fn a_disk_that_fails_is_our_fault_and_the_session_goes_on() {
    let disk = FaultDisk::new();
    let mut server = Server::with(Arc::new(disk.clone()), |settings| settings.body_dir = "/incoming".into());
    let (mut client, _) = server.greeted().await;
    for (kind, reply) in
        [(std::io::ErrorKind::StorageFull, "452 4.3.1"), (std::io::ErrorKind::PermissionDenied, "451 4.3.0")]
    {
        disk.fail_from(0, kind);
        client.envelope().await;
        client.ask("DATA", "354").await;
        client.send(&"0123456789\r\n".repeat(1000)).await;
        client.ask(".", reply).await;
        disk.heal();
    }
    client.envelope().await;
    client.ask("DATA", "354").await;
    client.ask("small\r\n.", "250 2.0.0 taken").await;
    assert_eq!(server.taken.recv().await.unwrap().0.body.len(), 7);
    assert!(server.taken.try_recv().is_err());
}

#[tokio::test]
async fn a_stop_is_obeyed_between_messages_and_not_within_one() {
    let mut server = Server::new();
    let (pipes, shutdown, name) = (Pipes::new(), Shutdown::new(), RoleName::new("mx"));
    let (listener, receiver) = (pipes.listen(name), server.receiver.clone());
    let serving = tokio::spawn(listener.serve(shutdown.clone(), move |connection| {
        let receiver = receiver.clone();
        async move { receiver.serve(connection).await }
    }));
    let mut idle = Client::new(pipes.connect(name, RoleName::new("idle")).await.unwrap());
    let mut busy = Client::new(pipes.connect(name, RoleName::new("busy")).await.unwrap());
    for client in [&mut idle, &mut busy] {
        client.expect("220").await;
        client.ask("EHLO client.example", "250").await;
    }
    busy.envelope().await;
    busy.ask("DATA", "354").await;
    shutdown.ask();
    idle.expect("421 4.3.2").await;
    idle.expect_close().await;
    busy.ask("late but whole\r\n.", "250 2.0.0 taken").await;
    busy.expect("421 4.3.2").await;
    assert_eq!(server.taken.recv().await.unwrap().0.body.len(), 16);
    serving.await.unwrap();
}
