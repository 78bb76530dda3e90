//! Where a message goes next, as far as connections are concerned.

use std::fmt;

use address::Domain;
use spool::NextHop;

/// What one connection can serve: recipients of one destination share connections and limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The lmtpd of this system; it serves all accounts.
    Lmtp,
    /// The mail exchangers of a domain.
    Mx(Domain),
    /// A host that a configured route or an address literal names, without regard to MX records.
    Host {
        /// A host name or an IP address; in brackets, an address literal (RFC 5321 4.1.3).
        host: String,
        /// Its port.
        port: u16,
    },
    /// Nowhere yet: the router is asked.
    Router,
}

impl From<&NextHop> for Destination {
    fn from(next_hop: &NextHop) -> Self {
        match next_hop {
            NextHop::Local { .. } => Self::Lmtp,
            NextHop::Mx { domain } => Self::Mx(domain.clone()),
            NextHop::Host { host, port } => Self::Host { host: host.to_string(), port: *port },
            NextHop::Unrouted => Self::Router,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lmtp => f.write_str("lmtp"),
            Self::Router => f.write_str("router"),
            Self::Mx(domain) => write!(f, "{domain}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
