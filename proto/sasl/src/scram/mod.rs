//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, without channel binding.

mod keys;
mod message;
mod server;
#[cfg(test)]
mod tests;

pub use keys::ScramKeys;
pub(crate) use server::{ExpectClientFinal, ExpectClientFirst, ExpectNothing};
pub use server::{NeedAccount, ServerNonce};
