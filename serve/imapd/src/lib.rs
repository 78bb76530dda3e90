//! IMAP4rev1 for the accounts of one mail store (RFC 3501 and the extensions that CAPABILITY lists).
//!
//! The wire is `imap`'s, the messages are `mailstore`'s; here are the sessions between them, a file per verb
//! in `cmd`. What this crate refuses to do:
//!
//! - keep a mailbox in memory: a session has the mailbox's handle, its modseq and runs of uids, borrows the
//!   store's snapshot while a command runs, and reports the difference between two modseqs;
//! - hold a message: a literal streams to a body writer, a section streams from its body, and no more than
//!   [`limits::IMAP_OUTPUT_BYTES_MAX`] wait for a slow reader;
//! - acknowledge early: the OK to APPEND is made from [`mailstore::Appended`];
//! - renumber messages behind the client's back: EXPUNGE is reported only where RFC 3501 7.4.1 allows it;
//! - take a password over a connection that others can read.

mod bodies;
mod channel;
mod cmd;
mod dispatch;
mod login;
mod material;
mod names;
mod pace;
mod refusal;
mod report;
mod search;
mod selected;
mod server;
mod session;
mod state;
mod uids;

pub use imap::{Quirk, Quirks};
pub use server::{ImapServer, ImapSettings};
