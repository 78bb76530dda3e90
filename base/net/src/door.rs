//! The way from a socket to a session: a place in the limits, a PROXY header where one is due, implicit TLS.

use crate::address_limit::Refused;
use crate::{Connection, ListenerSettings, NetError, Network, Peer, proxy};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Time in which one refused connection is logged; the others are counted.
const REFUSALS_LOG_TIME: Duration = Duration::from_secs(1);

/// The door of one listener.
pub(crate) struct Door {
    settings: ListenerSettings,
    refusals: Mutex<Refusals>,
    headers_missed: Mutex<Refusals>,
}

/// Refused connections that no line was written about.
#[derive(Debug, Default)]
struct Refusals {
    logged: Option<Instant>,
    unlogged: u64,
}

impl Refusals {
    /// Whether a line is due at `now`, and how many refusals it speaks of besides its own.
    fn line(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now - logged < REFUSALS_LOG_TIME) {
            self.unlogged += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

impl Door {
    pub(crate) fn new(settings: ListenerSettings) -> Self {
        Self { settings, refusals: Mutex::default(), headers_missed: Mutex::default() }
    }

    /// The listener's name.
    pub(crate) fn listener(&self) -> &'static str {
        self.settings.name
    }

    /// Gives the connection a place in the limits, or refuses it. A proxy is not counted by its own address.
    pub(crate) fn admit(&self, connection: Connection, peer: SocketAddr) -> Option<Connection> {
        let limits = &self.settings.limits;
        let permit =
            if self.is_proxy(&connection) { limits.admit_unknown() } else { limits.admit(peer.ip()) };
        match permit {
            Ok(permit) => Some(connection.with_permit(permit)),
            Err(limit) => {
                self.refuse(&connection, limit);
                None
            }
        }
    }

    fn is_proxy(&self, connection: &Connection) -> bool {
        Network::any(&self.settings.proxies, connection.peer().ip())
    }

    /// Takes a connection that was admitted to its session.
    pub(crate) async fn enter<F>(
        self: std::sync::Arc<Self>,
        connection: Connection,
        session: impl Fn(Connection) -> F,
    ) where
        F: Future<Output = ()>,
    {
        let Some(connection) = self.introduced(connection).await else { return };
        let Some(acceptor) = &self.settings.tls else { return session(connection).await };
        let peer = connection.peer().clone();
        match acceptor.accept(connection).await {
            Ok(connection) => session(connection).await,
            Err(error) => {
                metrics::counter!("tartan_net_tls_failures_total", "listener" => self.settings.name)
                    .increment(1);
                tracing::debug!(listener = self.settings.name, %peer, %error, "TLS handshake");
            }
        }
    }

    /// The connection as its client's, where a proxy has made it.
    async fn introduced(&self, mut connection: Connection) -> Option<Connection> {
        if !self.is_proxy(&connection) {
            return Some(connection);
        }
        let by = connection.peer().clone();
        match proxy::read(&mut connection).await {
            Ok(Some((client, local))) => connection = connection.speaks_for(client, local),
            Ok(None) => {}
            Err(error) => {
                self.header_missed(&connection, &error);
                return None;
            }
        }
        tracing::debug!(listener = self.settings.name, %by, client = %connection.peer(), "PROXY header");
        let address = connection.peer().ip();
        match connection.permit_mut().map_or(Ok(()), |permit| permit.address_set(address)) {
            Ok(()) => Some(connection),
            Err(limit) => {
                self.refuse(&connection, limit);
                None
            }
        }
    }

    fn refuse(&self, connection: &Connection, limit: Refused) {
        let (listener, limit) = (self.settings.name, limit.as_str());
        metrics::counter!("tartan_net_connections_refused_total", "listener" => listener, "limit" => limit)
            .increment(1);
        if let Some(others) = self.refusals.lock().line(Instant::now()) {
            let peer: &Peer = connection.peer();
            tracing::info!(listener, %peer, limit, others, "connection refused by a limit");
        }
        if self.settings.tls.is_none() {
            connection.write_now(self.settings.refusal);
        }
    }

    /// A host that we have been told is a proxy does not behave as one: somebody's configuration is wrong.
    fn header_missed(&self, connection: &Connection, error: &NetError) {
        let listener = self.settings.name;
        metrics::counter!("tartan_net_proxy_headers_missed_total", "listener" => listener).increment(1);
        if let Some(others) = self.headers_missed.lock().line(Instant::now()) {
            let peer: &Peer = connection.peer();
            tracing::warn!(listener, %peer, others, %error, "a host that must send a PROXY header is refused");
        }
        if self.settings.tls.is_none() {
            connection.write_now(self.settings.proxy_refusal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_refused_connections_one_a_second_is_logged_with_the_number_of_the_others() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        let lines: Vec<_> =
            (0..25).filter_map(|n| refusals.line(start + n * REFUSALS_LOG_TIME / 10)).collect();
        assert_eq!(lines, [0, 9, 9]);
    }
}
