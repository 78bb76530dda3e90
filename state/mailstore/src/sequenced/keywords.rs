//! How many different keywords a mailbox may have.

use std::collections::{BTreeSet, HashSet};

use compact_str::CompactString;
use journal::{KeyRange, Order};

use crate::rows;
use crate::{Flags, MailboxId, MailstoreError};

use super::Sequenced;

impl Sequenced {
    /// Whether messages with these flags may come into a mailbox. A keyword that the mailbox had once stays known, as
    /// uids do: it takes no room a second time.
    pub(super) fn keywords_fit<'a>(
        &mut self,
        mailbox: MailboxId,
        flags: impl Iterator<Item = &'a Flags>,
    ) -> Result<(), MailstoreError> {
        let mut new = BTreeSet::new();
        for keyword in folded(flags) {
            let known = self.frame.keywords(mailbox).is_some_and(|known| known.contains(&keyword));
            let key = rows::keyword_key(mailbox, &keyword);
            if !known && self.shared.view.get(rows::KEYWORDS, &key)?.is_none() {
                new.insert(keyword);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let range = KeyRange::prefix(&rows::mailbox_key(mailbox));
        let committed = self.shared.view.scan(rows::KEYWORDS, range, Order::Forward)?.count();
        let staged = self.frame.keywords(mailbox).map_or(0, BTreeSet::len);
        if committed + staged + new.len() > limits::KEYWORDS_PER_MAILBOX_MAX {
            return Err(MailstoreError::KeywordsTooMany);
        }
        self.frame.keywords_add(mailbox, new);
        Ok(())
    }
}

fn folded<'a>(flags: impl Iterator<Item = &'a Flags>) -> BTreeSet<CompactString> {
    let mut looked_at = HashSet::new();
    let first = flags.filter(|flags| flags.keywords_at().is_some_and(|at| looked_at.insert(at)));
    first.flat_map(Flags::keywords).map(|keyword| keyword.folded()).collect()
}
