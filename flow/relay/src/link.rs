//! One connection to a peer: the socket under the client's machine.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use disk::Body;
use net::{ClientTls, Connection, NetError, Wire, deadline_in};
use smtp::Extensions;
use smtp::client::{Action, Client, ClientError, ClientSettings, Report, Transaction, Wait};
use telemetry::Fault;
use thiserror::Error;
use tokio::time::timeout;

/// Time to read what a peer has said that broke off in the middle of a body.
const LAST_WORD_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a peer may take for each step (RFC 5321 4.5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayTimes {
    /// To take a TCP connection.
    pub connect: Duration,
    /// For the greeting.
    pub greeting: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the reply to a command.
    pub command: Duration,
    /// For the 354 to DATA.
    pub data_initiation: Duration,
    /// To take a piece of the body.
    pub data_block: Duration,
    /// For the reply to the whole message.
    pub data_termination: Duration,
    /// For all of a transaction, and for all that comes before the first, however slowly a peer says and takes it.
    pub transaction: Duration,
}

impl Default for RelayTimes {
    fn default() -> Self {
        Self {
            connect: limits::RELAY_CONNECT_TIME_MAX,
            greeting: limits::RELAY_GREETING_TIME_MAX,
            handshake: limits::TLS_HANDSHAKE_TIME_MAX,
            command: limits::RELAY_COMMAND_TIME_MAX,
            data_initiation: limits::RELAY_DATA_INITIATION_TIME_MAX,
            data_block: limits::RELAY_DATA_BLOCK_TIME_MAX,
            data_termination: limits::RELAY_DATA_TERMINATION_TIME_MAX,
            transaction: limits::SMTP_MESSAGE_TIME_MAX,
        }
    }
}

impl RelayTimes {
    fn of(&self, wait: Wait) -> Duration {
        match wait {
            Wait::Greeting => self.greeting,
            Wait::Command => self.command,
            Wait::DataInitiation => self.data_initiation,
            Wait::DataTermination => self.data_termination,
        }
    }
}

/// Why a connection is of no use.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    /// It did not come about.
    #[error("connecting: {0}")]
    Connect(#[source] NetError),
    /// It is lost.
    #[error("{0}")]
    Net(#[from] NetError),
    /// TLS did not come about.
    #[error("{0}")]
    Handshake(#[source] NetError),
    /// The peer refuses to go on, or broke the protocol.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// The body cannot be read here.
    #[error("reading the message: {0}")]
    Body(#[source] io::Error),
}

impl LinkError {
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Connect(_) => Fault::Temporary,
            Self::Net(error) | Self::Handshake(error) => error.fault(),
            Self::Client(ClientError::BodyLength { .. } | ClientError::OutOfTurn) => Fault::Bug,
            Self::Client(_) => Fault::Peer,
            Self::Body(_) => Fault::Local,
        }
    }

    /// A handshake that failed, was broken off or hung: the peer may still be spoken to in plain text. Not where
    /// plain text came in its way, which somebody in between may have sent.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Handshake(error) if !matches!(error, NetError::PlaintextAfterStartTls))
    }
}

/// What came of a transaction, and what became of the connection.
pub(crate) struct Sent {
    pub(crate) report: Report,
    /// Why the connection is of no more use.
    pub(crate) lost: Option<LinkError>,
    /// Some of the body may have reached the peer.
    pub(crate) body_begun: bool,
}

/// A connection on which the peer has said hello.
pub(crate) struct Link {
    wire: Wire,
    client: Client,
    times: RelayTimes,
    remote: String,
    messages: usize,
    body_begun: bool,
}

/// Who the peer is, and how it is spoken to.
pub(crate) struct Peer<'a> {
    /// Its name, for SNI.
    pub(crate) name: &'a str,
    /// Its name and address, for logs and reports.
    pub(crate) remote: String,
    pub(crate) tls: &'a ClientTls,
}

impl Link {
    /// Greets the peer, with TLS where that is wanted and to be had.
    pub(crate) async fn open(
        connection: Connection,
        settings: ClientSettings,
        times: RelayTimes,
        peer: Peer<'_>,
    ) -> Result<Self, LinkError> {
        let opened = Self::open_untimed(connection, settings, times, peer);
        timeout(times.transaction, opened).await.unwrap_or_else(|_| Err(out_of_time()))
    }

    async fn open_untimed(
        connection: Connection,
        settings: ClientSettings,
        times: RelayTimes,
        peer: Peer<'_>,
    ) -> Result<Self, LinkError> {
        let client = Client::new(settings, connection.is_secure());
        let wire = Wire::new(connection).with_write_time_max(times.data_block);
        let mut link = Self { wire, client, times, remote: peer.remote, messages: 0, body_begun: false };
        while !link.ready().await? {
            let secured = timeout(times.handshake, link.wire.start_tls_client(peer.tls, peer.name)).await;
            let secured = secured.unwrap_or(Err(NetError::Timeout("in the TLS handshake")));
            let wire = secured.map_err(LinkError::Handshake)?;
            link.client.tls_started();
            link = Self { wire, ..link };
        }
        Ok(link)
    }

