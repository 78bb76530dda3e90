//! The second hop: [`Transaction`](receive::Transaction) to [`Filtered`], or to a refusal that the client still hears.
//!
//! A chain of [`Filter`]s looks at a message before anybody takes responsibility for it. In front of whatever is
//! configured stands the [`Minimum`], which cannot be switched off: loops are cut, headers are bounded, and what a
//! user submits gets the fields that every message needs.
//!
//! What this crate refuses to do: to change what a message says. Fields are added on top, nothing is rewritten.

mod chain;
mod header;
mod minimum;

pub use chain::{Draft, Filter, Filtered, Filters, Look, Verdict};
pub use header::{HEADER_TAKEN_BYTES_MAX, Header, deliveries_to, header_of};
pub use minimum::{Minimum, Repair};
