//! Sessions of users, over real TLS, with the SASL clients of `rsasl`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../flow/receive/tests/client/mod.rs"]
mod client;

use std::path::Path;
use std::sync::Arc;

use address::{AccountName, Address, Domain};
use directory::{Embedded, PasswordSettings};
use disk::{Disk, FaultDisk};
use net::{ClientTls, Connection, Network, Peer, RoleName, TlsStore};
use receive::ReceiverSettings;
use route::{RouteSettings, Router};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig};
use sasl::Password;
use sasl::line::{challenge as base64, response as unbase64};
use spool::{Spool, SpoolSettings};
use submission::{Submission, SubmissionSettings};

use client::Client;

struct System {
    spool: Spool,
    submission: Submission,
    tls: TlsStore,
    _certificates: tempfile::TempDir,
}

impl System {
    /// A system with the accounts ann and bob, whose passwords are `secret`.
    async fn new(any_sender: bool) -> Self {
        Self::with(any_sender, Vec::new()).await
    }

    /// One that lets these hosts say by XCLIENT whom they speak for.
    async fn with(any_sender: bool, xclient: Vec<Network>) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
        let directory = Arc::new(directory(disk.clone()).await);
        let settings = SpoolSettings { dir: "/spool".into(), ..SpoolSettings::default() };
        let spool = Spool::open_in_memory(settings, disk.clone()).unwrap();
        let router = Router::new(directory.clone(), RouteSettings::default());
        let certificates = tempfile::tempdir().unwrap();
        let tls = TlsStore::self_signed(certificates.path(), &["mx.example.org".to_owned()]).unwrap();
        let receiver = ReceiverSettings {
            hostname: "mx.example.org".into(),
            domain: domain(),
            xclient,
            ..ReceiverSettings::default()
        };
        let settings = SubmissionSettings { receiver, any_sender, ..SubmissionSettings::default() };
        let submission =
            Submission::new(directory, router, spool.clone(), disk, Some(tls.acceptor()), settings);
        Self { spool, submission, tls, _certificates: certificates }
    }

    /// As on port 587.
    async fn in_clear(&self) -> Client {
        let (called, calling) = pair();
        let submission = self.submission.clone();
        tokio::spawn(async move { submission.serve(called).await });
        let mut client = Client::new(calling);
        client.expect("220").await;
        client.ask("EHLO [192.0.2.7]", "250").await;
        client
    }

    /// As on port 465.
    async fn in_tls(&self) -> Client {
        let (called, calling) = pair();
        let (submission, acceptor) = (self.submission.clone(), self.tls.acceptor());
        tokio::spawn(async move { submission.serve(acceptor.accept(called).await.unwrap()).await });
        let calling = ClientTls::opportunistic().connect(calling, "mx.example.org").await.unwrap();
        let mut client = Client::new(calling);
        client.expect("220").await;
        client.ask("EHLO [192.0.2.7]", "250").await;
        client
    }

    /// Signed in as ann.
    async fn signed_in(&self) -> Client {
        let mut client = self.in_tls().await;
        sign_in(&mut client, "PLAIN", "ann", "secret", "235 2.7.0").await;
        client
    }
}

fn pair() -> (Connection, Connection) {
    Connection::pair(Peer::Tcp("192.0.2.7:4000".parse().unwrap()), RoleName::new("submission"))
}

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

async fn directory(disk: Arc<dyn Disk>) -> Embedded {
    let cheap = PasswordSettings {
        argon2_memory_kib: 64,
        argon2_passes: 1,
        scram_iterations: 4096,
        ..PasswordSettings::default()
    };
    let directory = Embedded::open(disk, Path::new("/directory"), domain(), cheap).unwrap();
    directory.domain_add(domain()).await.unwrap();
    let password = Password::new("secret").unwrap();
    for name in ["ann", "bob"] {
        let name = AccountName::new(name, domain()).unwrap();
        directory.account_add(name, Some(&password), false).await.unwrap();
    }
    let address = |text| Address::parse(text).unwrap();
    directory.address_add(address("anna@example.org"), vec![address("ann@example.org")]).await.unwrap();
    directory
}

