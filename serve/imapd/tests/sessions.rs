//! What happens to sessions as a whole: time-outs, stops, logins by SCRAM, TCP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use disk::{Crash, FaultDisk};
use harness::client::Client;
use harness::{House, PASSWORD, USER, pipe, settings};
use imapd::ImapSettings;
use net::{Listener, ListenerSettings, Shutdown, Wire, connect_tcp};
use rsasl::prelude::{Mechname, SASLClient, SASLConfig};

async fn connected(house: &House) -> Client {
    let mut client = Client::new(house.connect());
    assert!(client.response().await.unwrap().starts_with("* OK"));
    client
}

async fn logged_in(house: &House) -> Client {
    let mut client = connected(house).await;
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_log_in_is_sent_away() {
    let house = House::with(ImapSettings { login_time_max: Duration::from_millis(100), ..settings() }).await;
    let mut client = connected(&house).await;
    assert!(client.response().await.unwrap().starts_with("* BYE Autologout"));
    assert_eq!(client.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_that_lasts_too_long_ends_with_bye() {
    let house = House::with(ImapSettings { idle_time_max: Duration::from_millis(300), ..settings() }).await;
    let mut client = logged_in(&house).await;
    client.line("b IDLE").await;
    assert!(client.response().await.unwrap().starts_with('+'));
    assert!(client.response().await.unwrap().starts_with("* BYE Autologout"));
    assert_eq!(client.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_the_process_is_told_to_waiting_sessions() {
    let house = House::new().await;
    let (wire, shutdown) = house.connect_stoppable().await;
    let mut client = Client::new(wire);
    client.response().await.unwrap();
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client.line("b IDLE").await;
    assert!(client.response().await.unwrap().starts_with('+'));
    shutdown.ask();
    assert!(client.response().await.unwrap().starts_with("* BYE Server is shutting down"));
    assert_eq!(client.response().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_the_client_hangs_up() {
    let house = House::new().await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = Client::new(wire);
    client.response().await.unwrap();
    drop(client);
    tokio::time::timeout(Duration::from_secs(10), session).await.expect("the session ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_breaks_off_leaves_nothing() {
    let house = House::new().await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = Client::new(wire);
    client.response().await.unwrap();
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client.send(b"b APPEND INBOX {1000+}\r\nSubject: half").await;
    drop(client);
    session.await.unwrap();
    let mut other = logged_in(&house).await;
    let status = other.command("c STATUS INBOX (MESSAGES UIDNEXT)").await;
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 0 UIDNEXT 1)");
}

/// Logs in by SCRAM-SHA-256 with a client that nobody here wrote; the last response.
async fn scram(client: &mut Client, password: &str) -> String {
    let config: Arc<SASLConfig> =
        SASLConfig::with_credentials(None, USER.to_owned(), password.to_owned()).unwrap();
    let mechanism = Mechname::parse(b"SCRAM-SHA-256").unwrap();
    let mut exchange = SASLClient::new(config).start_suggested(&[mechanism]).unwrap();
    let mut message = Vec::new();
    exchange.step(None, &mut message).unwrap();
    client.line(&format!("s AUTHENTICATE SCRAM-SHA-256 {}", STANDARD.encode(&message))).await;
    loop {
        let response = client.response().await.unwrap();
        let Some(challenge) = response.strip_prefix("+ ") else { return response };
        let mut message = Vec::new();
        exchange.step(Some(&STANDARD.decode(challenge).unwrap()), &mut message).unwrap();
        client.line(&STANDARD.encode(&message)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_client_logs_in_by_scram_without_tls() {
    let house = House::new().await;
    let mut client = Client::new(house.connect_plaintext());
    client.response().await.unwrap();
    let answer = scram(&mut client, "wrong").await;
    assert!(answer.starts_with("s NO [AUTHENTICATIONFAILED]"), "{answer}");
    let answer = scram(&mut client, PASSWORD).await;
    assert!(answer.starts_with("s OK [CAPABILITY "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_over_tcp_goes_through_starttls_to_the_inbox() {
    let house = House::new().await;
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap(), ListenerSettings::new("imap")).await.unwrap();
    let address = listener.local_addr();
    let server = house.server.clone();
    tokio::spawn(listener.serve(Shutdown::new(), move |connection| {
        let server = server.clone();
        async move { server.serve(connection).await }
    }));
    let connection = connect_tcp(address, Duration::from_secs(10)).await.unwrap();
    let mut client = Client::new(Wire::new(connection));
    assert!(client.response().await.unwrap().contains("STARTTLS LOGINDISABLED"));
    assert!(client.command("a STARTTLS").await[0].starts_with("a OK"));
    client.start_tls().await;
    let answer = client.command(&format!("b LOGIN {USER} \"{PASSWORD}\"")).await;
    assert!(answer[0].starts_with("b OK"), "{answer:?}");
    let selected = client.command("c SELECT INBOX").await;
    assert!(selected.last().unwrap().starts_with("c OK [READ-WRITE]"), "{selected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_not_durable_is_not_acknowledged() {
    let disk = Arc::new(FaultDisk::new());
    let house = House::on(disk.clone(), Path::new("/"), settings()).await;
    let mut client = logged_in(&house).await;
    disk.fail_from(1, ErrorKind::StorageFull);
    let answer = client.command("b APPEND INBOX {3+}\r\nabc").await;
    assert!(answer[0].starts_with("b NO [UNAVAILABLE]"), "{answer:?}");
    let answer = client.command("c NOOP").await;
    assert!(answer[0].starts_with("c OK"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_was_acknowledged_is_there_after_a_crash() {
    let disk = Arc::new(FaultDisk::new());
    let house = House::on(disk.clone(), Path::new("/"), settings()).await;
    let mut client = logged_in(&house).await;
    let answer = client.command("b APPEND INBOX (\\Flagged) {3+}\r\nabc").await;
    assert!(answer[0].starts_with("b OK [APPENDUID"), "{answer:?}");
    drop((client, house));
    disk.crash(Crash::Power);
    let house = House::on(disk, Path::new("/"), settings()).await;
    let mut client = logged_in(&house).await;
    client.command("c SELECT INBOX").await;
    let fetched = client.command("d FETCH 1:* (FLAGS BODY.PEEK[])").await;
    assert!(fetched[0].contains("\\Flagged") && fetched[0].contains("BODY[] {3}abc"), "{fetched:?}");
}
