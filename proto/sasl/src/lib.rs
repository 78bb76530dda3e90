//! SASL as a server speaks it, without IO: PLAIN, LOGIN, SCRAM-SHA-256 and EXTERNAL.
//!
//! Bytes go in, a [`Step`] comes out. The crate knows no account and keeps no secret: where an exchange needs the
//! directory, the step says so ([`Step::NeedAccount`], [`Step::NeedPasswordCheck`]) and the caller hands in what it
//! found. Randomness is an argument, like time. Base64 and the framing of a protocol are in [`line`](mod@line).
//!
//! An unknown account and a wrong password give the same messages: the directory answers [`NeedAccount`] for an
//! unknown login with [`ScramKeys::decoy`], and the exchange fails at its end like any other.
//!
//! Channel binding is not offered, so a client that insists on it (`p=`) is refused, and one that says it would have
//! used it (`y`) is right (RFC 5802 6).
//!
//! The server is our own and not that of `rsasl` 2.3.1, which panics on short SCRAM attributes (`n,,x`), draws its
//! nonce itself, and tells an unknown user from a wrong proof. `rsasl`'s clients are what the tests talk to.

mod error;
mod exchange;
pub mod line;
mod mechanism;
mod plain;
mod prepare;
mod scram;

pub mod client;

pub use error::SaslError;
pub use exchange::{Challenge, Channel, Identity, NeedPasswordCheck, Server, Step};
pub use mechanism::Mechanism;
pub use prepare::{Password, PreparedPassword};
pub use scram::{NeedAccount, ScramKeys, ServerNonce};
