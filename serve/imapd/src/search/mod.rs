//! SEARCH programs over messages (RFC 3501 6.4.4).
//!
//! A program is tried with as little of a message as will do: its row, then its header, then its text. What
//! cannot be said yet is neither true nor false, so that a message that fails on its flags is never read. Rows are
//! looked at where the session runs; headers and texts are read, decoded and searched by a [`SearchPool`].

mod folded;
mod header;
mod pool;
mod program;
mod run;
mod text;
mod watch;

pub(crate) use pool::SearchPool;
pub(crate) use program::Program;
pub(crate) use run::Searched;
