//! An open mailbox: one immutable value, shared by all its readers, replaced at each commit.

mod change;
mod chunk;

pub(crate) use change::Change;
pub use chunk::MessageRow;

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::counters::Counters;
use crate::message_row::Message;
use crate::{MailboxId, MailboxStatus, ModSeq, SystemFlag, Uid, UidSet, UidValidity};
use chunk::Chunk;

/// Expunges that a snapshot remembers; older ones are told by comparing uids.
pub(crate) const VANISHED_MAX: usize = 1_000;

/// Runs of uids in them.
pub(crate) const VANISHED_RUNS_MAX: usize = 20_000;

/// Bytes of one run of uids.
const RUN_BYTES: usize = 8;

/// The messages of a mailbox at one modseq. Borrow it for the length of a command: what it holds is not freed before.
#[derive(Debug, Clone)]
pub struct MailboxSnapshot {
    mailbox: MailboxId,
    uid_validity: UidValidity,
    counters: Counters,
    chunks: Vec<Chunk>,
    /// Messages before each chunk.
    starts: Vec<u32>,
    /// What was expunged at which modseq, ascending.
    vanished: Arc<Vec<(ModSeq, UidSet)>>,
    /// Runs of uids in `vanished`.
    vanished_runs: usize,
    /// `vanished` is complete above this modseq.
    vanished_floor: ModSeq,
}

/// The difference between a snapshot and an earlier modseq.
#[derive(Debug, Clone)]
pub struct Changes<'a> {
    /// Messages that are new or whose flags changed, ascending by uid.
    pub changed: Vec<MessageRow<'a>>,
    /// Uids that are gone; none when that is further back than the snapshot remembers, and the caller must compare
    /// the uids it knows with the snapshot's.
    pub vanished: Option<UidSet>,
}

impl MailboxSnapshot {
    /// The mailbox.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// The generation of uids.
    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// The uid that the next message gets.
    pub fn uid_next(&self) -> Uid {
        self.counters.uid_next
    }

    /// The modseq of the last change.
    pub fn modseq(&self) -> ModSeq {
        self.counters.modseq
    }

    /// How many messages there are.
    pub fn len(&self) -> u32 {
        self.counters.messages
    }

    /// True for a mailbox without messages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages lack `\Seen`.
    pub fn unseen(&self) -> u32 {
        self.counters.unseen
    }

