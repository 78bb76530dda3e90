//! What goes over the socket, beside the types of `directory` and `spool`.

use address::{AccountName, Address, Domain};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use spool::{QueueId, SpoolStat};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A domain to be added.
#[derive(Debug, Serialize, Deserialize)]
pub struct DomainNew {
    /// Its name.
    pub domain: Domain,
}

/// Who answers for a domain.
#[derive(Debug, Serialize, Deserialize)]
pub struct PostmasterNew {
    /// The account; none: the oldest administrator.
    pub account: Option<AccountName>,
}

/// An account to be added.
#[derive(Serialize, Deserialize)]
pub struct AccountNew {
    /// Its name.
    pub account: AccountName,
    /// Its password; none: nobody can log in until it gets one.
    pub password: Option<String>,
    /// Whether it is an administrator's.
    pub admin: bool,
}

/// A password to be set.
#[derive(Serialize, Deserialize)]
pub struct PasswordNew {
    /// In clear; it does not leave the host.
    pub password: String,
}

/// An address to be added.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddressNew {
    /// The address.
    pub address: Address,
    /// Where its mail goes.
    pub targets: Vec<Address>,
}

/// Why a message is held.
#[derive(Debug, Serialize, Deserialize)]
pub struct HoldReason {
    /// Shown beside the message.
    pub reason: String,
}

/// The ways of the messages that a trace has found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trace {
    /// All steps, oldest first.
    pub events: Vec<TraceStep>,
}

/// One step of a message's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    /// When; the mail store keeps seconds.
    pub time: Timestamp,
    /// The message's name in the queue, for what the spool knows.
    pub queue_id: Option<QueueId>,
    /// Who says so: `mx`, `relay`, `spool`, `mailstore`, ...
    pub role: String,
    /// The session's id, as in the logs.
    pub session: Option<String>,
    /// What happened, in one word.
    pub event: String,
    /// The rest in words.
    pub text: String,
    /// The store that the fact was read from, with the record: `spool record 17`.
    pub source: String,
}

/// A store on its disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Its name: `spool`, `mailstore`, `directory`.
    pub store: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Segments of its journal.
    pub segments: u64,
    /// Bytes of those.
    pub journal_bytes: u64,
    /// Ranges of records that compaction has made room of.
    pub gaps: u64,
    /// Bytes free on its disk.
    pub free_bytes: u64,
    /// Whether that is so little that no mail is taken.
    pub is_space_low: bool,
}

/// What a check of one store found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreCheck {
    /// The store.
    pub store: String,
    /// What was looked at, in words.
    pub checked: String,
    /// What is not as it should be; each names what is damaged.
    pub findings: Vec<String>,
    /// Whether the view was made again and is sound now.
    pub repaired: bool,
}

impl StoreCheck {
    /// Whether nothing is wrong any more.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() || self.repaired
    }
}

/// What runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// The version of the program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Each role and whether it is ready.
    pub roles: String,
    /// Each listener and its address.
    pub listeners: BTreeMap<String, String>,
    /// The queue in numbers, where this process has it.
    pub spool: Option<SpoolStat>,
    /// The stores that this process has.
    pub stores: Vec<StoreStatus>,
}

/// What a reload did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Options whose new value is in force.
    pub applied: Vec<String>,
    /// Options whose new value waits for a restart.
    pub restart: Vec<String>,
}

/// A backup that can be copied now. What it lists stays in place as long as it is asked for, at least once a minute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BackupBegun {
    /// Its name for renewing and ending it.
    pub id: String,
    /// The stores, in the order in which they are to be copied.
    pub stores: Vec<StoreFiles>,
}

/// The files of a store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreFiles {
    /// The store; also the name of its directory in the data directory.
    pub store: String,
    /// The files that make it up.
    pub files: Vec<StoreFile>,
}

/// A file of a store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreFile {
    /// Its name from the store's directory on.
    pub name: String,
    /// Its bytes that count.
    pub bytes: u64,
    /// Whether it never changes.
    pub sealed: bool,
}

/// Where a message is brought back to, and how it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestoredInto {
    /// The mailbox of the account, with `/` in between.
    pub mailbox: String,
    /// Its flags as they stand on the wire, with spaces in between.
    pub flags: String,
    /// Its internal date, in seconds since 1970.
    pub internal_date: i64,
    /// Its id.
    pub email_id: String,
}

/// A message that was brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageRestored {
    /// Its uid.
    pub uid: u32,
}
