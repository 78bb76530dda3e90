//! The messages of the selected mailbox as this session's client knows them.
//!
//! RFC 3501 7.4.1 forbids to renumber messages while a command that names them by sequence number runs, so a
//! session cannot number messages by the store's newest snapshot: it keeps its own list of uids. The list is
//! held as runs of consecutive uids, so that a mailbox of a million messages costs a few bytes.

use imap::SequenceSet;

/// One message, under both its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) seq: u32,
    pub(crate) uid: u32,
}

/// `count` messages with consecutive uids and, of course, consecutive sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    seq: u32,
    uid: u32,
    count: u32,
}

impl Run {
    fn last_uid(&self) -> u32 {
        self.uid + (self.count - 1)
    }

    fn last_seq(&self) -> u32 {
        self.seq + (self.count - 1)
    }

    fn messages(self) -> impl Iterator<Item = Numbered> {
        (0..self.count).map(move |i| Numbered { seq: self.seq + i, uid: self.uid + i })
    }
}

/// A sequence set names a message that the mailbox does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSuchMessage;

/// Uids in ascending order; the n-th is the message with sequence number n.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UidRuns {
    runs: Vec<Run>,
}

impl UidRuns {
    pub(crate) fn len(&self) -> u32 {
        self.runs.last().map_or(0, Run::last_seq)
    }

    pub(crate) fn last_uid(&self) -> Option<u32> {
        self.runs.last().map(Run::last_uid)
    }

    /// Adds the newest message; a uid that is not above all others is one that the list has, and ignored.
    pub(crate) fn push(&mut self, uid: u32) {
        match self.runs.last_mut() {
            Some(run) if uid <= run.last_uid() => {}
            Some(run) if uid == run.last_uid() + 1 => run.count += 1,
            _ => {
                let seq = self.len() + 1;
                self.runs.push(Run { seq, uid, count: 1 });
            }
        }
    }

    pub(crate) fn seq_of(&self, uid: u32) -> Option<u32> {
        let at = self.runs.partition_point(|run| run.last_uid() < uid);
        let run = self.runs.get(at)?;
        (run.uid <= uid).then(|| run.seq + (uid - run.uid))
    }

    pub(crate) fn uid_at(&self, seq: u32) -> Option<u32> {
        let at = self.runs.partition_point(|run| run.last_seq() < seq);
        let run = self.runs.get(at)?;
        (run.seq <= seq).then(|| run.uid + (seq - run.seq))
    }

    pub(crate) fn contains(&self, uid: u32) -> bool {
        self.seq_of(uid).is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Numbered> + '_ {
        self.runs.iter().flat_map(|run| run.messages())
    }

    /// Removes what `gone` says of a uid; the sequence numbers that they had, ascending.
    pub(crate) fn remove_where(&mut self, mut gone: impl FnMut(u32) -> bool) -> Vec<u32> {
        let mut kept = Self::default();
        let mut removed = Vec::new();
        for message in self.iter() {
            if gone(message.uid) {
                removed.push(message.seq);
            } else {
                kept.push(message.uid);
            }
        }
        if !removed.is_empty() {
            *self = kept;
        }
        removed
    }

    /// How many uids lie from `from` on and below `until`.
    pub(crate) fn count_between(&self, from: u32, until: u32) -> u32 {
        self.runs
            .iter()
            .map(|run| run.last_uid().saturating_add(1).min(until).saturating_sub(run.uid.max(from)))
            .sum()
    }

    /// The messages that a set of sequence numbers names, ascending, each once. A number beyond the last
    /// message is an error (RFC 3501 9, seq-number); `*` in an empty mailbox names nothing.
    pub(crate) fn by_sequence(&self, set: &SequenceSet) -> Result<Vec<Numbered>, NoSuchMessage> {
        if set.max(self.len()) > self.len() && !(self.len() == 0 && only_everything(set)) {
            return Err(NoSuchMessage);
        }
        Ok(self.pick(set, self.len(), |run| (run.seq, run.last_seq())))
    }

    /// The messages that a set of uids names, ascending, each once. Unknown uids are no error
    /// (RFC 3501 6.4.8).
    pub(crate) fn by_uid(&self, set: &SequenceSet) -> Vec<Numbered> {
        self.pick(set, self.last_uid().unwrap_or(0), |run| (run.uid, run.last_uid()))
    }

    fn pick(&self, set: &SequenceSet, last: u32, span: impl Fn(&Run) -> (u32, u32)) -> Vec<Numbered> {
        let mut picked = Vec::new();
        for range in set.ranges(last) {
            let (low, high) = range.into_inner();
            let from = self.runs.partition_point(|run| span(run).1 < low);
            for run in self.runs[from..].iter().take_while(|run| span(run).0 <= high) {
                let (first, end) = span(run);
                let skip = low.saturating_sub(first);
                let take = high.min(end) - first - skip + 1;
                picked.extend(run.messages().skip(skip as usize).take(take as usize));
            }
        }
        picked
    }
}

/// `1:*`, which clients send without knowing that the mailbox is empty.
fn only_everything(set: &SequenceSet) -> bool {
    set.to_string() == "1:*"
}
