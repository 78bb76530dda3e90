//! EXPUNGE.

use journal::Staged;

use crate::command::Expunge;
use crate::counters::Counters;
use crate::entry::{Entry, MessagesExpunged};
use crate::snapshot::Change;
use crate::{ExpungeOutcome, MailstoreError, SystemFlag, UidSet};

use super::Sequenced;
use super::flags::Groups;

impl Sequenced {
    /// Takes messages with `\Deleted` out of sight. Their rows stay.
    pub(super) fn expunge(
        &mut self,
        expunge: &Expunge,
        staged: &mut Staged,
    ) -> Result<ExpungeOutcome, MailstoreError> {
        let mailbox = expunge.mailbox;
        let mut counters = self.counters(mailbox)?;
        if counters.deleted == 0 {
            return Ok(ExpungeOutcome::default());
        }
        let mut groups = Groups::default();
        let mut uids = UidSet::new();
        let asked = |uid| expunge.uids.as_ref().is_none_or(|uids| uids.contains(uid));
        let rows = self.messages(mailbox)?.rows();
        let doomed = rows.filter(|row| row.flags.has(SystemFlag::Deleted) && asked(row.uid));
        for row in doomed.take(expunge.messages_max) {
            counters = counters.without(row.flags, row.size);
            groups.insert(row.flags.clone(), row.uid);
            uids.insert(row.uid);
        }
        if uids.is_empty() {
            return Ok(ExpungeOutcome::default());
        }
        self.pieces_place(mailbox, &uids, staged);
        let modseq = self.modseq_next();
        let counters = Counters { modseq, ..counters };
        let expunged = MessagesExpunged { mailbox, counters, at: expunge.now, groups: groups.sorted() };
        let changes = vec![(mailbox, Change::Expunge(uids.clone()), counters)];
        self.commit_changing(Entry::from(expunged), changes, staged);
        Ok(ExpungeOutcome { uids, modseq })
    }
}
