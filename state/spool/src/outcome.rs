//! What came of an attempt.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::queue_id::QueueId;
use crate::routed::Route;

/// What another host said, or what kept us from asking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The host that said it; none if no host was reached.
    pub remote: Option<CompactString>,
    /// The reply code; none if there was no reply.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463 2), from the reply or ours: `4.4.1`.
    pub status: CompactString,
    /// The reply's text, its lines joined by spaces, or the reason in words.
    pub text: String,
}

/// How a recipient's copy was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is in the recipient's mailbox (LMTP).
    Final,
    /// Another MTA has taken it and knows the DSN extension: further reports are its duty (RFC 3461 5.2.1).
    Relayed,
    /// Another MTA has taken it that knows no DSN: a wish for a success report ends here (RFC 3461 5.2.2).
    RelayedWithoutDsn,
}

/// What an attempt made of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It was taken.
    Delivered(Delivery, Diagnostic),
    /// Not now.
    Deferred(Diagnostic),
    /// The worker that was to deliver it broke on it: not now, and the message has a strike.
    Crashed(Diagnostic),
    /// Not ever.
    Failed(Diagnostic),
    /// The recipient is replaced by these, which are due at once. Not empty.
    Expanded(Vec<Route>),
}

/// What an attempt made of one recipient of a [`crate::Due`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// [`crate::DueRecipient::index`].
    pub index: u32,
    /// What came of it.
    pub attempt: Attempt,
    /// The session that tried it, as in the logs.
    pub session: Option<CompactString>,
}

impl Outcome {
    /// What came of a recipient, in no session yet.
    pub fn new(index: u32, attempt: Attempt) -> Self {
        Self { index, attempt, session: None }
    }
}

/// What [`crate::Spool::complete`] has made durable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completed {
    /// Nothing is left to do for the message.
    pub finished: bool,
    /// The reports that were queued.
    pub reports: Vec<QueueId>,
}
