//! Large messages pass through in pieces: one of 50 MB never sits in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::sync::Arc;
use std::time::Duration;

use harness::client::Client;
use harness::counting::{CountingDisk, Counts};
use harness::{House, PASSWORD, USER, settings};
use imapd::ImapSettings;

const MESSAGE_BYTES: usize = 50 * 1024 * 1024;
const LINE: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n";
/// What may be on its way in the session, in the pipe and in the store's buffers at any time.
const ON_THE_WAY_BYTES_MAX: u64 = 4 * 1024 * 1024;

async fn house_on(dir: &std::path::Path) -> (House, Arc<Counts>) {
    let disk = CountingDisk::new();
    let counts = disk.counts.clone();
    let settings = ImapSettings {
        temporary_dir: dir.join("tmp"),
        message_bytes_max: 2 * MESSAGE_BYTES as u64,
        ..settings()
    };
    (House::on(Arc::new(disk), dir, settings).await, counts)
}

async fn logged_in(house: &House) -> Client {
    let mut client = Client::new(house.connect());
    client.response().await.unwrap();
    client.command(&format!("a LOGIN {USER} \"{PASSWORD}\"")).await;
    client
}

/// Waits until `reached` has been so for a moment or half a minute is over.
async fn eventually(reached: impl Fn() -> bool) -> bool {
    for _ in 0..600 {
        if reached() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Sends the literal of an APPEND of [`MESSAGE_BYTES`] and checks on the way that it does not pile up.
async fn append_large(client: &mut Client, counts: &Counts) {
    client.send(format!("b APPEND INBOX {{{MESSAGE_BYTES}+}}\r\nSubject: large\r\n\r\n").as_bytes()).await;
    let mut sent = "Subject: large\r\n\r\n".len();
    let lines = LINE.repeat(1024);
    while sent < MESSAGE_BYTES {
        let piece = &lines[..lines.len().min(MESSAGE_BYTES - sent)];
        client.send(piece).await;
        sent += piece.len();
        if sent % (10 * lines.len()) < lines.len() {
            let taken = || counts.written() + ON_THE_WAY_BYTES_MAX > sent as u64;
            assert!(eventually(taken).await, "{sent} bytes sent, {} on disk", counts.written());
        }
    }
    client.line("").await;
    let answer = client.responses("b").await.pop().unwrap();
    assert!(answer.starts_with("b OK [APPENDUID"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_50_mb_is_appended_and_fetched_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let (house, counts) = house_on(dir.path()).await;
    let mut client = logged_in(&house).await;
    append_large(&mut client, &counts).await;
    let at_once_max = 2 * limits::BODY_MEMORY_BYTES_MAX as u64;
    assert!(counts.written_at_once_max() <= at_once_max, "{} bytes", counts.written_at_once_max());

    client.command("c SELECT INBOX").await;
    let read_before = counts.read();
    client.line("d FETCH 1 BODY.PEEK[]").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let read_ahead = counts.read() - read_before;
    assert!(read_ahead <= ON_THE_WAY_BYTES_MAX, "{read_ahead} bytes read for a client that takes none");

    let octets = client.literal_octets_of_response().await;
    assert_eq!(octets, MESSAGE_BYTES as u64);
    assert!(client.responses("d").await.pop().unwrap().starts_with("d OK"));
    assert!(counts.read() - read_before >= MESSAGE_BYTES as u64);
    assert!(counts.read_at_once_max() <= at_once_max, "{} bytes", counts.read_at_once_max());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_large_message_is_read_without_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (house, counts) = house_on(dir.path()).await;
    let mut client = logged_in(&house).await;
    append_large(&mut client, &counts).await;
    client.command("c SELECT INBOX").await;
    let read_before = counts.read();
    let responses = client.command("d FETCH 1 BODY.PEEK[TEXT]<40000000.16>").await;
    assert!(responses[0].starts_with("* 1 FETCH (BODY[TEXT]<40000000> {16}"), "{responses:?}");
    let read = counts.read() - read_before;
    assert!(read <= ON_THE_WAY_BYTES_MAX, "{read} bytes read for 16");
}
