use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{BodyId, EmailId, Flags, ThreadId};

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn message(number: u32, modseq: u64) -> Message {
    Message {
        uid: uid(number),
        modseq: ModSeq::new(modseq),
        flags: Flags::EMPTY,
        internal_date: 0,
        save_date: 0,
        size: 1,
        body: BodyId(u64::from(number)),
        email_id: EmailId(u128::from(number)),
        thread_id: ThreadId(0),
    }
}

fn counters(uid_next: u32, modseq: u64, messages: usize) -> Counters {
    let messages = messages as u32;
    Counters { uid_next: uid(uid_next), messages, unseen: messages, ..Counters::new(ModSeq::new(modseq)) }
}

fn snapshot(messages: u32) -> MailboxSnapshot {
    let rows = (1..=messages).map(|number| message(number, 1));
    let counters = counters(messages + 1, 1, messages as usize);
    MailboxSnapshot::new(MailboxId(1), UidValidity::new(1).unwrap(), counters, rows)
}

/// A step of a mailbox's history: what happens to which messages, as positions.
#[derive(Debug, Clone)]
enum Step {
    Append(u32),
    Flag(Vec<prop::sample::Index>, bool),
    Expunge(Vec<prop::sample::Index>),
}

fn step() -> impl Strategy<Value = Step> {
    let positions = || prop::collection::vec(any::<prop::sample::Index>(), 1..40);
    prop_oneof![
        (1u32..400).prop_map(Step::Append),
        (positions(), any::<bool>()).prop_map(|(at, seen)| Step::Flag(at, seen)),
        positions().prop_map(Step::Expunge),
    ]
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Uid, (ModSeq, Flags)>,
    uid_next: u32,
    modseq: u64,
}

impl Model {
    fn pick(&self, positions: &[prop::sample::Index]) -> UidSet {
        let uids: Vec<Uid> = self.rows.keys().copied().collect();
        if uids.is_empty() { UidSet::new() } else { positions.iter().map(|at| *at.get(&uids)).collect() }
    }

    /// Does the step and says what it was as a change.
    fn step(&mut self, step: &Step) -> Change {
        self.modseq += 1;
        let modseq = ModSeq::new(self.modseq);
        match step {
            Step::Append(count) => {
                let first = self.uid_next + 1;
                self.uid_next += count;
                let new: Vec<_> = (first..=self.uid_next).map(|n| message(n, self.modseq)).collect();
                self.rows.extend(new.iter().map(|message| (message.uid, (modseq, Flags::EMPTY))));
                Change::Append(new)
            }
            Step::Flag(at, seen) => {
                let flags: Flags =
                    if *seen { [SystemFlag::Seen].into_iter().collect() } else { Flags::EMPTY };
                let uids = self.pick(at);
                uids.iter().for_each(|uid| drop(self.rows.insert(uid, (modseq, flags.clone()))));
                Change::Flags(vec![(flags, uids)])
            }
            Step::Expunge(at) => {
                let uids = self.pick(at);
                uids.iter().for_each(|uid| drop(self.rows.remove(&uid)));
                Change::Expunge(uids)
            }
        }
    }

    fn counters(&self) -> Counters {
        counters(self.uid_next + 1, self.modseq, self.rows.len())
    }

