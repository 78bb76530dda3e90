//! Final delivery: a message and an account to a place in a mailbox.
//!
//! [`Deliverer::deliver`] puts the trace fields of the last hop on top, cuts loops, decides on the [`Action`]s, and
//! gives [`Delivered`], which cannot be had without the mail store's own proof that the message is durable.
//!
//! What this crate refuses to do: to resolve addresses, to speak a protocol, to look into a message beyond its
//! header, and to fail a delivery because a mailbox of choice is not there: the inbox always is.

mod action;
mod deliverer;
mod error;
mod trace;

pub use action::Action;
pub use deliverer::{Delivered, Deliverer, Delivery};
pub use error::DeliverError;
