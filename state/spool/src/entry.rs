//! A message in the queue, as memory and the view hold it.

use std::sync::Arc;
use std::time::Duration;

use address::{MailParams, ReversePath};
use compact_str::CompactString;
use jiff::Timestamp;
use journal::Place;

use crate::outcome::Diagnostic;
use crate::queue_id::QueueId;
use crate::routed::{NextHop, Origin, Route};
use crate::shown::{RecipientShown, Shown, StateShown};

/// A message in the queue. A clone shares its recipients, of which a change copies the one that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub queue_id: QueueId,
    pub origin: Origin,
    pub reverse_path: ReversePath,
    pub params: MailParams,
    pub bytes: u64,
    pub message_id: Option<CompactString>,
    pub body: Stored,
    pub recipients: Vec<Arc<Copy>>,
    pub held: Option<String>,
    pub strikes: u32,
}

/// Where a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// In the journal. The place is known once the record is written.
    Journal(Packing, Option<Place>),
    /// In a file of its own, named by the queue id.
    File,
}

/// How a body in the journal is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Lz4,
}

/// The copy for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub route: Route,
    pub progress: Progress,
}

/// How far a copy has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub state: State,
    pub attempts: u32,
    /// When the next attempt is due.
    pub next: Timestamp,
    pub last: Option<Diagnostic>,
    /// The sender has heard that it waits, or did not want to.
    pub delay_reported: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Delivered,
    Failed,
    Expanded,
}

impl Copy {
    /// A copy that is due at `now`.
    pub fn new(route: Route, now: Timestamp) -> Self {
        let progress =
            Progress { state: State::Pending, attempts: 0, next: now, last: None, delay_reported: false };
        Self { route, progress }
    }

    pub fn is_pending(&self) -> bool {
        self.progress.state == State::Pending
    }

    fn shown(&self) -> RecipientShown {
        let Progress { state, attempts, next, last, .. } = self.progress.clone();
        RecipientShown {
            address: self.route.recipient.address.clone(),
            rewritten: self.route.rewritten.clone(),
            next_hop: self.route.next_hop.clone(),
            state: state.shown(attempts),
            attempts,
            next: self.is_pending().then_some(next),
            last,
        }
    }
}

impl State {
    fn shown(self, attempts: u32) -> StateShown {
        match self {
            Self::Pending if attempts == 0 => StateShown::Queued,
            Self::Pending => StateShown::Deferred,
            Self::Delivered => StateShown::Delivered,
            Self::Failed => StateShown::Failed,
            Self::Expanded => StateShown::Expanded,
        }
    }
}

impl Entry {
    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        !self.recipients.iter().any(|copy| copy.is_pending())
    }

    /// When it is given back, if it has not been delivered by then.
    pub fn expires(&self, expire_after: Duration) -> Timestamp {
        later(self.origin.arrival, expire_after)
    }

    pub fn shown(&self) -> Shown {
        Shown {
            queue_id: self.queue_id,
            origin: self.origin.clone(),
            reverse_path: self.reverse_path.clone(),
            message_id: self.message_id.as_ref().map(ToString::to_string),
            bytes: self.bytes,
            held: self.held.clone(),
            strikes: self.strikes,
            recipients: self.recipients.iter().map(|copy| copy.shown()).collect(),
        }
    }
}

impl NextHop {
    /// Whether one transaction can carry copies for both.
    pub(crate) fn is_one_with(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Local { .. }, Self::Local { .. })) || self == other
    }
}

/// A time after another; the end of time if there is none.
pub(crate) fn later(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