    /// The peer's name and address.
    pub(crate) fn remote(&self) -> &str {
        &self.remote
    }

    /// What the peer can do.
    pub(crate) fn extensions(&self) -> &Extensions {
        self.client.extensions()
    }

    /// Whether TLS is on.
    pub(crate) fn has_tls(&self) -> bool {
        self.wire.connection().tls().is_some()
    }

    /// Goes on until a transaction may begin (true) or a handshake is due (false).
    pub(crate) async fn ready(&mut self) -> Result<bool, LinkError> {
        loop {
            match self.client.action() {
                Action::Ready => return Ok(true),
                Action::StartTls => return Ok(false),
                Action::Send(bytes) => self.write(&bytes).await?,
                Action::Receive(wait) => self.receive(wait).await?,
                Action::Body | Action::Finished(_) => return Err(ClientError::OutOfTurn.into()),
                Action::Close => return Err(NetError::Closed.into()),
            }
        }
    }

    /// Transactions so far.
    pub(crate) fn messages(&self) -> usize {
        self.messages
    }

    /// Whether the peer takes another transaction in this session, as far as it has said (RFC 9422 4.1).
    pub(crate) fn takes_more(&self) -> bool {
        self.extensions().limits.messages.is_none_or(|max| self.messages < max)
    }

    /// Passes one message on. Whatever happens, each recipient has an outcome.
    pub(crate) async fn send(&mut self, transaction: Transaction, body: &Body) -> Sent {
        self.messages += 1;
        self.body_begun = false;
        let recipients = transaction.recipients.len();
        let done = timeout(self.times.transaction, self.transact(transaction, body)).await;
        let (report, lost) = match done.unwrap_or_else(|_| Err(out_of_time())) {
            Ok(report) => (report, None),
            Err(error) => {
                let report = self.client.abandon().unwrap_or_else(|| Report::unanswered(recipients));
                (report, Some(error))
            }
        };
        Sent { report, lost, body_begun: self.body_begun }
    }

    async fn transact(&mut self, transaction: Transaction, body: &Body) -> Result<Report, LinkError> {
        self.ready().await?;
        self.client.transaction_begin(transaction)?;
        loop {
            match self.client.action() {
                Action::Finished(report) => return Ok(report),
                Action::Send(bytes) => self.write(&bytes).await?,
                Action::Receive(wait) => self.receive(wait).await?,
                Action::Body => self.body_send(body).await?,
                Action::Ready | Action::StartTls => return Err(ClientError::OutOfTurn.into()),
                Action::Close => return Err(NetError::Closed.into()),
            }
        }
    }

    async fn body_send(&mut self, body: &Body) -> Result<(), LinkError> {
        self.body_begun = true;
        let mut out = Vec::new();
        let mut offset = 0;
        while offset < body.len() {
            let chunk = chunk_read(body, offset).await.map_err(LinkError::Body)?;
            offset += chunk.len() as u64;
            out.clear();
            self.client.body_push(&chunk, &mut out)?;
            if let Err(error) = self.wire.write_all(&out).await {
                self.last_word_read().await;
                return Err(error.into());
            }
        }
        Ok(self.client.body_finish()?)
    }

    /// A peer that stops taking the body may have said why.
    async fn last_word_read(&mut self) {
        self.client.body_interrupt();
        let deadline = deadline_in(LAST_WORD_TIME_MAX);
        while self.wire.fill(deadline).await.is_ok() {
            if self.client.receive(self.wire.buffer()).is_err() {
                return;
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.wire.write_all(bytes).await?;
        Ok(self.wire.flush().await?)
    }

    /// Reads until at least one line of a reply was taken.
    async fn receive(&mut self, wait: Wait) -> Result<(), LinkError> {
        let deadline = deadline_in(self.times.of(wait));
        loop {
            let read_bytes = self.wire.buffer().len();
            self.client.receive(self.wire.buffer())?;
            if self.wire.buffer().len() < read_bytes {
                return Ok(());
            }
            self.wire.fill(deadline).await?;
        }
    }

    /// Takes leave. The peer's answer is not waited for.
    pub(crate) async fn quit(mut self) {
        self.client.quit();
        if let Action::Send(bytes) = self.client.action() {
            // Nothing depends on it.
            let _ = self.write(&bytes).await;
        }
        self.wire.close().await;
    }
}

/// A peer that always says or takes a little more, in time, may hold a worker no longer for that.
fn out_of_time() -> LinkError {
    NetError::Timeout("in a transaction").into()
}

/// A piece of the body; bodies in files are read where blocking is allowed.
async fn chunk_read(body: &Body, offset: u64) -> io::Result<Bytes> {
    if !body.is_file() {
        return body.read_at(offset, limits::BODY_CHUNK_BYTES);
    }
    let body = body.clone();
    let read = tokio::task::spawn_blocking(move || body.read_at(offset, limits::BODY_CHUNK_BYTES));
    read.await.map_err(io::Error::other)?
}
