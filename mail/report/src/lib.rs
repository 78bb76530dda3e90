//! Delivery status notifications: what a sender is told about a message (RFC 3461 to RFC 3464, RFC 6533).
//!
//! [`Dsn`] holds the facts, [`Dsn::build`] writes them as a `multipart/report` message with CRLF line ends. The same
//! facts stand in it twice: in words for people, as fields for programs.
//!
//! It refuses to decide whether a report is due, to whom it goes, and to ask what time it is.

mod dsn;
mod field;

pub use dsn::{Dsn, DsnAction, DsnRecipient, Original};
