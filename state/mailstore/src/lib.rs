//! Mailboxes and their messages: one partition of the mail store, a journal and a view of it.
//!
//! [`Mailstore`] is the handle. It refuses to acknowledge what is not synced ([`Appended`] can only be made from the
//! journal's proof), to reuse a uid or to take a modseq back, to parse a protocol, and to know sockets or sessions.

mod apply;
mod bodies;
mod cache;
mod check;
mod codec;
mod command;
mod counters;
mod entry;
mod error;
mod flags;
mod fresh;
mod id;
mod load;
mod mailbox;
mod mailstore;
mod message_row;
mod namespace;
mod outcome;
mod path;
mod prepare;
mod presentation;
mod reading;
mod rows;
mod sequenced;
mod settings;
mod shared;
mod slot;
mod snapshot;
mod uid_set;
mod writing;

pub use check::Difference;
pub use error::MailstoreError;
pub use flags::{FlagChange, Flags, Keyword, SystemFlag};
pub use id::{BodyId, EmailId, MailboxId, ModSeq, ThreadId, Uid, UidValidity};
pub use mailbox::Mailbox;
pub use mailstore::Mailstore;
pub use outcome::{
    AppendRequest, Appended, CopyOutcome, ExpungeOutcome, MailboxEntry, MailboxStatus, RecentClaim,
    StoreOutcome,
};
pub use path::{MailboxPath, SpecialUse};
pub use settings::{AccountMailbox, MailstoreSettings, ViewKind};
pub use snapshot::{Changes, MailboxSnapshot, MessageRow};
pub use uid_set::UidSet;

#[cfg(test)]
mod golden;
