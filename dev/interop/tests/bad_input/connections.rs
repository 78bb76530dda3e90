//! Connections themselves: too many, TLS that is none, handshakes that stop.

use crate::raw::{LOGIN, Raw, within};
use crate::{counted, next_client_is_served};
use interop::{settings, trial};
use std::time::Duration;
use testkit::program::eventually;

#[test]
fn a_flood_over_the_limit_is_turned_away_in_the_protocols_terms() {
    let (mut trial, _folder) = trial();
    settings::set(&mut trial, &[("limits", "connections_per_address", "5")]);
    for (listener, refusal) in [("mx", "421 4.7.0 "), ("lmtp", "421 4.7.0 "), ("imap", "* BYE ")] {
        let held: Vec<Raw> = (0..5).map(|_| Raw::greeted(&trial, listener)).collect();
        within(&trial, 4, listener, || {
            for _ in 0..200 {
                let mut raw = Raw::connect(&trial, listener);
                raw.expect(refusal);
                assert!(raw.rest().is_empty());
            }
        });
        drop(held);
        let label = format!("listener=\"{listener}\"");
        assert_eq!(counted(&trial, "tartan_net_connections_refused_total", &[&label]), 200);
        eventually(Duration::from_secs(10), "room for connections", || {
            (counted(&trial, "tartan_net_connections", &[&label]) == 0).then_some(())
        });
    }
    next_client_is_served(&trial, 10);
}

#[test]
fn what_is_no_tls_is_refused_and_counted() {
    let (trial, _folder) = trial();
    for (number, listener) in (1u64..).zip(["imaps", "submissions"]) {
        let mut raw = Raw::connect(&trial, listener);
        let answer = raw.send("GET / HTTP/1.0\r\n\r\n").rest();
        // A TLS record with an alert, level fatal.
        assert!(answer.starts_with(b"\x15\x03") && answer.get(5) == Some(&2), "{}", answer.escape_ascii());
        assert_eq!(counted(&trial, "tartan_net_tls_failures_total", &[]), number);
    }
    let mut raw = Raw::greeted(&trial, "mx");
    raw.send("EHLO client.test\r\n").until("250 ");
    raw.send("STARTTLS\r\n").expect("220 ");
    let answer = raw.send("MAIL FROM:<a@client.test>\r\n").rest();
    assert!(answer.starts_with(b"\x15\x03"), "{}", answer.escape_ascii());
    next_client_is_served(&trial, 20);
}

#[test]
fn handshakes_that_stop_hold_nobody_up() {
    let (trial, _folder) = trial();
    within(&trial, LOGIN + 8, "handshakes", || {
        // The head of a TLS record with a ClientHello, and no more.
        let stopped: Vec<Raw> = (0..100)
            .map(|number| {
                let mut raw = Raw::connect(&trial, ["imaps", "submissions"][number % 2]);
                raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
                raw
            })
            .collect();
        next_client_is_served(&trial, 30);
        stopped.into_iter().for_each(Raw::reset);
    });
    eventually(Duration::from_secs(10), "the handshakes to end", || {
        (counted(&trial, "tartan_net_tls_failures_total", &[]) == 100).then_some(())
    });
}
