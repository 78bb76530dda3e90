//! The SMTP and LMTP wire: bytes to typed commands and replies, and the machines of both ends.
//!
//! No sockets, no clock, no files, no directory: the driver that owns the connection feeds bytes in, takes
//! events and bytes out, and decides what is accepted. A message is never held here; its bytes pass through,
//! unstuffed and checked, in the pieces in which they came.
//!
//! What this crate refuses to do: to take a bare CR or a bare LF for a line end, to let anything but
//! `CRLF.CRLF` end a message, to act on what came in clear behind a STARTTLS, and to let a message be answered
//! with a positive reply that its caller did not ask for.
//!
//! - [`Reply`], [`Refusal`], [`EnhancedCode`]: what a server says.
//! - [`Extensions`]: what a server offers, written by the server and read by the client.
//! - [`command`]: the grammar of a command line; [`params`]: of the parameters of MAIL and RCPT.
//! - [`xclient`]: whom a trusted host speaks for.
//! - [`data`]: message content on the wire, by DATA or by BDAT.
//! - [`server`]: the receiving machine; [`client`]: the sending one.

pub mod client;
pub mod command;
pub mod data;
mod encode;
mod extensions;
pub mod params;
mod reply;
pub mod server;
pub mod xclient;

pub use extensions::{Extensions, SessionLimits};
pub use reply::{EnhancedCode, Refusal, Reply};

/// Which of the three dialects a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Relay between MTAs, RFC 5321.
    Smtp,
    /// Submission by a user's program, RFC 6409.
    Submission,
    /// Local delivery with a reply per recipient, RFC 2033.
    Lmtp,
}
