//! What one client cannot do to the others, nor to the process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use harness::client::Client;
use harness::{House, MESSAGE_BYTES_MAX, PASSWORD, USER, pipe, settings};
use imapd::ImapSettings;
use net::{Shutdown, Wire};

/// What must happen happens within this time, also on a machine that does much else.
const SOON: Duration = Duration::from_secs(15);

async fn greeted(wire: Wire) -> Client {
    let mut client = Client::new(wire);
    assert!(client.response().await.unwrap().starts_with("* OK"));
    client
}

async fn logged_in(wire: Wire) -> Client {
    let mut client = greeted(wire).await;
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client
}

/// A message that is nearly all header.
fn long_header() -> String {
    let mut message = String::from("Subject: long\r\n");
    for number in 0..3_000 {
        message.push_str(&format!("X-Field-{number}: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n"));
    }
    message + "\r\nx\r\n"
}

/// Puts `1 << doublings` messages with long headers into INBOX and selects it.
async fn fill(client: &mut Client, doublings: u32) {
    let message = long_header();
    client.command(&format!("f APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
    client.command("s SELECT INBOX").await;
    for _ in 0..doublings {
        let copied = client.command("f COPY 1:* INBOX").await;
        assert!(copied.last().unwrap().contains(" OK "), "{copied:?}");
    }
}

/// As much work as one SEARCH can ask for: nothing matches, and all must be looked at.
fn long_search(tag: &str) -> String {
    let keys: Vec<String> = (0..100).map(|number| format!("NOT TEXT zq{number}")).collect();
    format!("{tag} SEARCH {}", keys.join(" "))
}

/// The same, for which headers are enough.
fn long_header_search(tag: &str) -> String {
    let keys: Vec<String> = (0..100).map(|number| format!("NOT SUBJECT zq{number}")).collect();
    format!("{tag} SEARCH {}", keys.join(" "))
}

#[tokio::test(flavor = "current_thread")]
async fn a_long_search_does_not_hold_up_other_sessions() {
    let house = House::new().await;
    let mut searching = logged_in(house.connect()).await;
    let mut other = logged_in(house.connect()).await;
    fill(&mut searching, 4).await;
    searching.line(&long_header_search("b")).await;
    other.line("c NOOP").await;
    let first = tokio::select! {
        biased;
        answer = searching.responses("b") => answer,
        answer = other.responses("c") => answer,
    };
    assert!(first.last().unwrap().starts_with("c OK"), "{first:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_when_its_client_is_gone() {
    let house = House::new().await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = logged_in(wire).await;
    fill(&mut client, 12).await;
    client.line(&long_search("b")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(client);
    tokio::time::timeout(SOON, session).await.expect("the session ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_when_the_process_is_to_stop() {
    let house = House::new().await;
    let (wire, shutdown): (Wire, Shutdown) = house.connect_stoppable().await;
    let mut client = logged_in(wire).await;
    fill(&mut client, 12).await;
    client.line(&long_search("b")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    shutdown.ask();
    assert!(client.response().await.unwrap().starts_with("* BYE Server is shutting down"));
    assert!(asked.elapsed() < SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_not_put_off_the_time_to_log_in() {
    let house = House::with(ImapSettings { login_time_max: Duration::from_millis(500), ..settings() }).await;
    let mut client = greeted(house.connect()).await;
    for _ in 0..50 {
        client.line("b NOOP").await;
        let answer = client.response().await.unwrap();
        if answer.starts_with("* BYE Autologout") {
            return;
        }
        assert!(answer.starts_with("b OK"), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the session is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_without_a_pause_do_not_put_off_the_time_to_log_in() {
    let house = House::with(ImapSettings { login_time_max: Duration::from_millis(300), ..settings() }).await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = greeted(wire).await;
    let started = Instant::now();
    let noops = "b NOOP\r\n".repeat(50);
    while started.elapsed() < SOON && !session.is_finished() {
        client.send(noops.as_bytes()).await;
        client.drain().await;
    }
    assert!(session.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_short_before_the_login_and_may_be_long_after_it() {
    let house = House::new().await;
    let mut client = greeted(house.connect()).await;
    let long = "x".repeat(40_000);
    let answer = client.command(&format!("b {long}")).await;
    assert_eq!(answer, ["b BAD Line too long"]);
    client.command(&format!("c LOGIN {USER} \"{PASSWORD}\"")).await;
    let answer = client.command(&format!("d {long}")).await;
    assert_eq!(answer, ["d BAD Unknown command"]);
}

/// No more than a part of it stands in the response, where it is a literal.
async fn fetched(client: &mut Client, item: &str) -> String {
    let answer = client.command(&format!("f FETCH 1 {item}")).await;
    assert!(answer.last().unwrap().starts_with("f OK"), "{answer:?}");
    answer[0].clone()
}

/// The harness shows 0x80, which is no UTF-8, as U+FFFD.
#[tokio::test(flavor = "multi_thread")]
async fn nul_is_never_sent() {
    let house = House::with(ImapSettings { message_bytes_max: 4 * MESSAGE_BYTES_MAX, ..settings() }).await;
    let mut client = logged_in(house.connect()).await;
    for (mailbox, octets) in [("short", 10), ("longer", 5_000), ("file", MESSAGE_BYTES_MAX as usize)] {
        let text = "y".repeat(octets);
        let message = format!("From: <a\0b@x.org>\r\nSubject: n\0l\r\n\r\n{text}\0{text}");
        client.command(&format!("b CREATE {mailbox}")).await;
        client.command(&format!("c APPEND {mailbox} {{{}+}}\r\n{message}", message.len())).await;
        client.command(&format!("d SELECT {mailbox}")).await;
        let envelope = fetched(&mut client, "ENVELOPE").await;
        assert!(envelope.contains("{3}a\u{fffd}b \"x.org\""), "{envelope:?}");
        for item in ["BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[HEADER.FIELDS (Subject)]", "RFC822.HEADER"]
        {
            let shown = fetched(&mut client, item).await;
            assert!(shown.contains('\u{fffd}') && !shown.contains('\0'), "{mailbox} {item}");
        }
    }
}
