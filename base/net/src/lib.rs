//! Connections: TCP, TLS and in-memory pipes behind one type, with a limit and a time-out on each step.
//!
//! - [`Listener`] takes connections within [`ConnectionLimits`] and runs a session for each until a
//!   [`Shutdown`] is asked for.
//! - Hosts that are named to a listener begin each connection with a PROXY header, and the client that it tells of
//!   takes the host's place: in limits, logs and all else.
//! - [`Connection`] is a byte stream with what is known of its peer; [`Wire`] adds the read buffer
//!   and the time-outs that a protocol driver needs, and the step to TLS.
//! - [`Pipes`] joins the roles of one process by pipes that look like sockets and carry the calling
//!   role as an identity.
//! - [`TlsStore`] keeps certificates, chooses by SNI and reloads changed files without dropping sessions.
//!
//! It refuses to know any protocol: no line, no reply, no greeting is made here. Bytes read before
//! STARTTLS never survive it ([`Wire::start_tls`]).

mod accept;
mod address_limit;
mod alarm;
mod certificate;
mod client;
mod connection;
mod door;
mod error;
mod network;
mod pipe;
mod proxy;
mod shutdown;
mod tls;
mod watch;
mod wire;

pub use accept::{Listener, ListenerSettings};
pub use address_limit::{ConnectionLimits, Permit};
pub use certificate::{CertificateFiles, PublicKey};
pub use client::{ClientTls, connect_tcp};
pub use connection::{Connection, Peer, RoleName, TlsInfo};
pub use error::NetError;
pub use network::{Network, NotANetwork, is_near};
pub use pipe::{PipeListener, Pipes};
pub use proxy::{is_proxy_header, read as proxy_header_read};
pub use shutdown::Shutdown;
pub use tls::{TlsAcceptor, TlsStore};
pub use wire::{Wire, deadline_in};

pub use tokio::time::Instant;
