//! The listeners, bound before anything else is opened.

use super::activation::{Activation, Origin};
use super::{has, settings};
use crate::error::CliError;
use config::{AddressRange, Config, Role};
use net::{ConnectionLimits, Listener, ListenerSettings, NetError, TlsAcceptor, TlsStore};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// What a client over the limit hears from a role that speaks SMTP or LMTP (RFC 5321 3.8).
const SMTP_REFUSAL: &[u8] = b"421 4.7.0 Too many connections, try again later\r\n";
/// The same in IMAP (RFC 3501 7.1.5).
const IMAP_REFUSAL: &[u8] = b"* BYE Too many connections, try again later\r\n";

/// What a proxy hears that has not said whom it speaks for.
const SMTP_PROXY_REFUSAL: &[u8] = b"421 4.7.0 A PROXY header is expected from this host\r\n";
/// The same in IMAP.
const IMAP_PROXY_REFUSAL: &[u8] = b"* BYE A PROXY header is expected from this host\r\n";

/// Every listener of the process, until a role takes its own.
pub struct Bound {
    activation: Activation,
    roles: BTreeMap<Role, Vec<Listener>>,
    metrics: Vec<TcpListener>,
    names: BTreeMap<String, String>,
}

/// A listener of a role: its name, where, and whether TLS comes first.
struct Wanted<'a> {
    name: &'static str,
    option: &'static str,
    addresses: &'a [SocketAddr],
    proxies: &'a [AddressRange],
    implicit: bool,
}

impl Bound {
    /// Binds all that the configuration wants for its roles, but for what `activation` has.
    pub async fn bind(config: &Config, tls: &TlsStore, activation: Activation) -> Result<Self, CliError> {
        let (roles, names) = (BTreeMap::new(), BTreeMap::new());
        let mut bound = Self { activation, roles, metrics: Vec::new(), names };
        for role in Role::ALL.iter().copied().filter(|role| has(config, *role)) {
            let limits = ConnectionLimits::new(
                config.limits.connections.get() as usize,
                config.limits.connections_per_address.get() as usize,
            );
            for wanted in wanted(config, role) {
                bound.role(role, wanted, &limits, tls.acceptor()).await?;
            }
        }
        bound.metrics(&config.metrics.listen).await?;
        bound.activation.end()?;
        Ok(bound)
    }

    async fn role(
        &mut self,
        role: Role,
        Wanted { name, option, addresses, proxies, implicit }: Wanted<'_>,
        limits: &ConnectionLimits,
        acceptor: TlsAcceptor,
    ) -> Result<(), CliError> {
        let (refusal, proxy_refusal) = match role {
            Role::Imapd => (IMAP_REFUSAL, IMAP_PROXY_REFUSAL),
            _ => (SMTP_REFUSAL, SMTP_PROXY_REFUSAL),
        };
        let (tls, limits) = (implicit.then_some(acceptor), limits.clone());
        let proxies = settings::networks(proxies)?;
        let settings = ListenerSettings { name, tls, limits, refusal, proxies, proxy_refusal };
        for origin in self.activation.origins(name, addresses) {
            let settings = settings.clone();
            let listener = match origin {
                Origin::Given(socket) => Listener::from_socket(socket, settings).map_err(CliError::failed)?,
                Origin::Bind(address) => {
                    Listener::bind(address, settings).await.map_err(|error| unbound(option, &error))?
                }
            };
            self.named(name, listener.local_addr());
            self.roles.entry(role).or_default().push(listener);
        }
        Ok(())
    }

    async fn metrics(&mut self, addresses: &[SocketAddr]) -> Result<(), CliError> {
        for origin in self.activation.origins("metrics", addresses) {
            let listener = match origin {
                Origin::Given(socket) => taken_over(socket).map_err(CliError::failed)?,
                Origin::Bind(address) => {
                    let bound = TcpListener::bind(address).await;
                    let bound = bound.map_err(|source| NetError::Bind { address, source });
                    bound.map_err(|error| unbound("metrics.listen", &error))?
                }
            };
            self.named("metrics", listener.local_addr().map_err(CliError::failed)?);
            self.metrics.push(listener);
        }
        Ok(())
    }

    fn named(&mut self, name: &str, address: SocketAddr) {
        let addresses = self.names.entry(name.to_owned()).or_default();
        if !addresses.is_empty() {
            addresses.push_str(", ");
        }
        addresses.push_str(&address.to_string());
    }

    /// Each listener and where it listens.
    pub fn names(&self) -> BTreeMap<String, String> {
        self.names.clone()
    }

    /// The listeners of one role.
    pub fn take(&mut self, role: Role) -> Vec<Listener> {
        self.roles.remove(&role).unwrap_or_default()
    }

    /// The listeners of the metrics.
    pub fn metrics_take(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.metrics)
    }
}

fn taken_over(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// What to change where an address cannot be had.
fn unbound(option: &str, error: &NetError) -> CliError {
    let denied =
        matches!(error, NetError::Bind { source, .. } if source.kind() == ErrorKind::PermissionDenied);
    let advice = match denied {
        true => "Ports below 1024 need root or CAP_NET_BIND_SERVICE.",
        false => "Give this option another address, or end what listens on this one.",
    };
    CliError::Failed(format!("{option}: {error}\n{advice}"))
}

fn wanted(config: &Config, role: Role) -> Vec<Wanted<'_>> {
    let proxies: &[AddressRange] = match role {
        Role::Mx => &config.mx.proxies,
        Role::Submission => &config.submission.proxies,
        Role::Lmtpd => &config.lmtpd.proxies,
        Role::Imapd => &config.imapd.proxies,
        Role::Relay => &[],
    };
    let plain = |name, option, addresses| Wanted { name, option, addresses, proxies, implicit: false };
    let tls = |name, option, addresses| Wanted { implicit: true, ..plain(name, option, addresses) };
    match role {
        Role::Mx => vec![plain("mx", "mx.listen", &config.mx.listen)],
        Role::Submission => vec![
            plain("submission", "submission.listen", &config.submission.listen),
            tls("submissions", "submission.listen_tls", &config.submission.listen_tls),
        ],
        Role::Lmtpd => vec![plain("lmtp", "lmtpd.listen", &config.lmtpd.listen)],
        Role::Imapd => vec![
            plain("imap", "imapd.listen", &config.imapd.listen),
            tls("imaps", "imapd.listen_tls", &config.imapd.listen_tls),
        ],
        Role::Relay => Vec::new(),
    }
}
