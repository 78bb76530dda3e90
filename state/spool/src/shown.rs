//! The queue as operators see it.

use address::{Address, ReversePath};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::outcome::Diagnostic;
use crate::queue_id::QueueId;
use crate::routed::{NextHop, Origin};

/// What has become of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateShown {
    /// It waits for its first attempt.
    Queued,
    /// It waits for another attempt.
    Deferred,
    /// It was delivered or relayed.
    Delivered,
    /// It failed for good; the sender was told if it wanted to be.
    Failed,
    /// Others have taken its place.
    Expanded,
}

/// One recipient of a message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientShown {
    /// The address that the sender gave.
    pub address: Address,
    /// The address that goes into RCPT, where an alias has made another of it.
    pub rewritten: Option<Address>,
    /// Where it goes next.
    pub next_hop: NextHop,
    /// What has become of it.
    pub state: StateShown,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next attempt is due.
    pub next: Option<Timestamp>,
    /// What the last attempt heard.
    pub last: Option<Diagnostic>,
}

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its name.
    pub queue_id: QueueId,
    /// Where it came from.
    pub origin: Origin,
    /// Its sender.
    pub reverse_path: ReversePath,
    /// Its `Message-ID` field.
    pub message_id: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why it is held, if it is.
    pub held: Option<String>,
    /// Workers that broke on it.
    pub strikes: u32,
    /// Its recipients.
    pub recipients: Vec<RecipientShown>,
}

/// The queue in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpoolStat {
    /// Messages.
    pub messages: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Messages held.
    pub held: u64,
    /// Recipients that wait for their first attempt.
    pub queued: u64,
    /// Recipients that wait for another attempt.
    pub deferred: u64,
    /// Recipients that a worker tries now.
    pub claimed: u64,
}
