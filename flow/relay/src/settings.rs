//! How the relay works.

use std::net::SocketAddr;
use std::time::Duration;

use net::RoleName;

use crate::{RelayTimes, ResolverSettings};

/// Where this system's lmtpd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// In the same process, under this role name.
    Pipe(RoleName),
    /// On another host, or in another process.
    Tcp(SocketAddr),
}

/// How the relay works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// Our name in EHLO and LHLO.
    pub hello_name: String,
    /// Other names under which hosts of this system stand in MX records, for the detection of loops.
    pub own_names: Vec<String>,
    /// Where the listeners of this system that take mail from other hosts listen, for the same: an MX record may lead
    /// there under any name.
    pub own_listeners: Vec<SocketAddr>,
    /// Whether hosts that MX records or senders name may be on this host or link (loopback, link-local and
    /// unspecified addresses). Only where a whole internet is on loopback, as in tests: such an address leads whoever
    /// writes to it to services that listen for this host alone. Configured routes may lead there all the same.
    pub near_hosts: bool,
    /// Whether mail may go to the hosts that MX records name. Where not, it waits; configured routes are used all the
    /// same.
    pub remote: bool,
    /// Where accounts' mail goes.
    pub lmtp: Endpoint,
    /// The port of mail exchangers: 25, but in tests.
    pub smtp_port: u16,
    /// How names are looked up.
    pub resolver: ResolverSettings,
    /// How long peers may take.
    pub times: RelayTimes,
    /// Workers, of all destinations elsewhere.
    pub workers_max: usize,
    /// Connections to one remote destination.
    pub per_destination_max: usize,
    /// Connections to lmtpd.
    pub lmtp_connections_max: usize,
    /// How long a connection without work is kept.
    pub idle_time: Duration,
    /// Messages over one connection.
    pub messages_per_connection_max: usize,
    /// Recipients of one transaction.
    pub recipients_per_transaction_max: usize,
    /// Copies that are claimed from the spool and wait for a worker.
    pub claimed_max: usize,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            hello_name: "localhost".into(),
            own_names: Vec::new(),
            own_listeners: Vec::new(),
            near_hosts: false,
            remote: true,
            lmtp: Endpoint::Pipe(RoleName::new("lmtpd")),
            smtp_port: 25,
            resolver: ResolverSettings::default(),
            times: RelayTimes::default(),
            workers_max: 200,
            per_destination_max: 4,
            lmtp_connections_max: 16,
            idle_time: Duration::from_secs(2),
            messages_per_connection_max: 100,
            recipients_per_transaction_max: 100,
            claimed_max: 20_000,
        }
    }
}
