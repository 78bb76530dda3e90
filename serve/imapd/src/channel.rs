//! The session's end of the connection: frames in, responses out.

use std::time::Duration;

use bytes::Bytes;
use disk::Body;
use imap::{Frame, FrameError, FrameLimits, Framer, LiteralDecision, PieceRef, Pieces};
use message::wire::without_nul;
use net::{Instant, NetError, TlsAcceptor, Wire, deadline_in};

/// What stopped the reading of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The connection.
    #[error(transparent)]
    Net(#[from] NetError),
    /// What the client sent; the framer has skipped it.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A wire, the framer on its input, and the responses that wait to be written.
///
/// Responses are written when the client has nothing more in the pipe, or when more than
/// [`limits::IMAP_OUTPUT_BYTES_MAX`] have gathered: pipelined commands share a write, and a large FETCH never
/// sits in memory.
#[derive(Debug)]
pub(crate) struct Channel {
    wire: Wire,
    framer: Framer,
    frame_limits: FrameLimits,
    out: Pieces<Body>,
}

impl Channel {
    /// A channel to somebody who has not logged in: commands are short.
    pub(crate) fn new(wire: Wire) -> Self {
        let wire = wire.with_buffer_bytes_max(limits::IMAP_LOGIN_INPUT_BYTES_MAX);
        let frame_limits = FrameLimits::before_login();
        Self { wire, framer: Framer::new(frame_limits), frame_limits, out: Pieces::new() }
    }

    /// Takes commands of full length from now on.
    pub(crate) fn trusted(mut self) -> Self {
        let frame_limits = FrameLimits::default();
        self.framer.change_limits(frame_limits);
        Self { wire: self.wire.with_buffer_bytes_max(limits::IMAP_INPUT_BYTES_MAX), frame_limits, ..self }
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn frame_limits(&self) -> &FrameLimits {
        &self.frame_limits
    }

    /// The buffer that responses are appended to.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        self.out.text()
    }

    /// The queue that responses with large parts are appended to.
    pub(crate) fn pieces(&mut self) -> &mut Pieces<Body> {
        &mut self.out
    }

    /// The next command or literal header. What waits to be written is written before waiting for input.
    pub(crate) async fn frame(&mut self, deadline: Instant) -> Result<Frame, ReadError> {
        loop {
            match self.framer.next(self.wire.buffer())? {
                Frame::NeedMore => self.await_input(deadline).await?,
                frame => return Ok(frame),
            }
        }
    }

    /// The next line that is no command: a SASL response, or the DONE of IDLE.
    pub(crate) async fn raw_line(&mut self, deadline: Instant) -> Result<Bytes, ReadError> {
        loop {
            match self.framer.raw_line(self.wire.buffer())? {
                None => self.await_input(deadline).await?,
                Some(line) => return Ok(line),
            }
        }
    }

    /// Says what becomes of the literal whose header came last.
    pub(crate) fn decide(&mut self, decision: LiteralDecision) {
        self.framer.decide(decision);
    }

    /// The next octets of a streamed literal, none at its end. Each piece must come within `time_max`.
    pub(crate) async fn literal_chunk(&mut self, time_max: Duration) -> Result<Option<Bytes>, NetError> {
        while self.framer.literal_left() > 0 {
            match self.framer.literal_chunk(self.wire.buffer()) {
                None => self.await_input(deadline_in(time_max)).await?,
                chunk => return Ok(chunk),
            }
        }
        Ok(None)
    }

    /// Bytes that the client has sent ahead of the answer to its last command.
    pub(crate) fn has_input(&mut self) -> bool {
        !self.wire.buffer().is_empty()
    }

    /// Ends when nobody waits for an answer any more: the client is gone, or the process is to stop. Commands that come
    /// meanwhile are kept.
    pub(crate) async fn abandoned(&mut self) -> NetError {
        loop {
            match self.wire.fill_or_stop(deadline_in(limits::IMAP_IDLE_TIME_MAX)).await {
                Ok(_) | Err(NetError::Timeout(_)) => {}
                Err(NetError::BufferFull { .. }) => {
                    self.wire.connection().shutdown().asked().await;
                    return NetError::Stopping;
                }
                Err(error) => return error,
            }
        }
    }

    async fn await_input(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.send().await?;
        self.wire.fill_or_stop(deadline).await.map(drop)
    }

    /// Writes the responses if many have gathered. Called between responses.
    pub(crate) async fn relieve(&mut self) -> Result<(), NetError> {
        if self.out.octets() < limits::IMAP_OUTPUT_BYTES_MAX as u64 {
            return Ok(());
        }
        self.write_out().await
    }

    /// Writes all responses and sends them on their way.
    pub(crate) async fn send(&mut self) -> Result<(), NetError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.write_out().await?;
        self.wire.flush().await
    }

    /// No response holds a NUL, whatever the message does: one octet goes out for it, so that lengths stay right.
    async fn write_out(&mut self) -> Result<(), NetError> {
        for piece in self.out.iter() {
            match piece {
                PieceRef::Bytes(bytes) => self.wire.write_all(&without_nul(bytes)).await?,
                PieceRef::File { file, offset, octets } => {
                    write_file(&mut self.wire, file, offset, octets).await?;
                }
            }
        }
        self.out.clear();
        Ok(())
    }

    /// The TLS handshake, after the OK to STARTTLS. What was read in clear does not survive it
    /// (RFC 3501 6.2.1).
    pub(crate) async fn start_tls(mut self, acceptor: &TlsAcceptor) -> Result<Self, NetError> {
        self.send().await?;
        Ok(Self::new(self.wire.start_tls(acceptor).await?))
    }

    pub(crate) async fn close(self) {
        self.wire.close().await;
    }
}

/// Writes a range of a body, one chunk in memory at a time.
async fn write_file(wire: &mut Wire, body: &Body, mut offset: u64, octets: u64) -> Result<(), NetError> {
    let end = offset + octets;
    while offset < end {
        let bytes = (end - offset).min(limits::BODY_CHUNK_BYTES as u64) as usize;
        let chunk = read_blocking(body, offset, bytes).await?;
        if chunk.is_empty() {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidData).into());
        }
        wire.write_all(&without_nul(&chunk)).await?;
        offset += chunk.len() as u64;
    }
    Ok(())
}

/// Reads off the async threads.
async fn read_blocking(body: &Body, offset: u64, bytes: usize) -> Result<Bytes, NetError> {
    let body = body.clone();
    let read = tokio::task::spawn_blocking(move || body.read_at(offset, bytes)).await;
    Ok(read.map_err(std::io::Error::other)??)
}
