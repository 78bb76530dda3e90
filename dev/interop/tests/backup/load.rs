//! A load of SMTP, LMTP, APPEND and UID EXPUNGE, and what of it was acknowledged so far.

use interop::{first, second};
use std::collections::BTreeSet;
use std::io::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::{Trial, imap, proof, smtp};

/// Messages of the IMAP client above which it expunges the oldest half.
const APPENDED_MAX: usize = 12;
/// Every so manieth message is larger than what is kept inside a journal.
const LARGE_EVERY: u64 = 60;

/// What is known of messages, by their serial numbers.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// Acknowledged.
    pub held: BTreeSet<u64>,
    /// Their expunge was asked for: they may be there or not.
    pub going: BTreeSet<u64>,
    /// Their expunge was acknowledged.
    pub gone: BTreeSet<u64>,
    /// The largest uid that was given in the mailbox of the IMAP client.
    pub uid_max: u32,
}

/// Clients that go on until their connections break.
#[derive(Debug, Default)]
pub struct Load {
    serials: AtomicU64,
    known: Mutex<Known>,
}

impl Load {
    /// What was acknowledged up to now.
    pub fn known(&self) -> Known {
        self.known.lock().expect("no client panics").clone()
    }

    /// Sends by SMTP.
    pub fn smtp(&self, trial: &Trial) {
        self.send(trial, smtp::Client::smtp(&trial.address("mx")).expect("a connection"));
    }

    /// Sends by LMTP.
    pub fn lmtp(&self, trial: &Trial) {
        self.send(trial, smtp::Client::lmtp(&trial.address("lmtp")).expect("a connection"));
    }

    fn send(&self, trial: &Trial, mut client: smtp::Client) {
        let to = first(trial).address;
        loop {
            let (serial, message) = self.message();
            let Ok(replies) = client.send("load@client.test", &[&to], &message) else { return };
            assert!(replies[0].is_accepted(), "{replies:?}");
            self.note(|known| known.held.insert(serial));
        }
    }

    /// Appends to a mailbox of another account, and expunges the oldest.
    pub fn imap(&self, trial: &Trial) {
        let mut client = imap::Client::login(trial, &second(trial)).expect("a login");
        client.ok("SELECT Archive").expect("new accounts have it");
        let mut appended = Vec::new();
        while self.imap_step(&mut client, &mut appended).is_ok() {}
    }

    fn imap_step(&self, client: &mut imap::Client, appended: &mut Vec<(u32, u64)>) -> Result<()> {
        let (serial, message) = self.message();
        let uid = append_uid(&client.append("Archive", &message)?);
        appended.push((uid, serial));
        self.note(|known| {
            known.uid_max = known.uid_max.max(uid);
            known.held.insert(serial)
        });
        if appended.len() > APPENDED_MAX {
            let oldest: Vec<_> = appended.drain(..APPENDED_MAX / 2).collect();
            self.expunge(client, &oldest)?;
        }
        Ok(())
    }

    fn expunge(&self, client: &mut imap::Client, messages: &[(u32, u64)]) -> Result<()> {
        let uids: Vec<String> = messages.iter().map(|(uid, _)| uid.to_string()).collect();
        let (uids, serials) = (uids.join(","), || messages.iter().map(|(_, serial)| *serial));
        self.note(|known| known.going.extend(serials()));
        client.ok(&format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"))?;
        client.ok(&format!("UID EXPUNGE {uids}"))?;
        self.note(|known| known.gone.extend(serials()));
        Ok(())
    }

    fn message(&self) -> (u64, Vec<u8>) {
        let serial = self.serials.fetch_add(1, Ordering::Relaxed) + 1;
        let size = if serial.is_multiple_of(LARGE_EVERY) { 1_200_000 } else { 3_000 };
        (serial, proof::message(serial, size))
    }

    fn note<T>(&self, what: impl FnOnce(&mut Known) -> T) {
        what(&mut self.known.lock().expect("no client panics"));
    }
}

/// The uid in APPENDUID (RFC 4315 3).
pub fn append_uid(answer: &imap::Answer) -> u32 {
    let (_, code) = answer.tagged.split_once("[APPENDUID ").unwrap_or_else(|| panic!("{answer:?}"));
    let uid = code.split([' ', ']']).nth(1).and_then(|uid| uid.parse().ok());
    uid.unwrap_or_else(|| panic!("{answer:?}"))
}
