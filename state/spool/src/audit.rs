//! The audit: what happened to a message, when, and who says so.

use compact_str::CompactString;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::queue_id::QueueId;

/// What kind of thing happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum AuditEvent {
    /// It came in.
    Received = 1,
    /// A filter looked at it.
    Filtered = 2,
    /// It was decided where it goes.
    Routed = 3,
    /// It was made durable here.
    Accepted = 4,
    /// It was delivered to a mailbox.
    Delivered = 5,
    /// Another MTA took it.
    Relayed = 6,
    /// An attempt failed for now.
    Deferred = 7,
    /// It failed for good.
    Failed = 8,
    /// A recipient was replaced by others.
    Expanded = 9,
    /// The sender was told.
    Reported = 10,
    /// It was held.
    Held = 11,
    /// It was let go on.
    Released = 12,
    /// An operator deleted it.
    Deleted = 13,
    /// A worker broke on it.
    Struck = 14,
    /// Nothing is left to do for it.
    Finished = 15,
    /// The sender should have been told, and the report could not be written.
    Unreported = 16,
}

impl AuditEvent {
    const ALL: [Self; 16] = [
        Self::Received,
        Self::Filtered,
        Self::Routed,
        Self::Accepted,
        Self::Delivered,
        Self::Relayed,
        Self::Deferred,
        Self::Failed,
        Self::Expanded,
        Self::Reported,
        Self::Held,
        Self::Released,
        Self::Deleted,
        Self::Struck,
        Self::Finished,
        Self::Unreported,
    ];

    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|event| *event as u8 == number)
    }
}

/// One fact for the audit, written in the frame that makes it true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditNote {
    /// When.
    pub time: Timestamp,
    /// Who says so: `mx`, `filter`, `route`, `relay`, `spool`, `operator`.
    pub role: CompactString,
    /// The session's id, as in the logs.
    pub session: Option<CompactString>,
    /// What happened.
    pub event: AuditEvent,
    /// The rest in words: recipient, remote host, reply.
    pub text: String,
}

/// One step of a message's way, as `tartan trace` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceEvent {
    /// When.
    pub time: Timestamp,
    /// The message.
    pub queue_id: QueueId,
    /// Who says so.
    pub role: String,
    /// The session's id, as in the logs.
    pub session: Option<String>,
    /// What happened.
    pub event: AuditEvent,
    /// The rest in words.
    pub text: String,
    /// The store that the fact was read from, with the record: `spool record 17`.
    pub source: String,
}
