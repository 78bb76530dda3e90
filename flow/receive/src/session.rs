//! The facts of a session.

use std::sync::Arc;

use address::AccountName;
use jiff::Timestamp;
use net::{Connection, Peer, TlsInfo};
use smtp::command::Hello;
use telemetry::SessionId;

/// Who is at the other end of a session, as far as it is known.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The session, as in the logs.
    pub id: SessionId,
    /// The role that received it.
    pub role: &'static str,
    /// Our name.
    pub hostname: Arc<str>,
    /// The other end of the connection.
    pub peer: Peer,
    /// The host name that its address has, where a trusted host has told it.
    pub client_name: Option<String>,
    /// How it introduced itself; nothing before HELO.
    pub hello: Option<Hello>,
    /// The TLS that is on, if any.
    pub tls: Option<TlsInfo>,
    /// Who logged in.
    pub account: Option<AccountName>,
}

impl SessionInfo {
    pub(crate) fn new(role: &'static str, hostname: Arc<str>, connection: &Connection) -> Self {
        Self {
            id: SessionId::next(),
            role,
            hostname,
            peer: connection.peer().clone(),
            client_name: None,
            hello: None,
            tls: connection.tls().cloned(),
            account: None,
        }
    }

    /// After the handshake: only what the connection itself says is kept (RFC 3207 4.2).
    pub(crate) fn secured(&mut self, tls: Option<TlsInfo>) {
        self.tls = tls;
        self.hello = None;
        self.account = None;
    }

    /// The name that the peer gave itself.
    pub fn hello_name(&self) -> &str {
        self.hello.as_ref().map_or("", |hello| hello.name.as_str())
    }

    /// The session's facts as the spool keeps them, for a message that arrived at `arrival`.
    pub fn origin(&self, arrival: Timestamp) -> spool::Origin {
        spool::Origin {
            role: self.role.into(),
            session: Some(self.id.to_string().into()),
            peer: self.peer.to_string().into(),
            helo: self.hello_name().into(),
            account: self.account.clone(),
            tls: self.tls.is_some(),
            arrival,
        }
    }
}
