//! STORE.

use std::collections::HashMap;

use journal::Staged;

use crate::command::StoreFlags;
use crate::counters::Counters;
use crate::entry::{Entry, FlagsSet};
use crate::snapshot::Change;
use crate::{
    FlagChange, Flags, Keyword, MailboxSnapshot, MailstoreError, MessageRow, ModSeq, StoreOutcome, Uid,
    UidSet,
};

use super::Sequenced;

/// Messages by the flags that they have.
#[derive(Default)]
pub(super) struct Groups(HashMap<Flags, UidSet>);

impl Groups {
    pub(super) fn insert(&mut self, flags: Flags, uid: Uid) {
        self.0.entry(flags).or_default().insert(uid);
    }

    /// In the order of their first uids.
    pub(super) fn sorted(self) -> Vec<(Flags, UidSet)> {
        let mut groups: Vec<_> = self.0.into_iter().collect();
        groups.sort_by_key(|(_, uids)| uids.first());
        groups
    }
}

/// What a STORE makes of a mailbox.
struct Flagged {
    outcome: StoreOutcome,
    groups: Vec<(Flags, UidSet)>,
    counters: Counters,
}

impl Sequenced {
    pub(super) fn flags_store(
        &mut self,
        store: &StoreFlags,
        staged: &mut Staged,
    ) -> Result<StoreOutcome, MailstoreError> {
        let counters = self.counters(store.mailbox)?;
        let flagged = flagged(self.messages(store.mailbox)?, store, counters)?;
        let Flagged { mut outcome, groups, counters } = flagged;
        if outcome.changed.is_empty() {
            return Ok(outcome);
        }
        self.keywords_fit(store.mailbox, groups.iter().map(|(flags, _)| flags))?;
        self.pieces_place(store.mailbox, &outcome.changed, staged);
        outcome.modseq = self.modseq_next();
        let counters = Counters { modseq: outcome.modseq, ..counters };
        let changes = vec![(store.mailbox, Change::Flags(groups.clone()), counters)];
        let set = FlagsSet { mailbox: store.mailbox, counters, groups };
        self.commit_changing(Entry::from(set), changes, staged);
        Ok(outcome)
    }
}

fn flagged(
    messages: &MailboxSnapshot,
    store: &StoreFlags,
    mut counters: Counters,
) -> Result<Flagged, MailstoreError> {
    let mut outcome = StoreOutcome::default();
    let mut groups = Groups::default();
    let mut found = UidSet::new();
    for row in messages.rows_of(&store.uids) {
        found.insert(row.uid);
        if store.unchanged_since.is_some_and(|modseq| is_changed(&row, modseq, &store.change)) {
            outcome.modified.insert(row.uid);
            continue;
        }
        let flags = row.flags.changed(&store.change)?;
        if flags != *row.flags {
            counters = counters.flagged(row.flags, &flags);
            outcome.changed.insert(row.uid);
            groups.insert(flags, row.uid);
        }
    }
    outcome.missing = store.uids.minus(&found);
    Ok(Flagged { outcome, groups: groups.sorted(), counters })
}

/// RFC 7162 3.1.3: changed after `since`. Zero asks whether there is anything of what the change names: system flags
/// always are, a keyword is where it is set.
fn is_changed(row: &MessageRow<'_>, since: ModSeq, change: &FlagChange) -> bool {
    match change {
        FlagChange::Add(named) | FlagChange::Remove(named) if since == ModSeq::default() => {
            let set = |keyword: &Keyword| row.flags.has_keyword(keyword.as_str());
            named.system().next().is_some() || named.keywords().iter().any(set)
        }
        _ => row.modseq > since,
    }
}
