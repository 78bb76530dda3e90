//! Clients of SMTP and LMTP.

use crate::model::{Sent, Wire};
use crate::random::Random;
use std::io::Result;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use testkit::{Trial, proof, smtp};

/// What all clients share.
pub struct Load {
    /// The next message's number.
    pub serials: AtomicU64,
    /// Where clients wait for each other before the load begins.
    pub all_connected: Barrier,
}

/// Connects, waits until all have, and hands messages over until the connection breaks.
pub fn send(trial: &Trial, wire: Wire, load: &Load, mut random: Random) -> Vec<Sent> {
    let mut sent = Vec::new();
    let client = match wire {
        Wire::Smtp => smtp::Client::smtp(&trial.address("mx")),
        Wire::Lmtp => smtp::Client::lmtp(&trial.address("lmtp")),
    };
    let mut client = client.expect("a connection");
    load.all_connected.wait();
    loop {
        let serial = load.serials.fetch_add(1, Ordering::Relaxed);
        let to = recipients(&mut random);
        sent.push(Sent { serial, wire, to: to.iter().map(|account| (*account, None)).collect() });
        let Ok(answers) = hand_over(&mut client, trial, serial, &to) else { break };
        note(sent.last_mut().expect("just pushed"), &answers);
        std::thread::sleep(Duration::from_millis(random.below(20) as u64));
    }
    sent
}

/// The first account, sometimes the second, sometimes both.
fn recipients(random: &mut Random) -> Vec<usize> {
    match random.below(4) {
        0 => vec![1],
        1 => vec![0, 1],
        _ => vec![0],
    }
}

fn hand_over(client: &mut smtp::Client, trial: &Trial, serial: u64, to: &[usize]) -> Result<Vec<bool>> {
    let accounts = &trial.contract.accounts;
    let addresses: Vec<&str> = to.iter().map(|account| accounts[*account].address.as_str()).collect();
    let replies = client.send("load@client.test", &addresses, &proof::message(serial, size(serial)))?;
    Ok(replies.iter().map(smtp::Reply::is_accepted).collect())
}

/// SMTP answers once for all recipients, LMTP once for each (RFC 2033 4.2).
fn note(sent: &mut Sent, answers: &[bool]) {
    for (index, (_, answer)) in sent.to.iter_mut().enumerate() {
        *answer = Some(*answers.get(index).unwrap_or(&answers[0]));
    }
}

/// Bytes of the text of message `serial`: mostly few; every 70th is larger than what is kept in memory.
pub fn size(serial: u64) -> usize {
    if serial.is_multiple_of(70) {
        1_200_000
    } else {
        200 + usize::try_from(serial % 7).expect("below 7") * 900
    }
}
