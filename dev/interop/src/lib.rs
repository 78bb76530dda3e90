//! Tartan beside programs that nobody here wrote: swaks, Postfix, Python's smtplib and imaplib, mbsync,
//! neomutt and curl, each started by the test that uses it, on loopback.
//!
//! What several tests do with a trial stands here; the tests are in `tests/`, one file a program.

pub mod metrics;
pub mod settings;

pub mod machine;

use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use testkit::trial::Account;
use testkit::{Trial, imap, program};

/// Time for a message that was accepted to arrive in its mailbox.
pub const ARRIVAL: Duration = Duration::from_secs(20);

/// A trial in a folder of its own; the folder lives as long as the returned value.
pub fn trial() -> (Trial, TempDir) {
    let folder = TempDir::new().expect("a temporary folder");
    let trial = Trial::start(&folder.path().join("data"));
    (trial, folder)
}

/// The first account of a trial.
pub fn first(trial: &Trial) -> Account {
    trial.contract.accounts[0].clone()
}

/// The second account of a trial.
pub fn second(trial: &Trial) -> Account {
    trial.contract.accounts[1].clone()
}

/// Waits until a message whose bytes contain `marker` is in the account's INBOX, and returns it whole.
pub fn arrived(trial: &Trial, account: &Account, marker: &str) -> Vec<u8> {
    arrived_in(trial, account, "INBOX", marker)
}

/// The same for another mailbox.
pub fn arrived_in(trial: &Trial, account: &Account, mailbox: &str, marker: &str) -> Vec<u8> {
    program::eventually(ARRIVAL, &format!("{marker} in {mailbox} of {}", account.login), || {
        let mut client = imap::Client::login(trial, account).ok()?;
        client.ok(&format!("EXAMINE \"{mailbox}\"")).ok()?;
        client.messages().ok()?.into_iter().find(|message| contains(message, marker))
    })
}

/// Whether `bytes` contain `text`.
pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Writes a file below a folder and returns its path as text.
pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the file can be written");
    path.to_str().expect("a temporary path is UTF-8").to_owned()
}