    fn agrees(&self, snapshot: &MailboxSnapshot) {
        let rows: Vec<_> = snapshot.rows().map(|row| (row.uid, (row.modseq, row.flags.clone()))).collect();
        assert_eq!(rows, self.rows.clone().into_iter().collect::<Vec<_>>());
        for (seqno, (uid, _)) in (1..).zip(&self.rows) {
            assert_eq!(snapshot.row(seqno).map(|row| row.uid), Some(*uid));
            assert_eq!(snapshot.find(*uid).map(|row| row.seqno), Some(seqno));
        }
        assert!(snapshot.row(0).is_none() && snapshot.row(self.rows.len() as u32 + 1).is_none());
        assert_eq!(snapshot.uids().len(), self.rows.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_snapshot_brought_forward_is_the_mailbox(steps in prop::collection::vec(step(), 1..30), since in 0usize..30) {
        let mut model = Model { modseq: 1, ..Model::default() };
        let mut current = snapshot(0);
        let mut history = Vec::new();
        for step in &steps {
            let before: Vec<Uid> = model.rows.keys().copied().collect();
            history.push((ModSeq::new(model.modseq), before, current.clone()));
            let change = model.step(step);
            current.apply(&change, model.counters());
            model.agrees(&current);
        }
        let (modseq, known, earlier) = &history[since % history.len()];
        prop_assert_eq!(earlier.uids().iter().collect::<Vec<_>>(), known.clone(), "earlier snapshots stay as they were");
        let changes = current.changes_since(*modseq);
        let changed: Vec<Uid> = changes.changed.iter().map(|row| row.uid).collect();
        let expected: Vec<Uid> = model.rows.iter().filter(|(_, (at, _))| at > modseq).map(|(uid, _)| *uid).collect();
        prop_assert_eq!(changed, expected);
        let vanished = changes.vanished.unwrap();
        let gone = known.iter().filter(|uid| !model.rows.contains_key(uid));
        prop_assert!(gone.clone().all(|uid| vanished.contains(*uid)));
        prop_assert!(vanished.iter().all(|uid| !model.rows.contains_key(&uid)));
    }
}

#[test]
fn rows_are_found_by_range_and_by_set() {
    let mut snapshot = snapshot(1_000);
    let gone: UidSet = (300..700).map(uid).collect();
    snapshot.apply(&Change::Expunge(gone), counters(1_001, 2, 600));
    let seqnos: Vec<_> = snapshot.rows_in(299..=302).map(|row| (row.seqno, row.uid.number())).collect();
    assert_eq!(seqnos, [(299, 299), (300, 700), (301, 701), (302, 702)]);
    assert_eq!(snapshot.rows_in(600..=u32::MAX).count(), 1);
    assert_eq!(snapshot.rows_in(601..=700).count(), 0);
    let set = UidSet::range(uid(290), uid(710));
    assert_eq!(snapshot.rows_of(&set).count(), 10 + 11);
    assert_eq!(snapshot.rows_of(&UidSet::range(uid(2_000), uid(u32::MAX))).count(), 0);
}

#[test]
fn a_commit_shares_what_it_does_not_change() {
    let before = snapshot(10 * chunk::CHUNK_ROWS as u32);
    let mut after = before.clone();
    let seen: Flags = [SystemFlag::Seen].into_iter().collect();
    let one: UidSet = [uid(5)].into_iter().collect();
    after.apply(&Change::Flags(vec![(seen, one)]), counters(2_561, 2, 2_560));
    let shared = before.chunks.iter().zip(&after.chunks).filter(|(old, new)| old.shares_state(new)).count();
    assert_eq!(shared, 9);
    assert!(before.chunks[0].shares_fixed(&after.chunks[0]), "a flag change copies no dates and ids");
}

#[test]
fn what_is_further_back_than_remembered_is_said_to_be_unknown() {
    let mut snapshot = snapshot(2 * VANISHED_MAX as u32);
    for number in 1..=VANISHED_MAX as u32 + 1 {
        let left = 2 * VANISHED_MAX - number as usize;
        snapshot.apply(
            &Change::Expunge([uid(number)].into_iter().collect()),
            counters(2 * VANISHED_MAX as u32 + 1, u64::from(number) + 1, left),
        );
    }
    assert!(snapshot.changes_since(ModSeq::new(1)).vanished.is_none());
    let recent = snapshot.changes_since(ModSeq::new(VANISHED_MAX as u64)).vanished.unwrap();
    assert_eq!(recent.len(), 2);
}

#[test]
fn keywords_are_a_part_of_the_memory_that_is_counted() {
    let mut snapshot = snapshot(200);
    let plain = snapshot.memory_bytes();
    let keywords =
        |salt: u32| (0..7).map(move |n| crate::Keyword::parse(&format!("{:0250}", salt * 10 + n)).unwrap());
    let one = Flags::new([], keywords(0)).unwrap();
    let all = (1..=200).map(uid).collect::<UidSet>();
    snapshot.apply(&Change::Flags(vec![(one, all)]), counters(201, 2, 200));
    let shared = snapshot.memory_bytes();
    assert!((1_700..4_000).contains(&(shared - plain)), "those that are shared are counted once");
    let own = (1..=200).map(|n| (Flags::new([], keywords(n)).unwrap(), [uid(n)].into_iter().collect()));
    snapshot.apply(&Change::Flags(own.collect()), counters(201, 3, 200));
    assert!(snapshot.memory_bytes() - plain > 200 * 1_700);
}

#[test]
fn the_history_of_expunges_is_counted_and_limited_by_runs() {
    let count = VANISHED_RUNS_MAX as u32 * 2 + 2_000;
    let mut snapshot = snapshot(count);
    let before = snapshot.memory_bytes();
    let (mut modseq, mut left) = (2, count);
    let even: Vec<u32> = (1..=count).filter(|number| number % 2 == 0).collect();
    for piece in even.chunks(1_000) {
        left -= piece.len() as u32;
        let uids = piece.iter().copied().map(uid).collect();
        snapshot.apply(&Change::Expunge(uids), counters(count + 1, modseq, left as usize));
        modseq += 1;
        let history = snapshot.memory_bytes() + (count - left) as usize * 92 - before;
        assert!(history <= VANISHED_RUNS_MAX * RUN_BYTES + 10_000, "{history}");
    }
    assert_eq!(snapshot.changes_since(ModSeq::new(1)).vanished, None, "the oldest are forgotten");
    let last = snapshot.changes_since(ModSeq::new(modseq - 2)).vanished;
    assert!(last.is_some_and(|uids| !uids.is_empty()));
}
