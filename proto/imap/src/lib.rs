//! The IMAP wire: bytes into typed commands, and responses into bytes (RFC 3501 section 9 and extensions).
//!
//! No sockets, no clock, no mail store, no session state. What this crate refuses to do:
//!
//! - hold a message: a literal that carries one is announced by its header and passes by the [`Framer`];
//! - build response objects: the writers in [`response`] append to a buffer that the caller reuses, and
//!   what is already in memory or in a file joins the queue of [`Pieces`] uncopied;
//! - decide whether a command is allowed now: that is the session's business. It says whether it is well
//!   formed, and if not, with which tagged `BAD` to answer ([`CommandError::write`]).
//!
//! A server reads like this: [`Framer::next`] gives a [`Frame`]; at [`Frame::Literal`] the caller decides
//! ([`Framer::decide`]); a [`Frame::Line`] goes to [`Request::parse`]. Lines that are no commands (SASL
//! answers, the `DONE` of IDLE) are read by [`Framer::raw_line`].

mod command;
mod cursor;
mod date;
mod error;
mod fetch;
mod flag;
mod frame;
mod list;
mod mailbox;
mod parse;
mod pieces;
mod quirks;
pub mod reply;
pub mod response;
mod search;
mod sequence;
mod utf7;

pub use command::{
    Append, AuthLine, Capability, Command, Numbering, Request, Secret, StatusItem, Store, StoreOp, Tag,
};
pub use date::DateTime;
pub use error::{CommandError, Complaint};
pub use fetch::{Fetch, FetchItem, Partial};
pub use flag::{Flag, Keyword};
pub use frame::{Frame, FrameError, FrameLimits, Framer, Line, LiteralDecision, LiteralHeader};
pub use list::{List, ListPattern, ListReturn, ListSelection, SpecialUse};
pub use mailbox::{BadMailboxName, MailboxName};
pub use message::{Section, SectionText};
pub use pieces::{Piece, PieceRef, Pieces};
pub use quirks::{Quirk, Quirks};
pub use response::{Code, FetchWriter, Status};
pub use search::{DateTest, Search, SearchKey, SearchReturns};
pub use sequence::{SeqNumber, SeqRange, SequenceSet};
