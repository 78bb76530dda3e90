//! The hop that decides where each copy of a message goes: into an account, to another system, to both.
//!
//! [`Router::resolve`] answers RCPT: is there such an address, now? [`Router::route`] turns an envelope
//! into the routes that the spool keeps: details (`name+detail`) are taken off, aliases are expanded
//! until only accounts and remote addresses are left, each of them once, and remote addresses get
//! the next hop that the configuration or else their domain's MX records give.
//!
//! It refuses to look anything up in the DNS, to open a connection, and to make an address up: what
//! vanished between RCPT and now is left [`spool::NextHop::Unrouted`], for the relay to report.

mod error;
mod expand;
mod remote;
mod router;
mod settings;

pub use error::RouteError;
pub use router::{Resolution, Router};
pub use settings::{FixedRoute, OwnHost, RouteSettings, SmartHost};
