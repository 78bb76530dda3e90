//! Receiving mail: the first hop of a message's way, bytes to [`Transaction`].
//!
//! [`Receiver`] owns a connection for the length of a session: it feeds the machine of `proto/smtp`, keeps the
//! time limits, does STARTTLS and AUTH, and streams content into a body without holding it in memory. What is
//! taken and what is refused is for a [`Role`] to say; MX, submission and LMTP are three of them.
//!
//! What this crate refuses to do: to answer a message positively without a [`Proof`] that it is durable, to keep
//! anything that came in clear before STARTTLS, to parse a password exchange itself, and to look into a message.

mod auth;
mod driver;
mod pace;
mod received;
mod receiver;
mod role;
mod session;
mod tally;
mod transaction;
mod xclient;

pub use received::date_time;
pub use receiver::{Receiver, ReceiverSettings};
pub use role::{Proof, Role, refusal_of};
pub use session::SessionInfo;
pub use transaction::Transaction;
