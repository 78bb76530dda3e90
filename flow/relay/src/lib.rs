//! The hop that passes messages on: to lmtpd by LMTP, to other systems by SMTP.
//!
//! [`Relay::run`] takes copies that are due from the spool, queues them by [`Destination`], and gives
//! each destination as many workers as it may have. A worker keeps its connection while there is
//! something to send. What came of each recipient goes back to the spool, durably, before anything else
//! is done with it.
//!
//! - `lane`: who waits for which destination;
//! - `connect`, `dns`: from a destination to a connection: MX records, addresses, TLS;
//! - `link`: one connection, the socket under [`smtp::client`];
//! - `transmit`: one copy over one connection;
//! - `expand`: copies that have no next hop yet.
//!
//! It refuses to decide when to try again, when to give up and what to tell the sender: that is the
//! spool's. It keeps no state of its own: a relay that is killed loses nothing, and a worker that
//! crashes costs its message a strike and nobody else anything.

mod connect;
mod destination;
mod dns;
mod expand;
mod failure;
mod lane;
mod link;
mod place;
mod relay;
mod settings;
mod transmit;

pub use destination::Destination;
pub use dns::{ResolverError, ResolverSettings, resolver};
pub use failure::Failure;
pub use link::RelayTimes;
pub use relay::Relay;
pub use settings::{Endpoint, RelaySettings};
