//! SEARCH programs over messages (RFC 3501 6.4.4).
//!
//! A program is tried with as little of a message as will do: its row, then its header, then its text. What
//! cannot be said yet is neither true nor false, so that a message that fails on its flags is never read.

mod folded;
mod program;
mod text;

pub(crate) use program::{Candidate, Program};
pub(crate) use text::Found;
