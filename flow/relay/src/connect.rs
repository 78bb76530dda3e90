//! From a destination to a connection: hosts by preference, all their addresses, TLS where it is to be had.

use std::collections::HashSet;
use std::net::SocketAddr;

use net::{ClientTls, Connection, NetError, Pipes, RoleName, connect_tcp};
use smtp::client::{ClientSettings, Protocol, StartTls};

use crate::dns::Dns;
use crate::link::{Link, LinkError, Peer};
use crate::settings::{Endpoint, RelaySettings};
use crate::{Destination, Failure, ResolverError, place};

/// The role as which the relay calls other roles of its process.
const RELAY: RoleName = RoleName::new("relay");

/// What an operator reads in the queue where nothing may leave.
const REMOTE_OFF: &str = "mail for other hosts waits here: relay.remote is off and no route names its domain";

/// The hosts, as in [`Link::remote`], that were tried in one attempt.
pub(crate) type Tried = HashSet<String>;

/// Who says that mail goes to a host.
#[derive(Clone, Copy)]
enum Named {
    /// The operator.
    ByRoute,
    /// The DNS, or the sender.
    ByOthers,
}

/// Opens connections.
pub(crate) struct Connector {
    settings: RelaySettings,
    ours: HashSet<String>,
    pipes: Pipes,
    dns: Dns,
    tls: ClientTls,
}

/// A host to try.
struct Target {
    name: String,
    address: SocketAddr,
    protocol: Protocol,
}

impl Connector {
    pub(crate) fn new(pipes: Pipes, settings: RelaySettings) -> Result<Self, ResolverError> {
        let dns = Dns::new(&settings.resolver)?;
        let names = settings.own_names.iter().chain([&settings.hello_name]);
        let ours = names.map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { settings, ours, pipes, dns, tls: ClientTls::opportunistic() })
    }

    /// A connection to any host of the destination that is not among those `tried`, which it joins.
    pub(crate) async fn open(&self, destination: &Destination, tried: &mut Tried) -> Result<Link, Failure> {
        match (destination, &self.settings.lmtp) {
            (Destination::Lmtp, Endpoint::Pipe(role)) => self.open_pipe(*role).await,
            (Destination::Lmtp, Endpoint::Tcp(address)) => {
                let name = address.ip().to_string();
                self.open_tcp(&Target { name, address: *address, protocol: Protocol::Lmtp }).await
            }
            (away, _) if !self.settings.remote && is_unconfigured(away) => {
                Err(Failure::temporary(7, 1, REMOTE_OFF))
            }
            (Destination::Mx(domain), _) => {
                let hosts = self.dns.exchangers(domain, &self.ours).await?;
                self.open_any(&hosts, self.settings.smtp_port, Named::ByOthers, tried).await
            }
            (Destination::Host { host, port }, _) => {
                let named = if is_unconfigured(destination) { Named::ByOthers } else { Named::ByRoute };
                self.open_any(std::slice::from_ref(host), *port, named, tried).await
            }
            (Destination::Router, _) => Err(Failure::temporary(3, 0, "the router is no host")),
        }
    }

    async fn open_pipe(&self, role: RoleName) -> Result<Link, Failure> {
        let remote = format!("pipe:{role}");
        let connected = self.pipes.connect(role, RELAY).await.map_err(LinkError::Connect);
        let connection = connected.map_err(|error| Failure::of_link(&error, &remote))?;
        let peer = Peer { name: role.as_str(), remote: remote.clone(), tls: &self.tls };
        let client = self.client_settings(Protocol::Lmtp, StartTls::Never);
        let opened = Link::open(connection, client, self.settings.times, peer).await;
        opened.map_err(|error| Failure::of_link(&error, &remote))
    }

    /// Tries all addresses of all hosts in order, up to a limit. A failure that may pass counts more
    /// than one that will not: another attempt may reach the host that it came from.
    async fn open_any(
        &self,
        hosts: &[String],
        port: u16,
        named: Named,
        tried: &mut Tried,
    ) -> Result<Link, Failure> {
        let mut failed: Option<Failure> = None;
        for host in hosts {
            let addresses = match self.dns.addresses(host).await {
                Ok(addresses) => addresses,
                Err(failure) => {
                    failed = Some(graver(failed, failure.at(host)));
                    continue;
                }
            };
            for address in addresses {
                let address = SocketAddr::new(address, port);
                let target = Target { name: host.clone(), address, protocol: Protocol::Smtp };
                if matches!(named, Named::ByOthers) && place::is_ours(address, &self.settings) {
                    let failure = Failure::permanent(4, 6, "mail loops back to this system");
                    return Err(graver(failed, failure.at(&target.remote())));
                }
                if tried.len() >= limits::MX_ADDRESSES_MAX || !tried.insert(target.remote()) {
                    continue;
                }
                match self.open_target(&target, named).await {
                    Ok(link) => return Ok(link),
                    Err(failure) => failed = Some(graver(failed, failure)),
                }
            }
        }
        Err(failed.unwrap_or_else(|| Failure::temporary(4, 4, "no host to try")))
    }

    async fn open_target(&self, target: &Target, named: Named) -> Result<Link, Failure> {
        if let Named::ByOthers = named {
            place::allowed(target.address, &self.settings).map_err(|failure| failure.at(&target.remote()))?;
        }
        self.open_tcp(target).await
    }

    /// One address: with TLS where it is offered, and in plain text where the handshake fails (RFC 7435).
    async fn open_tcp(&self, target: &Target) -> Result<Link, Failure> {
        let mut opened = self.greet(target, StartTls::IfOffered).await;
        if let Err(error) = &opened
            && error.is_tls()
        {
            tracing::info!(peer = target.remote(), %error, "TLS failed, going on in plain text");
            metrics::counter!("tartan_relay_tls_failures_total").increment(1);
            opened = self.greet(target, StartTls::Never).await;
        }
        opened.map_err(|error| {
            let fault = error.fault();
            tracing::debug!(peer = target.remote(), %fault, %error, "host not usable");
            Failure::of_link(&error, &target.remote())
        })
    }

    async fn greet(&self, target: &Target, start_tls: StartTls) -> Result<Link, LinkError> {
        let connection = self.connect(target).await.map_err(LinkError::Connect)?;
        let peer = Peer { name: &target.name, remote: target.remote(), tls: &self.tls };
        let client = self.client_settings(target.protocol, start_tls);
        Link::open(connection, client, self.settings.times, peer).await
    }

    async fn connect(&self, target: &Target) -> Result<Connection, NetError> {
        metrics::counter!("tartan_relay_connections_total").increment(1);
        connect_tcp(target.address, self.settings.times.connect).await
    }

    fn client_settings(&self, protocol: Protocol, start_tls: StartTls) -> ClientSettings {
        ClientSettings { start_tls, ..ClientSettings::new(protocol, self.settings.hello_name.clone()) }
    }
}

impl Target {
    fn remote(&self) -> String {
        format!("{}[{}]", self.name, self.address)
    }
}

/// Another system that the sender alone has named.
fn is_unconfigured(destination: &Destination) -> bool {
    match destination {
        Destination::Mx(_) => true,
        Destination::Host { host, .. } => host.starts_with('['),
        Destination::Lmtp | Destination::Router => false,
    }
}

/// The failure that decides about the message: the last one that may pass, else the last.
fn graver(before: Option<Failure>, now: Failure) -> Failure {
    match before {
        Some(before) if now.is_permanent && !before.is_permanent => before,
        _ => now,
    }
}
