//! What no client should send, over real sockets to a real Tartan: each gets a clear error in the terms of its protocol,
//! memory stays bounded, something counts it, and the next client is served.

mod connections;
mod imap;
mod messages;
mod raw;
mod smtp;
mod web;

use interop::{arrived, first, metrics};
use testkit::{Trial, imap as client, proof, smtp as sender};

/// The listeners that speak SMTP or LMTP, and how a client greets there.
const SMTP: [(&str, &str); 3] = [("mx", "EHLO"), ("submission", "EHLO"), ("lmtp", "LHLO")];

/// A message comes in by SMTP and by LMTP, and can be read.
fn next_client_is_served(trial: &Trial, serial: u64) {
    let account = first(trial);
    for (number, listener) in [(serial, "mx"), (serial + 1, "lmtp")] {
        let address = trial.address(listener);
        let opened =
            if listener == "mx" { sender::Client::smtp(&address) } else { sender::Client::lmtp(&address) };
        let sent = opened.and_then(|mut client| {
            client.send("next@client.test", &[&account.address], &proof::message(number, 100))
        });
        assert!(sent.is_ok_and(|replies| replies[0].is_accepted()), "{listener} serves no more");
        let message = arrived(trial, &account, &format!("<proof-{number}@client.test>"));
        assert_eq!(proof::check(&message), Some(Ok(number)));
    }
}

/// A session of the first account.
fn signed_in(trial: &Trial) -> client::Client {
    client::Client::login(trial, &first(trial)).expect("a login")
}

/// What a counter has grown to.
fn counted(trial: &Trial, metric: &str, labels: &[&str]) -> u64 {
    metrics::sum(trial, metric, labels) as u64
}
