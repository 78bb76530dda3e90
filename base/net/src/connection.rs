//! One byte stream, whatever carries it.

use crate::{NetError, Permit, Shutdown};
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// The name of a role, such as `relay` or `lmtpd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(&'static str);

impl RoleName {
    /// Roles are known when the program is written.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A host, over TCP.
    Tcp(SocketAddr),
    /// A role of this process, over an in-memory pipe.
    Pipe {
        /// The role that called.
        role: RoleName,
    },
}

impl Peer {
    /// The address for logs, `Received` fields and limits; loopback for a pipe.
    pub fn ip(&self) -> IpAddr {
        match self {
            Self::Tcp(address) => address.ip(),
            Self::Pipe { .. } => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Pipe { role } => write!(f, "pipe:{role}"),
        }
    }
}

/// What a TLS handshake settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher: String,
    /// The name that the client asked for, or that we asked for.
    pub sni: Option<String>,
}

/// A byte stream with what is known of its peer.
///
/// Dropping it closes it and gives its place in the connection limits back.
pub struct Connection {
    stream: Stream,
    peer: Peer,
    local: Option<SocketAddr>,
    tls: Option<TlsInfo>,
    shutdown: Shutdown,
    permit: Option<Permit>,
}

enum Stream {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

/// A stream that TLS can be put on.
pub(crate) enum Plain {
    Tcp(TcpStream),
    Pipe(DuplexStream),
}

impl Connection {
    /// A connection over TCP, with TCP_NODELAY: every write of ours is a whole reply.
    pub(crate) fn tcp(stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr().ok().map(canonical);
        Ok(Self::plain(Plain::Tcp(stream), Peer::Tcp(canonical(peer)), local))
    }

    /// The two ends of a pipe; the first sees `peer` at the other end, the second the first's role.
    ///
    /// Tests give a [`Peer::Tcp`] to have a session that takes the pipe for a socket.
    pub fn pair(peer: Peer, listener: RoleName) -> (Self, Self) {
        let (here, there) = tokio::io::duplex(limits::PIPE_BYTES_MAX);
        let called = Self::plain(Plain::Pipe(here), peer, None);
        (called, Self::plain(Plain::Pipe(there), Peer::Pipe { role: listener }, None))
    }

    fn plain(plain: Plain, peer: Peer, local: Option<SocketAddr>) -> Self {
        let stream = Stream::Plain(plain);
        Self { stream, peer, local, tls: None, shutdown: Shutdown::new(), permit: None }
    }

    pub(crate) fn with_shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    pub(crate) fn with_permit(mut self, permit: Permit) -> Self {
        self.permit = Some(permit);
        self
    }

    /// The addresses that a trusted host in between tells of, in place of its own.
    pub(crate) fn speaks_for(mut self, peer: SocketAddr, local: SocketAddr) -> Self {
        self.peer = Peer::Tcp(canonical(peer));
        self.local = Some(canonical(local));
        self
    }

    /// Counts the connection as one from `address`, whom the peer turns out to speak for. False where `address` has as
    /// many as it may; then nothing changes.
    pub fn counted_as(&mut self, address: IpAddr) -> bool {
        self.permit.as_mut().is_none_or(|permit| permit.address_set(address).is_ok())
    }

    pub(crate) fn permit_mut(&mut self) -> Option<&mut Permit> {
        self.permit.as_mut()
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The address that was connected to; none for a pipe.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What TLS settled, if it is on.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// Whether nobody else can read along: TLS, or a pipe within the process.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some() || self.identity().is_some()
    }

    /// The role that called over a pipe: what SASL EXTERNAL (RFC 4422 appendix A) authenticates.
    pub fn identity(&self) -> Option<RoleName> {
        match self.peer {
            Peer::Pipe { role } => Some(role),
            Peer::Tcp(_) => None,
        }
    }

    /// The stop that this connection's session must heed between commands.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Writes what fits at once to a plain socket: a last word to somebody who is not let in.
    pub(crate) fn write_now(&self, bytes: &[u8]) {
        if let Stream::Plain(Plain::Tcp(stream)) = &self.stream {
            let _ = stream.try_write(bytes);
        }
    }

    /// Ends the outgoing half.
    pub(crate) async fn shutdown_write(&mut self) -> io::Result<()> {
        tokio::io::AsyncWriteExt::shutdown(self).await
    }

    /// Replaces the plain stream by what `handshake` makes of it.
    pub(crate) async fn secured<F>(self, handshake: impl FnOnce(Plain) -> F) -> Result<Self, NetError>
    where
        F: Future<Output = Result<(TlsStream<Plain>, TlsInfo), NetError>>,
    {
        let Self { stream, peer, local, shutdown, permit, .. } = self;
        let Stream::Plain(plain) = stream else { return Err(NetError::AlreadySecure) };
        let (stream, tls) = handshake(plain).await?;
        Ok(Self { stream: Stream::Tls(Box::new(stream)), peer, local, tls: Some(tls), shutdown, permit })
    }
}

/// A listener for both families sees IPv4 addresses in IPv6 clothes.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// Runs `$call` on whatever carries the stream.
macro_rules! on_plain {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Plain::Tcp($stream) => $call,
            Plain::Pipe($stream) => $call,
        }
    };
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_plain!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        on_plain!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_plain!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_plain!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_plain!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Pipe(stream) => stream.is_write_vectored(),
        }
    }
}

/// Runs `$call` on the connection's stream.
macro_rules! on_stream {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().stream {
            Stream::Plain($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