/// Runs an AUTH exchange with a client that nobody here wrote, and expects this reply.
async fn sign_in(client: &mut Client, mechanism: &str, login: &str, password: &str, reply: &str) {
    let config: Arc<SASLConfig> =
        SASLConfig::with_credentials(None, login.to_owned(), password.to_owned()).unwrap();
    let name = Mechname::parse(mechanism.as_bytes()).unwrap();
    let mut session = SASLClient::new(config).start_suggested(&[name]).unwrap();
    let mut line = format!("AUTH {mechanism}");
    if mechanism != "LOGIN" {
        let mut initial = vec![];
        session.step(None, &mut initial).unwrap();
        line = format!("{line} {}", base64(&initial));
    }
    loop {
        let answer = client.ask(&line, "").await;
        let Some(challenge) = answer.strip_prefix("334 ") else {
            assert!(answer.starts_with(reply), "{mechanism}: {answer}");
            return;
        };
        let mut response = vec![];
        session.step(Some(&unbase64(challenge.trim().as_bytes()).unwrap()), &mut response).unwrap();
        line = base64(&response);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_clear_nobody_can_log_in_or_send() {
    let system = System::new(false).await;
    let mut client = system.in_clear().await;
    let offered = client.ask("EHLO client.example", "250").await;
    assert!(offered.contains("STARTTLS") && !offered.contains("AUTH"), "{offered}");
    client.ask("AUTH PLAIN AGFubgBzZWNyZXQ=", "538 5.7.11").await;
    client.ask("MAIL FROM:<ann@example.org>", "530 5.7.0").await;
    client.ask("STARTTLS", "220").await;
    let mut client = client.start_tls(&ClientTls::opportunistic()).await;
    let offered = client.ask("EHLO client.example", "250").await;
    assert!(offered.contains("AUTH SCRAM-SHA-256 PLAIN LOGIN"), "{offered}");
    client.ask("MAIL FROM:<ann@example.org>", "530 5.7.0").await;
    client.ask("AUTH PLAIN AGFubgBzZWNyZXQ=", "235 2.7.0").await;
    client.ask("MAIL FROM:<ann@example.org>", "250").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_signs_in_by_every_mechanism_and_a_wrong_one_by_none() {
    let system = System::new(false).await;
    for mechanism in ["SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        let mut client = system.in_tls().await;
        sign_in(&mut client, mechanism, "ann", "wrong", "535 5.7.8").await;
        sign_in(&mut client, mechanism, "nobody", "secret", "535 5.7.8").await;
        sign_in(&mut client, mechanism, "ann@example.org", "secret", "235 2.7.0").await;
        client.ask("MAIL FROM:<ann@example.org>", "250").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_passwords_is_closed() {
    let system = System::new(false).await;
    let mut client = system.in_tls().await;
    for _ in 1..limits::AUTH_FAILURES_MAX {
        sign_in(&mut client, "PLAIN", "ann", "guess", "535 5.7.8").await;
    }
    client.send("AUTH PLAIN AGFubgBndWVzcw==\r\n").await;
    client.expect("535 5.7.8").await;
    client.expect("421 4.7.0").await;
    client.expect_close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sends_from_addresses_of_the_account_only() {
    let system = System::new(false).await;
    let mut client = system.signed_in().await;
    for (sender, reply) in [
        ("ann@example.org", "250"),
        ("ANNA@example.org", "250"),
        ("ann+shop@example.org", "250"),
        ("", "250"),
        ("bob@example.org", "550 5.7.1"),
        ("ann@elsewhere.example", "550 5.7.1"),
    ] {
        client.ask(&format!("MAIL FROM:<{sender}>"), reply).await;
        client.ask("RSET", "250").await;
    }
    let system = System::new(true).await;
    system.signed_in().await.ask("MAIL FROM:<ann@elsewhere.example>", "250").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_signed_in_with_a_trusted_host_sends_as_himself_and_nobody_else() {
    let system = System::with(false, vec!["192.0.2.7".parse().unwrap()]).await;
    let mut client = system.in_clear().await;
    client.ask("XCLIENT ADDR=198.51.100.4 LOGIN=ann", "220").await;
    client.ask("EHLO client.example", "250").await;
    client.ask("MAIL FROM:<bob@example.org>", "550 5.7.1").await;
    client.ask("MAIL FROM:<ann@example.org>", "250").await;
    client.ask("RCPT TO:<carl@elsewhere.example>", "250").await;
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n\r\ntext\r\n.", "250 2.0.0").await;
    let shown = system.spool.list().remove(0);
    assert_eq!(shown.origin.account, Some(AccountName::new("ann", domain()).unwrap()));
    assert_eq!(shown.origin.peer, "198.51.100.4:0");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_spoken_for_signs_in_as_nobody_else_through_the_host_that_spoke_for_him() {
    let system = System::with(false, vec!["192.0.2.7".parse().unwrap()]).await;
    for told in ["ADDR=198.51.100.4 LOGIN=ann", "ADDR=198.51.100.4", "ADDR=[UNAVAILABLE]"] {
        let mut client = system.in_clear().await;
        client.ask(&format!("XCLIENT {told}"), "220").await;
        client.ask("EHLO client.example", "250").await;
        client.ask("XCLIENT LOGIN=bob", "550 5.7.0").await;
        client.ask("MAIL FROM:<bob@example.org>", "5").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_xclient_is_not_that_of_the_next_client() {
    let system = System::with(false, vec!["192.0.2.7".parse().unwrap()]).await;
    let mut client = system.in_clear().await;
    for (told, answer) in [
        ("LOGIN=ann", "250"),
        ("LOGIN=[UNAVAILABLE]", "530 5.7.0"),
        ("LOGIN=nobody", "550 5.7.1"),
        ("LOGIN=ann", "250"),
        ("HELO=client.example", "530 5.7.0"),
    ] {
        client.ask(&format!("XCLIENT {told}"), "220").await;
        client.ask("EHLO client.example", "250").await;
        client.ask("MAIL FROM:<ann@example.org>", answer).await;
        client.ask("RSET", "250").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_in_by_xclient_who_is_not_named_for_it() {
    let system = System::new(false).await;
    let mut client = system.in_clear().await;
    client.ask("XCLIENT LOGIN=ann", "550 5.7.0").await;
    client.ask("MAIL FROM:<ann@example.org>", "530 5.7.0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_no_mail_goes_is_refused_and_not_returned_later() {
    let system = System::new(false).await;
    let mut client = system.signed_in().await;
    client.ask("MAIL FROM:<ann@example.org>", "250").await;
    for nowhere in ["[127.0.0.1]", "[0.0.0.0]", "[IPv6:::1]", "[IPv6:::ffff:127.0.0.1]", "[X25:1]"] {
        client.ask(&format!("RCPT TO:<x@{nowhere}>"), "550 5.1.2").await;
    }
    client.ask("RCPT TO:<x@[192.0.2.1]>", "250").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_is_completed_and_queued_for_anywhere() {
    let system = System::new(false).await;
    let mut client = system.signed_in().await;
    client.ask("MAIL FROM:<ann@example.org>", "250").await;
    client.ask("RCPT TO:<nobody@example.org>", "550 5.1.1").await;
    client.ask("RCPT TO:<bob@example.org>", "250").await;
    client.ask("RCPT TO:<carl@elsewhere.example>", "250").await;
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n\r\ntext\r\n.", "250 2.0.0 queued as ").await;
    let shown = system.spool.list().remove(0);
    assert_eq!(shown.recipients.len(), 2);
    assert_eq!(shown.origin.account, Some(AccountName::new("ann", domain()).unwrap()));
    let body = system.spool.body(shown.queue_id).await.unwrap().read_all().unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains(" with ESMTPSA id "), "{text}");
    let message_id =
        format!("\r\nMessage-ID: <{}@example.org>\r\nDate: ", shown.queue_id.to_string().to_lowercase());
    assert!(text.contains(&message_id), "{text}");
    assert!(text.ends_with("+0000\r\nSubject: x\r\n\r\ntext\r\n"), "{text}");
}
