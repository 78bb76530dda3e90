//! Connections that hand messages over, one after the other, each waiting for its acknowledgement.

use crate::sample;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testkit::trial::Account;
use testkit::{Trial, imap, proof, smtp};

/// How messages are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// To the lmtpd: into the mailbox.
    Lmtp,
    /// IMAP APPEND: into the mailbox.
    Append,
    /// To the MX: into the spool; the relay delivers meanwhile, as it does in service.
    Smtp,
}

/// One measurement.
pub struct Row {
    /// Acknowledged messages a second.
    pub rate: f64,
    /// CPU milliseconds of the whole process for each.
    pub cpu_ms: f64,
    /// fdatasync calls of the journals for each.
    pub flushes: f64,
}

impl Wire {
    /// As the table shows it.
    pub fn name(self) -> &'static str {
        match self {
            Wire::Lmtp => "LMTP",
            Wire::Append => "APPEND",
            Wire::Smtp => "SMTP",
        }
    }
}

/// Runs `connections` at once for `time`.
pub fn measure(trial: &Trial, wire: Wire, connections: usize, size: usize, time: Duration) -> Row {
    let count = AtomicU64::new(0);
    let (cpu, flushes) = (sample::cpu_ms(trial), sample::metric(trial, "tartan_journal_syncs_total"));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..connections {
            let account = &trial.contract.accounts[number % trial.contract.accounts.len()];
            let count = &count;
            scope.spawn(move || run(trial, wire, account, size, start + time, count));
        }
    });
    let (elapsed, messages) = (start.elapsed().as_secs_f64(), count.into_inner().max(1) as f64);
    Row {
        rate: messages / elapsed,
        cpu_ms: (sample::cpu_ms(trial) - cpu) / messages,
        flushes: (sample::metric(trial, "tartan_journal_syncs_total") - flushes) / messages,
    }
}

fn run(trial: &Trial, wire: Wire, account: &Account, size: usize, end: Instant, count: &AtomicU64) {
    let mut send = sender(trial, wire, account);
    let mut serial = 0;
    while Instant::now() < end {
        send(&proof::message(serial, size));
        serial += 1;
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Hands one message over and waits for its acknowledgement.
type Send = Box<dyn FnMut(&[u8])>;

fn sender(trial: &Trial, wire: Wire, account: &Account) -> Send {
    if wire == Wire::Append {
        let mut client = imap::Client::login(trial, account).expect("a login");
        return Box::new(move |message| {
            let answer = client.append("INBOX", message).expect("an answer");
            assert!(answer.tagged.starts_with("OK"), "{}", answer.tagged);
        });
    }
    let open = if wire == Wire::Lmtp { smtp::Client::lmtp } else { smtp::Client::smtp };
    let mut client = open(&trial.address(if wire == Wire::Lmtp { "lmtp" } else { "mx" })).expect("a session");
    let to = account.address.clone();
    Box::new(move |message| {
        let replies = client.send("bench@client.test", &[&to], message).expect("a reply");
        assert!(replies[0].is_accepted(), "{replies:?}");
    })
}
