//! Whatever a client sends, the session ends in order and harms nobody.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::Duration;

use harness::client::Client;
use harness::{House, PASSWORD, USER, pipe};
use proptest::prelude::*;

/// Pieces of the grammar, to get further than random bytes would.
const WORDS: &[&str] = &[
    "a",
    "b1",
    "*",
    "+",
    "UID",
    "FETCH",
    "STORE",
    "SEARCH",
    "COPY",
    "MOVE",
    "APPEND",
    "SELECT",
    "EXAMINE",
    "LIST",
    "LSUB",
    "STATUS",
    "CREATE",
    "DELETE",
    "RENAME",
    "IDLE",
    "DONE",
    "EXPUNGE",
    "CLOSE",
    "NOOP",
    "LOGIN",
    "ENABLE",
    "AUTHENTICATE",
    "PLAIN",
    "INBOX",
    "INBOX/x",
    "user/bob",
    "1",
    "1:*",
    "4294967295",
    "2,3:1",
    "0",
    "(",
    ")",
    "\"",
    "\"\"",
    "{3+}",
    "{3}",
    "{0+}",
    "{99999999999+}",
    "{70000+}",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "FLAGS",
    "+FLAGS.SILENT",
    "(\\Seen)",
    "(\\Deleted)",
    "BODY[]",
    "BODY.PEEK[1.2.MIME]",
    "BODY[TEXT]<0.4>",
    "BODYSTRUCTURE",
    "ENVELOPE",
    "(UID FLAGS)",
    "RFC822",
    "NOT",
    "OR",
    "TEXT",
    "HEADER",
    "SINCE",
    "1-Feb-2026",
    "CHARSET",
    "UTF-8",
    "ALL",
    "KEYWORD",
    "&AOk-",
    "&",
    "%",
    "*",
    "(MESSAGES UNSEEN)",
    "NIL",
    "=",
    "AAAA",
];

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        12 => prop::sample::select(WORDS).prop_map(|word| format!("{word} ").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(word, 0..80).prop_map(|words| words.concat())
}

/// Sends `noise` after `prelude` and hangs up; the session must end by itself, without a panic.
async fn survives(prelude: &str, noise: &[u8]) {
    let house = House::new().await;
    let (wire, session) = house.connect_watched(pipe());
    let mut client = Client::new(wire);
    client.send(prelude.as_bytes()).await;
    client.send(noise).await;
    client.drain().await;
    drop(client);
    tokio::time::timeout(Duration::from_secs(20), session)
        .await
        .expect("the session ends")
        .expect("no panic");
    let mut other = Client::new(house.connect());
    other.response().await.unwrap();
    let answer = other.command(&format!("z LOGIN {USER} \"{PASSWORD}\"")).await;
    assert!(answer[0].starts_with("z OK"), "{answer:?}");
}

fn run(played: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(played);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_session_survives_noise_before_the_login(noise in noise()) {
        run(survives("", &noise));
    }

    #[test]
    fn a_session_survives_noise_in_a_mailbox(noise in noise()) {
        let prelude = format!(
            "l LOGIN {USER} \"{PASSWORD}\"\r\np APPEND INBOX {{15+}}\r\nSubject: x\r\n\r\ny\r\ns SELECT INBOX\r\n"
        );
        run(survives(&prelude, &noise));
    }
}
