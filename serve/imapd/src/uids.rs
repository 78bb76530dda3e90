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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn runs(uids: impl IntoIterator<Item = u32>) -> UidRuns {
        let mut runs = UidRuns::default();
        uids.into_iter().for_each(|uid| runs.push(uid));
        runs
    }

    fn set(text: &str) -> SequenceSet {
        SequenceSet::parse(text.as_bytes()).unwrap()
    }

    fn seqs(messages: &[Numbered]) -> Vec<u32> {
        messages.iter().map(|message| message.seq).collect()
    }

    #[test]
    fn a_number_beyond_the_last_message_is_an_error() {
        let runs = runs([1, 2, 9]);
        assert_eq!(runs.by_sequence(&set("4")), Err(NoSuchMessage));
        assert_eq!(runs.by_sequence(&set("2:4")), Err(NoSuchMessage));
        assert_eq!(seqs(&runs.by_sequence(&set("*:2,1")).unwrap()), [1, 2, 3]);
    }

    #[test]
    fn everything_of_an_empty_mailbox_is_nothing() {
        let empty = UidRuns::default();
        assert_eq!(empty.by_sequence(&set("1:*")), Ok(Vec::new()));
        assert_eq!(empty.by_sequence(&set("1")), Err(NoSuchMessage));
        assert!(empty.by_uid(&set("1:*")).is_empty());
    }

    #[test]
    fn a_uid_range_above_all_messages_means_the_last() {
        let runs = runs([3, 4, 8]);
        assert_eq!(seqs(&runs.by_uid(&set("100:*"))), [3]);
        assert_eq!(seqs(&runs.by_uid(&set("5:7"))), Vec::<u32>::new());
        assert_eq!(seqs(&runs.by_uid(&set("4:100,3"))), [1, 2, 3]);
    }

    #[test]
    fn a_mailbox_without_gaps_is_one_run() {
        assert_eq!(runs(1..=100_000).runs.len(), 1);
    }

    proptest! {
        #[test]
        fn uid_runs_are_a_sorted_list_of_uids(
            uids in prop::collection::btree_set(1u32..80, 0..60),
            gone in prop::collection::btree_set(1u32..80, 0..30),
            from in 1u32..80,
            until in 1u32..90,
        ) {
            let mut runs = runs(uids.iter().copied());
            let removed = runs.remove_where(|uid| gone.contains(&uid));
            let expected: Vec<u32> = (1..).zip(&uids).filter(|(_, uid)| gone.contains(uid)).map(|(seq, _)| seq).collect();
            prop_assert_eq!(removed, expected);
            let left: BTreeSet<u32> = uids.difference(&gone).copied().collect();
            prop_assert_eq!(runs.len() as usize, left.len());
            prop_assert!(runs.iter().map(|message| message.uid).eq(left.iter().copied()));
            prop_assert_eq!(runs.count_between(from, until) as usize, left.range(from..until.max(from)).count());
            for (seq, uid) in (1..).zip(&left) {
                prop_assert_eq!(runs.seq_of(*uid), Some(seq));
            }
            for uid in &gone {
                prop_assert_eq!(runs.seq_of(*uid), None);
            }
        }
    }
}
