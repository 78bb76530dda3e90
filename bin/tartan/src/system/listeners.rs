//! The listeners, bound before anything else is opened.

use super::has;
use crate::error::CliError;
use config::{Config, Role};
use net::{ConnectionLimits, Listener, ListenerSettings, TlsAcceptor, TlsStore};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// What a client over the limit hears from a role that speaks SMTP or LMTP (RFC 5321 3.8).
const SMTP_REFUSAL: &[u8] = b"421 4.7.0 Too many connections, try again later\r\n";
/// The same in IMAP (RFC 3501 7.1.5).
const IMAP_REFUSAL: &[u8] = b"* BYE Too many connections, try again later\r\n";

/// Every listener of the process, until a role takes its own.
pub struct Bound {
    roles: BTreeMap<Role, Vec<Listener>>,
    metrics: Vec<TcpListener>,
    names: BTreeMap<String, String>,
}

/// A listener of a role: its name, where, and whether TLS comes first.
type Wanted<'a> = (&'static str, &'a [SocketAddr], bool);

impl Bound {
    /// Binds all that the configuration wants for its roles.
    pub async fn bind(config: &Config, tls: &TlsStore) -> Result<Self, CliError> {
        let mut bound = Self { roles: BTreeMap::new(), metrics: Vec::new(), names: BTreeMap::new() };
        for role in Role::ALL.iter().copied().filter(|role| has(config, *role)) {
            let limits = ConnectionLimits::new(
                config.limits.connections.get() as usize,
                config.limits.connections_per_address.get() as usize,
            );
            for wanted in wanted(config, role) {
                bound.role(role, wanted, &limits, tls.acceptor()).await?;
            }
        }
        for address in &config.metrics.listen {
            bound.metrics(*address).await?;
        }
        Ok(bound)
    }

    async fn role(
        &mut self,
        role: Role,
        (name, addresses, implicit): Wanted<'_>,
        limits: &ConnectionLimits,
        acceptor: TlsAcceptor,
    ) -> Result<(), CliError> {
        let refusal = if role == Role::Imapd { IMAP_REFUSAL } else { SMTP_REFUSAL };
        let tls = implicit.then_some(acceptor);
        let settings = ListenerSettings { name, tls, limits: limits.clone(), refusal };
        for address in addresses {
            let listener = Listener::bind(*address, settings.clone()).await.map_err(CliError::failed)?;
            self.named(name, listener.local_addr());
            self.roles.entry(role).or_default().push(listener);
        }
        Ok(())
    }

    async fn metrics(&mut self, address: SocketAddr) -> Result<(), CliError> {
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|error| CliError::Failed(format!("cannot listen on {address}: {error}")))?;
        self.named("metrics", address);
        self.metrics.push(listener);
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

fn wanted(config: &Config, role: Role) -> Vec<Wanted<'_>> {
    match role {
        Role::Mx => vec![("mx", &config.mx.listen, false)],
        Role::Submission => vec![
            ("submission", &config.submission.listen, false),
            ("submissions", &config.submission.listen_tls, true),
        ],
        Role::Lmtpd => vec![("lmtp", &config.lmtpd.listen, false)],
        Role::Imapd => {
            vec![("imap", &config.imapd.listen, false), ("imaps", &config.imapd.listen_tls, true)]
        }
        Role::Relay => Vec::new(),
    }
}
