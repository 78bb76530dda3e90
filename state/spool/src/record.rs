//! The records of the spool's journal.
//!
//! | kind | record | content |
//! |---|---|---|
//! | 1 | body | a message body, plain or packed with lz4; of class body |
//! | 2 | message | all of a message's entry, new or said anew; its body is the record before, where it says, or a file |
//! | 3 | progress | what attempts made of recipients; recipients that took the place of others |
//! | 4 | adjust | held or not, strikes, when to try next |
//! | 5 | delete | an operator's decision; without notes, what compaction says of a message that is gone |
//! | 6 | notes | audit notes said anew, each with the record that it came with, and the `Message-ID` |
//! | 7 | forget | the audit notes of a message are over; all of them, those named and those that the view has |
//!
//! All but bodies begin with the format version and the queue id; 2 to 5 end with the audit notes of what they do. They
//! say how things are, not how they change, so that applying one twice changes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use compact_str::CompactString;
use journal::{DecodeError, Lsn, Record};

use crate::audit::AuditNote;
use crate::codec;
use crate::entry::{Copy, Entry, Progress, State};
use crate::queue_id::QueueId;

pub(crate) const BODY: u16 = 1;
pub(crate) const MESSAGE: u16 = 2;
pub(crate) const PROGRESS: u16 = 3;
pub(crate) const ADJUST: u16 = 4;
pub(crate) const DELETE: u16 = 5;
pub(crate) const NOTES: u16 = 6;
pub(crate) const FORGET: u16 = 7;

/// A record that is no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    Said(Said),
    Noted(Noted),
    Forgotten(Forgotten),
}

/// Audit notes said anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    pub queue_id: QueueId,
    pub message_id: Option<CompactString>,
    pub notes: Vec<(NotePlace, AuditNote)>,
}

/// Audit notes that are over. Which they are is said too, because those of the same frame are not in the view yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Forgotten {
    pub queue_id: QueueId,
    pub message_id: Option<CompactString>,
    pub notes: Vec<NotePlace>,
}

/// What an audit note came with: the record, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotePlace {
    pub lsn: Lsn,
    pub number: u16,
}

impl Statement {
    /// Reads a record; none for a kind that is not known.
    pub fn decode(record: &Record) -> Result<Option<Self>, DecodeError> {
        Ok(match record.kind {
            NOTES => Some(Self::Noted(codec::noted_decode(&record.bytes)?)),
            FORGET => Some(Self::Forgotten(codec::forgotten_decode(&record.bytes)?)),
            kind => codec::said_decode(kind, &record.bytes)?.map(Self::Said),
        })
    }

    pub fn record(&self) -> Record {
        match self {
            Self::Said(said) => Record::state(said.what.kind(), codec::said_encode(said)),
            Self::Noted(noted) => Record::state(NOTES, codec::noted_encode(noted)),
            Self::Forgotten(forgotten) => Record::state(FORGET, codec::forgotten_encode(forgotten)),
        }
    }
}

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
