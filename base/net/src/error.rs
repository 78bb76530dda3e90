//! What can go wrong between here and a peer.

use crate::RoleName;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use telemetry::Fault;

/// Why a step on a connection, a listener or a certificate failed.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The peer did not do its part in time.
    #[error("timed out while {0}")]
    Timeout(&'static str),
    /// The peer closed the connection.
    #[error("connection closed by the peer")]
    Closed,
    /// The process is stopping and the session was between commands.
    #[error("shutting down")]
    Stopping,
    /// The read buffer is full and the driver has taken nothing from it.
    #[error("read buffer of {bytes_max} bytes is full")]
    BufferFull {
        /// Its size.
        bytes_max: usize,
    },
    /// The transport failed.
    #[error("connection failed: {0}")]
    Io(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("TLS failed: {0}")]
    Tls(#[source] io::Error),
    /// Bytes came in clear behind the STARTTLS command (CVE-2011-0411).
    #[error("plain text was sent after STARTTLS and before the handshake")]
    PlaintextAfterStartTls,
    /// The connection has TLS already, or is a pipe that needs none.
    #[error("the connection is already secure")]
    AlreadySecure,
    /// A host that must begin with a PROXY header has not, or with none that can be read.
    #[error("PROXY header: {0}")]
    ProxyHeader(&'static str),
    /// Not a name or address that a certificate can be checked against.
    #[error("{0:?} is not a server name")]
    ServerName(String),
    /// No role of this process listens under that name.
    #[error("no role of this process listens as {0}")]
    NoSuchRole(RoleName),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A certificate or key file is not usable.
    #[error("certificate file {path}: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl NetError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Timeout(_) | Self::Closed | Self::BufferFull { .. } => Fault::Peer,
            Self::Tls(_) | Self::PlaintextAfterStartTls | Self::AlreadySecure => Fault::Peer,
            Self::ProxyHeader(_) => Fault::Peer,
            Self::Stopping | Self::Io(_) => Fault::Temporary,
            Self::ServerName(_) | Self::Bind { .. } | Self::Certificate { .. } => Fault::Local,
            Self::NoSuchRole(_) => Fault::Local,
        }
    }
}

impl From<io::Error> for NetError {
    /// A reset or broken connection is a closed one; all else is the transport's failure.
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}
