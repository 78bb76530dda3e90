//! A store that was brought back from a backup: what it gave out after the backup it does not know, and must not give out
//! again for something else.

use journal::Staged;

use crate::compaction::{Restated, Stated};
use crate::counters::Counters;
use crate::rows::Marks;
use crate::{ModSeq, Uid};

use super::Sequenced;

/// Uids of a mailbox that may have been given out after the backup.
const UIDS: u32 = 65_536;
/// Modseqs and bodies of the store that may have been given out after the backup.
const NUMBERS: u64 = 1 << 20;
/// Things that one record says.
const THINGS_MAX: usize = 1_000;

impl Sequenced {
    /// Goes on with numbers beyond all that can have been given out. Each mailbox has changed as a whole: clients that know
    /// a later state of it than the backup has compare all that they have.
    pub(super) fn restored(&mut self, staged: &mut Staged) {
        let Marks { modseq, body, uid_validity } = self.marks;
        let modseq = ModSeq::new(modseq.number() + NUMBERS);
        let mut things = vec![Stated::Marks(Marks { modseq, body: body + NUMBERS, uid_validity })];
        for row in self.names.mailboxes() {
            let Some(counters) = self.counters.get_mut(&row.id) else { continue };
            let uid_next = counters.uid_next.number().saturating_add(UIDS);
            let uid_next = Uid::new(uid_next).unwrap_or(counters.uid_next);
            *counters = Counters { modseq, uid_next, ..*counters };
            things.push(Stated::Mailbox(row.clone(), *counters));
            things.push(Stated::Floor(row.id, modseq));
        }
        for things in things.chunks(THINGS_MAX) {
            self.commit(Restated { things: things.to_vec() }, staged);
        }
    }
}
