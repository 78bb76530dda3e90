//! Mailboxes and their messages: one partition of the mail store, a journal and a view of it.
//!
//! [`Mailstore`] is the handle. It refuses to acknowledge what is not synced ([`Appended`] can only be made from the
//! journal's proof), to reuse a uid or to take a modseq back, to parse a protocol, and to know sockets or sessions.
//!
//! The way of a change: the caller's task scans, hashes and compresses a message (`prepare`) and queues a command; the
//! sequencer's thread checks it, gives out uid and modseq and stages records that state results (`sequenced`, `entry`);
//! after the sync the records become rows of the view (`apply`, `rows`), readers are shown the new snapshot (`shared`,
//! `slot`), and the caller is answered. The way of a read: names and counters are in memory (`namespace`); a mailbox
//! that is open is a [`MailboxSnapshot`], one that is not is read from the view (`load`); what FETCH asks for most is
//! one row of the view or in memory (`presentation`, `bodies`). The way out: what is out of sight is kept for a while and
//! then purged (`purge`), and the journal's segments go when what they still have to say has been said again (`compaction`,
//! `sequenced::restate`). Whether all of it is as it should be, `check` tells.
//!
//! What holds at any moment:
//!
//! - The view follows from the journal's records alone, by the same code live and in replay; a record carries the
//!   counters of its mailbox as they are after it, so that nothing is counted again.
//! - A uid is given out once and uids become visible in ascending order; a large copy gets its uids when it commits.
//! - Modseqs come from one counter of the store, so that they order changes of different mailboxes too.
//! - What readers see is durable: snapshots are published after the sync and after the view has taken the change.
//! - A replay of the segments that are left gives the view as it was maintained. So a record must list all things of which it
//!   writes a row (`compaction::keys`), and rows may depend on that record alone.
//! - A message's body is one record or one file, named by a [`BodyId`], and each mailbox row that uses it has a row
//!   under that id: references are counted by counting rows, never by a number that is read and written back.

mod apply;
mod backup;
mod bodies;
mod cache;
mod check;
mod codec;
mod command;
mod compaction;
mod counters;
mod entry;
mod error;
mod flags;
mod fresh;
mod id;
mod load;
mod located;
mod mailbox;
mod mailstore;
mod message_row;
mod namespace;
mod outcome;
mod path;
mod pieces;
mod prepare;
mod presentation;
mod purge;
mod reading;
mod rows;
mod sequenced;
mod settings;
mod shared;
mod slot;
mod snapshot;
mod transfer;
mod uid_set;
mod writing;

pub use check::{CheckOptions, CheckReport, Difference, Finding, FindingKind, check_directory};
pub use error::MailstoreError;
pub use flags::{FlagChange, Flags, Keyword, SystemFlag};
pub use id::{BodyId, EmailId, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
pub use located::{Gone, Located};
pub use mailbox::Mailbox;
pub use mailstore::Mailstore;
pub use outcome::{
    AppendRequest, Appended, CopyOutcome, ExpungeOutcome, MailboxEntry, MailboxStatus, RecentClaim,
    StoreOutcome,
};
pub use path::{MailboxPath, SpecialUse};
pub use purge::Purged;
pub use rows::Arrival;
pub use settings::{AccountMailbox, MailstoreSettings, ViewKind};
pub use snapshot::{Changes, MailboxSnapshot, MessageRow};
pub use uid_set::UidSet;

#[cfg(test)]
mod golden;
