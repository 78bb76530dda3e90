//! A few hundred messages as columns.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use crate::message_row::Message;
use crate::{BodyId, EmailId, Flags, ModSeq, ThreadId, Uid};

/// Rows in a full chunk. A commit copies the chunks that it changes, so a larger one makes commits dearer.
pub(super) const CHUNK_ROWS: usize = 256;

/// Rows below which a chunk is joined to its neighbour after an expunge.
const CHUNK_ROWS_FEW: usize = CHUNK_ROWS / 4;

/// Bytes that one row takes, without keywords.
const ROW_BYTES: usize = 92;

/// Messages in ascending order of uid. What never changes and what STORE changes are shared apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    fixed: Arc<Fixed>,
    state: Arc<State>,
}

#[derive(Debug, Clone, Default)]
struct Fixed {
    uid: Vec<Uid>,
    internal_date: Vec<i64>,
    save_date: Vec<i64>,
    size: Vec<u64>,
    body: Vec<BodyId>,
    email_id: Vec<EmailId>,
    thread_id: Vec<ThreadId>,
}

#[derive(Debug, Clone, Default)]
struct State {
    modseq: Vec<ModSeq>,
    flags: Vec<Flags>,
    /// The largest modseq that any row ever had.
    modseq_max: ModSeq,
    /// Counted when it is asked for, after a change.
    keyword_bytes: OnceLock<usize>,
}

/// One message of a snapshot, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub struct MessageRow<'a> {
    /// Sequence number in this snapshot, from 1.
    pub seqno: u32,
    /// Uid.
    pub uid: Uid,
    /// When the message was last changed.
    pub modseq: ModSeq,
    /// Flags, without `\Recent`.
    pub flags: &'a Flags,
    /// Internal date, seconds since 1970.
    pub internal_date: i64,
    /// When the message came into this mailbox (RFC 8514), seconds since 1970.
    pub save_date: i64,
    /// Bytes of the message in wire form.
    pub size: u64,
    /// The body.
    pub body: BodyId,
    /// The message's id in every mailbox.
    pub email_id: EmailId,
    /// Its conversation.
    pub thread_id: ThreadId,
}

impl MessageRow<'_> {
    /// The same, owned.
    pub(crate) fn message(&self) -> Message {
        Message {
            uid: self.uid,
            modseq: self.modseq,
            flags: self.flags.clone(),
            internal_date: self.internal_date,
            save_date: self.save_date,
            size: self.size,
            body: self.body,
            email_id: self.email_id,
            thread_id: self.thread_id,
        }
    }
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.fixed.uid.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= CHUNK_ROWS
    }

    pub(super) fn last_uid(&self) -> Option<Uid> {
        self.fixed.uid.last().copied()
    }

    pub(super) fn modseq_max(&self) -> ModSeq {
        self.state.modseq_max
    }

    /// Bytes of memory, about; keywords that rows share are counted once.
    pub(super) fn memory_bytes(&self) -> usize {
        self.len() * ROW_BYTES + *self.state.keyword_bytes.get_or_init(|| self.state.keyword_bytes_count())
    }

    /// The place of a uid in the chunk.
    pub(super) fn find(&self, uid: Uid) -> Option<usize> {
        self.fixed.uid.binary_search(&uid).ok()
    }

    /// The place of the first uid that is not below `uid`.
    pub(super) fn lower_bound(&self, uid: Uid) -> usize {
        self.fixed.uid.partition_point(|own| *own < uid)
    }

    pub(super) fn row(&self, at: usize, seqno: u32) -> MessageRow<'_> {
        MessageRow {
            seqno,
            uid: self.fixed.uid[at],
            modseq: self.state.modseq[at],
            flags: &self.state.flags[at],
            internal_date: self.fixed.internal_date[at],
            save_date: self.fixed.save_date[at],
            size: self.fixed.size[at],
            body: self.fixed.body[at],
            email_id: self.fixed.email_id[at],
            thread_id: self.fixed.thread_id[at],
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        let fixed = Arc::make_mut(&mut self.fixed);
        fixed.uid.push(message.uid);
        fixed.internal_date.push(message.internal_date);
        fixed.save_date.push(message.save_date);
        fixed.size.push(message.size);
        fixed.body.push(message.body);
        fixed.email_id.push(message.email_id);
        fixed.thread_id.push(message.thread_id);
        Arc::make_mut(&mut self.state).push(message.modseq, message.flags);
    }

    pub(super) fn flags_set(&mut self, at: usize, flags: Flags, modseq: ModSeq) {
        let state = Arc::make_mut(&mut self.state);
        state.flags[at] = flags;
        state.modseq[at] = modseq;
        state.keyword_bytes.take();
        state.modseq_max = state.modseq_max.max(modseq);
    }

    /// The chunk without the rows that `gone` names.
    pub(super) fn without(&self, gone: impl Fn(Uid) -> bool) -> Chunk {
        let mut rest = Chunk::default();
        (0..self.len()).filter(|at| !gone(self.fixed.uid[*at])).for_each(|at| rest.push(self.message(at)));
        rest
    }

    /// Whether an expunge has left so little that `next` should be joined to this chunk.
    pub(super) fn wants(&self, next: &Chunk) -> bool {
        let few = self.len().min(next.len()) < CHUNK_ROWS_FEW;
        few && self.len() + next.len() <= CHUNK_ROWS
    }

    pub(super) fn join(&mut self, next: &Chunk) {
        (0..next.len()).for_each(|at| self.push(next.message(at)));
    }

    #[cfg(test)]
    pub(super) fn shares_fixed(&self, other: &Chunk) -> bool {
        Arc::ptr_eq(&self.fixed, &other.fixed)
    }

    #[cfg(test)]
    pub(super) fn shares_state(&self, other: &Chunk) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    fn message(&self, at: usize) -> Message {
        self.row(at, 0).message()
    }
}

impl State {
    fn keyword_bytes_count(&self) -> usize {
        let mut known = HashSet::new();
        let first = |flags: &&Flags| flags.keywords_at().is_some_and(|at| known.insert(at));
        self.flags.iter().filter(first).map(Flags::keyword_bytes).sum()
    }

    fn push(&mut self, modseq: ModSeq, flags: Flags) {
        self.keyword_bytes.take();
        self.modseq.push(modseq);
        self.flags.push(flags);
        self.modseq_max = self.modseq_max.max(modseq);
    }
}
