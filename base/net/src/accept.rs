//! Listeners and the sessions they start.

use crate::door::Door;
use crate::{Connection, ConnectionLimits, NetError, Network, Shutdown, TlsAcceptor};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};

/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How a listener treats who connects.
#[derive(Clone)]
pub struct ListenerSettings {
    /// The listener's name in logs and metrics, such as `submissions`.
    pub name: &'static str,
    /// TLS from the first byte.
    pub tls: Option<TlsAcceptor>,
    /// Its share of connections; give several listeners the same handle to count them together.
    pub limits: ConnectionLimits,
    /// Sent in clear to a connection that a limit refuses (not under implicit TLS), then closed.
    pub refusal: &'static [u8],
    /// Hosts that must begin each connection with a PROXY header. From all others it is no header, but what it looks like
    /// in the listener's own protocol.
    pub proxies: Vec<Network>,
    /// Sent in clear to such a host that sends no header that can be read (not under implicit TLS), then closed.
    pub proxy_refusal: &'static [u8],
}

impl ListenerSettings {
    /// A plain listener with the usual limits and no word to those it refuses.
    pub fn new(name: &'static str) -> Self {
        let limits = ConnectionLimits::default();
        Self { name, tls: None, limits, refusal: b"", proxies: Vec::new(), proxy_refusal: b"" }
    }
}

/// A bound TCP listener.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    door: Arc<Door>,
}

impl Listener {
    /// Listens on `address` (port 0: the system chooses one).
    pub async fn bind(address: SocketAddr, settings: ListenerSettings) -> Result<Self, NetError> {
        let bound = async {
            let socket = TcpListener::bind(address).await?;
            Ok((socket.local_addr()?, socket))
        };
        let (address, socket) = bound.await.map_err(|source| NetError::Bind { address, source })?;
        Ok(Self { socket, address, door: Arc::new(Door::new(settings)) })
    }

    /// Takes over a socket that listens already, as a service manager hands it in.
    pub fn from_socket(socket: std::net::TcpListener, settings: ListenerSettings) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, door: Arc::new(Door::new(settings)) })
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Runs `session` for each connection until `shutdown`; then closes the listener, waits for
    /// sessions up to the grace time, and ends those that are left.
    ///
    /// A session that panics is logged as a bug and harms no other.
    pub async fn serve<F>(
        self,
        shutdown: Shutdown,
        session: impl Fn(Connection) -> F + Clone + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut sessions = Sessions::new(self.door.listener());
        while let Some(accepted) = sessions.until(&shutdown, self.socket.accept()).await {
            match accepted.and_then(|(stream, peer)| Ok((Connection::tcp(stream, peer)?, peer))) {
                Ok((connection, peer)) => {
                    if let Some(connection) = self.door.admit(connection, peer) {
                        let connection = connection.with_shutdown(shutdown.clone());
                        sessions.spawn(Arc::clone(&self.door).enter(connection, session.clone()));
                    }
                }
                Err(error) => self.accept_failed(&error).await,
            }
        }
        drop(self.socket);
        sessions.end(limits::SHUTDOWN_GRACE_TIME).await;
    }

    async fn accept_failed(&self, error: &io::Error) {
        tracing::warn!(listener = self.door.listener(), %error, "accepting a connection");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// The running sessions of one listener.
pub(crate) struct Sessions {
    listener: &'static str,
    running: JoinSet<()>,
}

impl Sessions {
    pub(crate) fn new(listener: &'static str) -> Self {
        Self { listener, running: JoinSet::new() }
    }

    pub(crate) fn spawn(&mut self, session: impl Future<Output = ()> + Send + 'static) {
        metrics::counter!("tartan_net_connections_total", "listener" => self.listener).increment(1);
        self.running.spawn(session);
        self.count();
    }

    /// Waits for `next` and meanwhile sees sessions off; none when a stop is asked for first.
    pub(crate) async fn until<T>(&mut self, shutdown: &Shutdown, next: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(next);
        loop {
            tokio::select! {
                biased;
                () = shutdown.asked() => return None,
                Some(ended) = self.running.join_next() => self.ended(ended),
                value = &mut next => return Some(value),
            }
        }
    }

    /// Waits up to `grace` for the sessions to end by themselves, then ends them.
    pub(crate) async fn end(mut self, grace: Duration) {
        let all_ended = async {
            while let Some(ended) = self.running.join_next().await {
                self.ended(ended);
            }
        };
        if tokio::time::timeout(grace, all_ended).await.is_err() {
            tracing::warn!(
                listener = self.listener,
                sessions = self.running.len(),
                "ended at the grace time"
            );
            self.running.shutdown().await;
        }
        self.count();
    }

    fn ended(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            metrics::counter!("tartan_net_sessions_panicked_total", "listener" => self.listener).increment(1);
            tracing::error!(listener = self.listener, fault = "bug", %error, "session panicked");
        }
        self.count();
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of a few thousand")]
    fn count(&self) {
        metrics::gauge!("tartan_net_connections", "listener" => self.listener).set(self.running.len() as f64);
    }
}
