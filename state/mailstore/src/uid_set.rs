//! Sets of uids.

use std::fmt;
use std::ops::RangeInclusive;

use crate::Uid;

/// A set of uids as ascending runs; small for the sets that occur (nearly all of a mailbox, or a few).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UidSet {
    /// Ascending, neither overlapping nor touching.
    runs: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// All uids from `first` to `last`; empty when `last` is smaller.
    pub fn range(first: Uid, last: Uid) -> Self {
        let mut set = Self::new();
        set.push_run(first.number(), last.number());
        set
    }

    /// How many uids the set has.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|(first, last)| (last - first) as usize + 1).sum()
    }

    /// True when the set has no uid.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// True when the set has the uid.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.runs.partition_point(|(_, last)| *last < uid.number());
        self.runs.get(at).is_some_and(|(first, _)| *first <= uid.number())
    }

    /// Adds one uid, in any order; adding in ascending order is cheap.
    pub fn insert(&mut self, uid: Uid) {
        match self.runs.last() {
            Some((_, last)) if uid.number() <= *last => self.insert_inside(uid.number()),
            _ => self.push_run(uid.number(), uid.number()),
        }
    }

    /// The uids of this set that are not in `other`.
    pub fn minus(&self, other: &UidSet) -> UidSet {
        let mut rest = UidSet::new();
        for (first, last) in &self.runs {
            let mut from = Some(*first);
            let at = other.runs.partition_point(|(_, end)| end < first);
            for (gone_first, gone_last) in other.runs[at..].iter().take_while(|(start, _)| start <= last) {
                let Some(start) = from else { break };
                rest.push_run(start, gone_first.saturating_sub(1).min(*last));
                from = gone_last.checked_add(1).filter(|next| next <= last);
            }
            if let Some(start) = from {
                rest.push_run(start, *last);
            }
        }
        rest
    }

    /// Adds all uids of another set; cheap when they are above those of this one.
    pub fn extend(&mut self, other: &UidSet) {
        match (self.last(), other.first()) {
            (Some(last), Some(first)) if first <= last => other.iter().for_each(|uid| self.insert(uid)),
            _ => other.runs.iter().for_each(|(first, last)| self.push_run(*first, *last)),
        }
    }

    /// The runs, ascending.
    pub fn runs(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.runs.iter().map(|(first, last)| *first..=*last)
    }

    /// The uids, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.runs().flatten().filter_map(Uid::new)
    }

    /// The smallest uid.
    pub fn first(&self) -> Option<Uid> {
        self.runs.first().and_then(|(first, _)| Uid::new(*first))
    }

    /// The largest uid.
    pub fn last(&self) -> Option<Uid> {
        self.runs.last().and_then(|(_, last)| Uid::new(*last))
    }

    /// True when the set has a uid above `after` and not above `until`.
    pub(crate) fn meets(&self, after: Option<Uid>, until: Option<Uid>) -> bool {
        let (after, until) = (after.map_or(0, Uid::number), until.map_or(0, Uid::number));
        let at = self.runs.partition_point(|(_, last)| *last <= after);
        self.runs.get(at).is_some_and(|(first, _)| *first <= until)
    }

    /// Appends a run that begins above all that is in the set.
    pub(crate) fn push_run(&mut self, first: u32, last: u32) {
        if last < first {
            return;
        }
        debug_assert!(self.runs.last().is_none_or(|(_, end)| *end < first));
        match self.runs.last_mut() {
            Some((_, end)) if *end + 1 == first => *end = last,
            _ => self.runs.push((first, last)),
        }
    }

    fn insert_inside(&mut self, number: u32) {
        let mut merged = Self::new();
        let at = self.runs.partition_point(|(_, last)| *last < number);
        if self.runs[at].0 <= number {
            return;
        }
        self.runs.insert(at, (number, number));
        self.runs.iter().for_each(|(first, last)| merged.push_run(*first, *last));
        *self = merged;
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut numbers: Vec<u32> = uids.into_iter().map(Uid::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut set = Self::new();
        numbers.into_iter().for_each(|number| set.push_run(number, number));
        set
    }
}

impl fmt::Display for UidSet {
    /// RFC 3501 9: `sequence-set`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.runs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}:{last}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_uid_set_is_a_set(numbers in prop::collection::vec(1u32..60, 0..60)) {
            let model: BTreeSet<u32> = numbers.iter().copied().collect();
            let collected: UidSet = numbers.iter().filter_map(|n| Uid::new(*n)).collect();
            let mut inserted = UidSet::new();
            numbers.iter().filter_map(|n| Uid::new(*n)).for_each(|uid| inserted.insert(uid));
            prop_assert_eq!(&collected, &inserted);
            prop_assert_eq!(collected.len(), model.len());
            prop_assert!(collected.iter().map(Uid::number).eq(model.iter().copied()));
            for number in 1..60 {
                prop_assert_eq!(collected.contains(Uid::new(number).unwrap()), model.contains(&number));
            }
        }
    }

    proptest! {
        #[test]
        fn what_one_set_has_and_another_has_not(
            left in prop::collection::btree_set(1u32..50, 0..50),
            right in prop::collection::btree_set(1u32..50, 0..50),
        ) {
            let set = |numbers: &BTreeSet<u32>| numbers.iter().filter_map(|n| Uid::new(*n)).collect::<UidSet>();
            let expected: BTreeSet<u32> = left.difference(&right).copied().collect();
            prop_assert_eq!(set(&left).minus(&set(&right)), set(&expected));
        }
    }

    #[test]
    fn a_set_is_written_as_a_sequence_set() {
        let set: UidSet = [1, 2, 3, 7, 9, 10].into_iter().filter_map(Uid::new).collect();
        assert_eq!(set.to_string(), "1:3,7,9:10");
        assert_eq!(UidSet::new().to_string(), "");
    }
}