    /// The message with this sequence number, counted from 1.
    pub fn row(&self, seqno: u32) -> Option<MessageRow<'_>> {
        let index = seqno.checked_sub(1)?;
        let chunk = self.starts.partition_point(|start| *start <= index).checked_sub(1)?;
        let at = (index - self.starts[chunk]) as usize;
        (at < self.chunks[chunk].len()).then(|| self.chunks[chunk].row(at, seqno))
    }

    /// The message with this uid.
    pub fn find(&self, uid: Uid) -> Option<MessageRow<'_>> {
        let (chunk, at) = self.place(uid)?;
        Some(self.row_at(chunk, at))
    }

    /// All messages, ascending.
    pub fn rows(&self) -> impl Iterator<Item = MessageRow<'_>> + '_ {
        self.rows_from(0, 0)
    }

    /// The messages with these sequence numbers; numbers beyond the last are left out.
    pub fn rows_in(&self, seqnos: RangeInclusive<u32>) -> impl Iterator<Item = MessageRow<'_>> + '_ {
        let (first, last) = ((*seqnos.start()).max(1), *seqnos.end());
        let chunk = self.starts.partition_point(|start| *start < first).saturating_sub(1);
        let at = self.starts.get(chunk).map_or(0, |start| (first - 1 - start) as usize);
        self.rows_from(chunk, at).take_while(move |row| row.seqno <= last)
    }

    /// The messages with these uids, ascending; uids without a message are left out.
    pub fn rows_of<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = MessageRow<'a>> + 'a {
        uids.runs().flat_map(|run| {
            let last = *run.end();
            self.rows_above(*run.start()).take_while(move |row| row.uid.number() <= last)
        })
    }

    /// The uids of all messages.
    pub fn uids(&self) -> UidSet {
        let mut uids = UidSet::new();
        self.rows().for_each(|row| uids.insert(row.uid));
        uids
    }

    /// The first message without `\Seen` (`UNSEEN`, RFC 3501 7.1).
    pub fn first_unseen(&self) -> Option<MessageRow<'_>> {
        if self.unseen() == 0 {
            return None;
        }
        self.rows().find(|row| !row.flags.has(SystemFlag::Seen))
    }

    /// What happened after `modseq`.
    pub fn changes_since(&self, modseq: ModSeq) -> Changes<'_> {
        let chunks = (0..self.chunks.len()).filter(|chunk| self.chunks[*chunk].modseq_max() > modseq);
        let rows = chunks.flat_map(|chunk| self.chunk_rows(chunk, 0));
        Changes {
            changed: rows.filter(|row| row.modseq > modseq).collect(),
            vanished: self.vanished_since(modseq),
        }
    }

    /// The numbers of the mailbox; `recent` counts messages from uid `recent_from` on.
    pub(crate) fn status(&self, recent_from: Uid) -> MailboxStatus {
        let recent = self.rows_above(recent_from.number()).count();
        self.counters.status(self.uid_validity, recent as u32)
    }

    /// Bytes of memory, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let rows: usize = self.chunks.iter().map(Chunk::memory_bytes).sum();
        let vanished = self.vanished.len() * size_of::<(ModSeq, UidSet)>() + self.vanished_runs * RUN_BYTES;
        rows + vanished + 256
    }

    fn vanished_since(&self, modseq: ModSeq) -> Option<UidSet> {
        if modseq < self.vanished_floor {
            return None;
        }
        let from = self.vanished.partition_point(|(at, _)| *at <= modseq);
        Some(self.vanished[from..].iter().flat_map(|(_, uids)| uids.iter()).collect())
    }

    fn place(&self, uid: Uid) -> Option<(usize, usize)> {
        let chunk = self.chunk_of(uid);
        Some((chunk, self.chunks.get(chunk)?.find(uid)?))
    }

    /// The first chunk that could hold `uid`.
    fn chunk_of(&self, uid: Uid) -> usize {
        self.chunks.partition_point(|chunk| chunk.last_uid() < Some(uid))
    }

    fn row_at(&self, chunk: usize, at: usize) -> MessageRow<'_> {
        self.chunks[chunk].row(at, self.starts[chunk] + at as u32 + 1)
    }

    fn chunk_rows(&self, chunk: usize, at: usize) -> impl Iterator<Item = MessageRow<'_>> + '_ {
        (at..self.chunks[chunk].len()).map(move |at| self.row_at(chunk, at))
    }

    fn rows_from(&self, chunk: usize, at: usize) -> impl Iterator<Item = MessageRow<'_>> + '_ {
        let from = move |index: usize| if index == chunk { at } else { 0 };
        (chunk..self.chunks.len()).flat_map(move |index| self.chunk_rows(index, from(index)))
    }

    /// Messages with `number` and higher uids.
    fn rows_above(&self, number: u32) -> impl Iterator<Item = MessageRow<'_>> + '_ {
        let uid = Uid::new(number).unwrap_or(Uid::FIRST);
        let chunk = self.chunk_of(uid);
        let at = self.chunks.get(chunk).map_or(0, |chunk| chunk.lower_bound(uid));
        self.rows_from(chunk, at)
    }
}

