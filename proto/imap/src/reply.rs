//! The client's side: responses into tokens, for tests and for a proxy.

use bytes::Bytes;
use compact_str::CompactString;

use crate::{Line, Status, Tag};

/// A response (RFC 3501 7).
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+ text`.
    Continue(Bytes),
    /// `TAG OK [code] text`, or untagged when `tag` is `None`.
    Status {
        /// The tag; `None` for `*`.
        tag: Option<Tag>,
        /// OK, NO, BAD, PREAUTH or BYE.
        status: Status,
        /// What stood in brackets.
        code: Option<Vec<Value>>,
        /// The text after it.
        text: Bytes,
    },
    /// `* [number] NAME values`.
    Data {
        /// The number before the name, as in `* 3 EXISTS`.
        number: Option<u32>,
        /// The name in upper case.
        name: CompactString,
        /// What follows.
        values: Vec<Value>,
    },
}

/// A token of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `NIL`.
    Nil,
    /// An atom, flag or number; with its section, as in `BODY[HEADER.FIELDS (To)]<0>`.
    Atom(Bytes),
    /// A quoted string or a literal.
    String(Bytes),
    /// What stood in parentheses.
    List(Vec<Value>),
}

impl Reply {
    /// Reads a framed response line.
    pub fn parse(_line: &Line) -> Option<Reply> {
        unimplemented!("Reply::parse")
    }
}
