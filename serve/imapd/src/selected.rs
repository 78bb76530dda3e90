//! The selected mailbox, as far as the session remembers it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use compact_str::CompactString;
use imap::{Numbering, SequenceSet};
use mailstore::{Mailbox, MailboxId, MailboxSnapshot, MessageRow, ModSeq, RecentClaim, Uid, UidSet};

use crate::refusal::{Outcome, Refusal};
use crate::uids::{Numbered, UidRuns};

/// What the session keeps of the selected mailbox: no message, only numbers. Commands borrow the store's
/// snapshot for as long as they run, and what the client has not been told yet is the difference between the
/// modseqs here and the snapshot's.
pub(crate) struct Selected {
    pub(crate) mailbox: Mailbox,
    /// EXAMINE.
    pub(crate) read_only: bool,
    /// FETCH responses that nobody asked for have MODSEQ (RFC 7162 3.1).
    pub(crate) condstore: bool,
    /// The messages that the client knows of, including those expunged that it has not been told about.
    pub(crate) uids: UidRuns,
    pub(crate) recent: RecentUids,
    /// The client has been told of arrivals and flags up to here.
    pub(crate) reported: ModSeq,
    /// The client has been told of expunges up to here.
    pub(crate) expunged: ModSeq,
    /// What the running command has told by itself.
    pub(crate) told: Told,
    /// Keywords that FLAGS has named.
    pub(crate) keywords: Keywords,
}

impl Selected {
    /// The mailbox as the snapshot shows it.
    pub(crate) fn new(
        mailbox: Mailbox,
        snapshot: &MailboxSnapshot,
        read_only: bool,
        condstore: bool,
    ) -> Self {
        let mut uids = UidRuns::default();
        let mut keywords = Keywords::default();
        for row in snapshot.rows() {
            uids.push(row.uid.number());
            keywords.add(&row);
        }
        Self {
            mailbox,
            read_only,
            condstore,
            uids,
            recent: RecentUids::default(),
            reported: snapshot.modseq(),
            expunged: snapshot.modseq(),
            told: Told::default(),
            keywords,
        }
    }

    pub(crate) fn id(&self) -> MailboxId {
        self.mailbox.id()
    }

    /// The messages that a command names. A sequence number without a message is BAD.
    pub(crate) fn resolve(&self, by: Numbering, set: &SequenceSet) -> Outcome<Vec<Numbered>> {
        match by {
            Numbering::Uid => Ok(self.uids.by_uid(set)),
            Numbering::Sequence => {
                let numbered = self.uids.by_sequence(set);
                numbered.map_err(|_| Refusal::bad("No message has that sequence number").into())
            }
        }
    }

    /// RFC 3501 6.3.2: an examined mailbox cannot be changed.
    pub(crate) fn writable(&self) -> Outcome<()> {
        match self.read_only {
            true => Err(Refusal::no(imap::Code::ReadOnly, "The mailbox is selected read-only").into()),
            false => Ok(()),
        }
    }

    pub(crate) fn recent_count(&self) -> u32 {
        self.recent.ranges.iter().map(|(from, until)| self.uids.count_between(*from, *until)).sum()
    }
}

/// The uids of messages as a set of the store's.
pub(crate) fn uid_set(messages: &[Numbered]) -> UidSet {
    messages.iter().filter_map(|message| Uid::new(message.uid)).collect()
}

/// The messages that this session is the first to know of (`\Recent`, RFC 3501 2.3.2), as ranges of uids.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentUids {
    /// From, and until without the end.
    ranges: Vec<(u32, u32)>,
}

impl RecentUids {
    pub(crate) fn add(&mut self, claim: RecentClaim) {
        self.add_range(claim.from.number(), claim.until.number());
    }

    pub(crate) fn add_range(&mut self, from: u32, until: u32) {
        match self.ranges.last_mut() {
            _ if from >= until => {}
            Some(last) if last.1 == from => last.1 = until,
            _ => self.ranges.push((from, until)),
        }
    }

    pub(crate) fn contains(&self, uid: u32) -> bool {
        self.ranges.iter().any(|(from, until)| (*from..*until).contains(&uid))
    }
}

/// The flags that a command's own FETCH responses have told, so that they are not told again at its end.
#[derive(Debug, Default)]
pub(crate) struct Told(HashMap<Uid, ModSeq>);

impl Told {
    pub(crate) fn add(&mut self, row: &MessageRow<'_>) {
        self.0.insert(row.uid, row.modseq);
    }

    pub(crate) fn covers(&self, row: &MessageRow<'_>) -> bool {
        self.0.get(&row.uid) == Some(&row.modseq)
    }

    pub(crate) fn clear(&mut self) {
        self.0 = HashMap::new();
    }
}

/// The keywords in use in a mailbox, in lower case with the form that is shown. No more than
/// [`limits::IMAP_KEYWORDS_LISTED_MAX`] are remembered, so none beyond is listed in FLAGS; they work
/// nevertheless.
#[derive(Debug, Default)]
pub(crate) struct Keywords {
    folded: BTreeSet<CompactString>,
    shown: Vec<Arc<str>>,
}

impl Keywords {
    /// Adds the keywords of a message; true if one is new.
    pub(crate) fn add(&mut self, row: &MessageRow<'_>) -> bool {
        let before = self.shown.len();
        for keyword in row.flags.keywords() {
            let full = self.shown.len() >= limits::IMAP_KEYWORDS_LISTED_MAX;
            if !full && self.folded.insert(keyword.as_str().to_ascii_lowercase().into()) {
                self.shown.push(keyword.as_str().into());
            }
        }
        self.shown.len() > before
    }

    pub(crate) fn shown(&self) -> impl Iterator<Item = &str> {
        self.shown.iter().map(|keyword| &**keyword)
    }
}
