//! What must be there: what was acknowledged, and what was asked for without an answer.

use std::collections::{BTreeMap, BTreeSet};

/// The mailboxes that the load works in. New accounts have them all.
pub const MAILBOXES: [&str; 3] = ["INBOX", "Archive", "Trash"];

/// A mailbox of an account, both by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub account: usize,
    pub mailbox: usize,
}

impl Place {
    /// Where mail for an account arrives.
    pub fn inbox(account: usize) -> Place {
        Place { account, mailbox: 0 }
    }

    /// The mailbox's name.
    pub fn name(self) -> &'static str {
        MAILBOXES[self.mailbox]
    }
}

/// All places of the accounts below `accounts`.
pub fn places(accounts: usize) -> impl Iterator<Item = Place> {
    (0..accounts).flat_map(|account| (0..MAILBOXES.len()).map(move |mailbox| Place { account, mailbox }))
}

/// Flags without \Recent.
pub type Flags = BTreeSet<String>;

/// A message by its place and uid.
pub type Key = (Place, u32);

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number, which its content proves.
    pub serial: u64,
    pub flags: Flags,
    /// The largest that was seen of it.
    pub modseq: u64,
    /// Of all its bytes; none before it was first read.
    pub digest: Option<u64>,
}

/// How STORE changes flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Add(Flags),
    Remove(Flags),
    Replace(Flags),
}

impl Change {
    /// What a message has after it.
    pub fn applied(&self, flags: &Flags) -> Flags {
        match self {
            Change::Add(more) => flags | more,
            Change::Remove(less) => flags - less,
            Change::Replace(with) => with.clone(),
        }
    }

    /// As STORE has it.
    pub fn text(&self) -> String {
        let (item, flags) = match self {
            Change::Add(flags) => ("+FLAGS", flags),
            Change::Remove(flags) => ("-FLAGS", flags),
            Change::Replace(flags) => ("FLAGS", flags),
        };
        format!("{item} ({})", flags.iter().cloned().collect::<Vec<_>>().join(" "))
    }
}

/// A command that was sent and not answered (yet).
#[derive(Debug, Clone)]
pub enum Pending {
    Append { to: Place, serial: u64, flags: Flags },
    Store { at: Place, uids: Vec<u32>, change: Change },
    Expunge { at: Place, uids: Vec<u32> },
    Move { from: Place, uids: Vec<u32>, to: Place },
    Copy { from: Place, uids: Vec<u32>, to: Place },
}

/// The messages that one client alone works on, in mailboxes that it shares with others.
#[derive(Debug, Default)]
pub struct Share {
    pub messages: BTreeMap<Key, Known>,
    /// Expunged or moved away, acknowledged.
    pub gone: Vec<(Key, u64)>,
    pub pending: Option<Pending>,
    /// The largest modseq that the server told of each mailbox.
    pub modseqs: BTreeMap<Place, u64>,
    /// Commands that were acknowledged.
    pub acknowledged: u64,
}

/// A message that was handed over by SMTP or LMTP, and what was answered for each recipient: yes, no, nothing.
#[derive(Debug)]
pub struct Sent {
    pub serial: u64,
    pub wire: Wire,
    pub to: Vec<(usize, Option<bool>)>,
}

/// How a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Through the spool.
    Smtp,
    /// Straight to the mailbox.
    Lmtp,
}

/// What is known of a mailbox.
#[derive(Debug, Default, Clone)]
pub struct Mailbox {
    pub uid_validity: u64,
    pub uid_next: u32,
    pub highest_modseq: u64,
    /// The message of each uid that was ever seen.
    pub history: BTreeMap<u32, u64>,
}

/// Everything that is known while nothing is under way.
#[derive(Debug, Default)]
pub struct Model {
    pub mailboxes: BTreeMap<Place, Mailbox>,
    pub messages: BTreeMap<Key, Known>,
}
