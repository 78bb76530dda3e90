//! Mailboxes and their messages: one partition of the mail store, a journal and a view of it.
//!
//! [`Mailstore`] is the handle. It refuses to acknowledge what is not synced ([`Appended`] can only be made from the
//! journal's proof), to reuse a uid or to take a modseq back, to parse a protocol, and to know sockets or sessions.

mod counters;
mod error;
mod flags;
mod id;
mod mailbox;
mod mailstore;
mod message_row;
mod outcome;
mod path;
mod settings;
mod snapshot;
mod uid_set;

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