/// Builds and changes snapshots; the only place where one is written.
impl MailboxSnapshot {
    /// A snapshot of the messages of a mailbox, ascending by uid.
    pub(crate) fn new(
        mailbox: MailboxId,
        uid_validity: UidValidity,
        counters: Counters,
        messages: impl IntoIterator<Item = Message>,
    ) -> Self {
        let vanished_floor = counters.modseq;
        let mut snapshot = Self {
            mailbox,
            uid_validity,
            counters,
            chunks: Vec::new(),
            starts: Vec::new(),
            vanished: Arc::default(),
            vanished_runs: 0,
            vanished_floor,
        };
        messages.into_iter().for_each(|message| snapshot.push(message));
        snapshot.renumber();
        snapshot
    }

    /// Remembers earlier expunges, ascending and complete above `floor`.
    pub(crate) fn remembering(mut self, vanished: Vec<(ModSeq, UidSet)>, floor: ModSeq) -> Self {
        self.vanished_runs = runs(&vanished);
        self.vanished = Arc::new(vanished);
        self.vanished_floor = floor;
        self
    }

    /// Applies one committed change; unchanged chunks stay shared with the snapshot that this was cloned from.
    pub(crate) fn apply(&mut self, change: &Change, counters: Counters) {
        match change {
            Change::Append(messages) => messages.iter().for_each(|message| self.push(message.clone())),
            Change::Flags(groups) => {
                groups.iter().for_each(|(flags, uids)| self.flags_set(flags, uids, counters.modseq));
            }
            Change::Expunge(uids) => self.remove(uids, counters.modseq),
        }
        self.counters = counters;
        self.renumber();
    }

    /// Applies those changes that the snapshot does not show yet.
    pub(crate) fn apply_newer(&mut self, changes: &[(Change, Counters)]) {
        for (change, counters) in changes {
            if counters.modseq > self.modseq() {
                self.apply(change, *counters);
            }
        }
    }

    fn push(&mut self, message: Message) {
        match self.chunks.last_mut() {
            Some(chunk) if !chunk.is_full() => chunk.push(message),
            _ => {
                let mut chunk = Chunk::default();
                chunk.push(message);
                self.chunks.push(chunk);
            }
        }
    }

    fn flags_set(&mut self, flags: &crate::Flags, uids: &UidSet, modseq: ModSeq) {
        for uid in uids.iter() {
            if let Some((chunk, at)) = self.place(uid) {
                self.chunks[chunk].flags_set(at, flags.clone(), modseq);
            }
        }
    }

    fn remove(&mut self, uids: &UidSet, modseq: ModSeq) {
        let mut kept: Vec<Chunk> = Vec::with_capacity(self.chunks.len());
        let mut after = None;
        for chunk in std::mem::take(&mut self.chunks) {
            let touched = uids.meets(after, chunk.last_uid());
            after = chunk.last_uid();
            let rest = if touched { chunk.without(|uid| uids.contains(uid)) } else { chunk };
            match kept.last_mut() {
                _ if rest.len() == 0 => {}
                Some(previous) if previous.wants(&rest) => previous.join(&rest),
                _ => kept.push(rest),
            }
        }
        self.chunks = kept;
        self.vanished_add(modseq, uids.clone());
    }

    fn vanished_add(&mut self, modseq: ModSeq, uids: UidSet) {
        let vanished = Arc::make_mut(&mut self.vanished);
        self.vanished_runs += uids.runs().count();
        vanished.push((modseq, uids));
        while vanished.len() > VANISHED_MAX || self.vanished_runs > VANISHED_RUNS_MAX {
            let dropped = vanished.drain(..vanished.len().div_ceil(2)).map(|(at, _)| at).max();
            self.vanished_floor = dropped.unwrap_or(self.vanished_floor);
            self.vanished_runs = runs(vanished);
        }
    }

    fn renumber(&mut self) {
        let mut start = 0;
        self.starts.clear();
        for chunk in &self.chunks {
            self.starts.push(start);
            start += chunk.len() as u32;
        }
    }
}

fn runs(vanished: &[(ModSeq, UidSet)]) -> usize {
    vanished.iter().map(|(_, uids)| uids.runs().count()).sum()
}

#[cfg(test)]
mod tests;
