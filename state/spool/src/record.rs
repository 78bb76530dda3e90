//! The records of the spool's journal.
//!
//! | kind | record | content |
//! |---|---|---|
//! | 1 | body | a message body, plain or packed with lz4; of class body |
//! | 2 | message | a new message: all of its entry and its audit notes; its body is the record before, or a file |
//! | 3 | progress | what attempts made of recipients; recipients that took the place of others |
//! | 4 | adjust | held or not, strikes, when to try next |
//! | 5 | delete | an operator's decision |
//!
//! All but bodies begin with the format version and the queue id, and end with the audit notes of what they do. They say
//! how things are, not how they change, so that applying one twice changes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::audit::AuditNote;
use crate::entry::{Copy, Entry, Progress, State};
use crate::queue_id::QueueId;

pub(crate) const BODY: u16 = 1;
pub(crate) const MESSAGE: u16 = 2;
pub(crate) const PROGRESS: u16 = 3;
pub(crate) const ADJUST: u16 = 4;
pub(crate) const DELETE: u16 = 5;

/// What a record says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub queue_id: QueueId,
    pub what: What,
    pub notes: Vec<AuditNote>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Message(Box<Entry>),
    Progressed(Progressed),
    Adjusted(Adjusted),
    Deleted,
}

/// What attempts made of recipients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Progressed {
    /// By the recipient's number.
    pub changed: Vec<(u32, Progress)>,
    /// The number of the first recipient added.
    pub added_at: u32,
    pub added: Vec<Copy>,
}

/// What an operator, or a broken worker, made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adjusted {
    pub held: Option<String>,
    pub strikes: u32,
    /// When all recipients that wait are due, if that changes.
    pub next: Option<Timestamp>,
}

impl What {
    pub fn kind(&self) -> u16 {
        match self {
            Self::Message(_) => MESSAGE,
            Self::Progressed(_) => PROGRESS,
            Self::Adjusted(_) => ADJUST,
            Self::Deleted => DELETE,
        }
    }

    /// The entry as the record makes it; none if nothing is left of it. The same live, staged and in replay.
    pub fn apply(&self, entry: Option<Entry>) -> Option<Entry> {
        match self {
            Self::Message(entry) => Some((**entry).clone()),
            Self::Deleted => None,
            Self::Progressed(progressed) => entry.map(|entry| progressed.apply(entry)),
            Self::Adjusted(adjusted) => entry.map(|entry| adjusted.apply(entry)),
        }
        .filter(|entry| !entry.is_finished())
    }
}

impl What {
    /// The numbers of the recipients that the record changes or makes, given the entry as it leaves it.
    pub fn touched(&self, entry: &Entry) -> Vec<u32> {
        let all = 0..entry.recipients.len() as u32;
        let is_pending = |index: &u32| entry.recipients[*index as usize].is_pending();
        match self {
            Self::Message(_) => all.collect(),
            Self::Progressed(progressed) => {
                let changed = progressed.changed.iter().map(|(index, _)| *index);
                changed.filter(|index| all.contains(index)).chain(progressed.added_at..all.end).collect()
            }
            Self::Adjusted(adjusted) if adjusted.next.is_some() => all.filter(is_pending).collect(),
            Self::Adjusted(_) | Self::Deleted => Vec::new(),
        }
    }
}

impl Progressed {
    /// Whether nothing is left to do for the message then.
    pub fn finishes(&self, entry: &Entry) -> bool {
        let is_done = |(_, progress): &&(u32, Progress)| progress.state != State::Pending;
        let done: HashSet<_> =
            self.changed.iter().filter(is_done).map(|(index, _)| *index as usize).collect();
        let mut recipients = entry.recipients.iter().enumerate();
        let finished = recipients.all(|(index, copy)| !copy.is_pending() || done.contains(&index));
        finished && !self.added.iter().any(Copy::is_pending)
    }

    fn apply(&self, mut entry: Entry) -> Entry {
        for (index, progress) in &self.changed {
            if let Some(copy) = entry.recipients.get_mut(*index as usize) {
                Arc::make_mut(copy).progress = progress.clone();
            }
        }
        let known = (entry.recipients.len()).saturating_sub(self.added_at as usize);
        entry.recipients.extend(self.added.iter().skip(known).cloned().map(Arc::new));
        entry
    }
}

impl Adjusted {
    fn apply(&self, mut entry: Entry) -> Entry {
        entry.held = self.held.clone();
        entry.strikes = self.strikes;
        if let Some(next) = self.next {
            entry
                .recipients
                .iter_mut()
                .filter(|copy| copy.is_pending())
                .for_each(|copy| Arc::make_mut(copy).progress.next = next);
        }
        entry
    }
}
