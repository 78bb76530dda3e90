//! A connection with a read buffer and time-outs: what a protocol driver holds.

use crate::alarm::Alarm;
use crate::{ClientTls, Connection, NetError, TlsAcceptor};
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Room made for one read: little for a session that waits, more as long as the peer fills it.
const READ_BYTES_MIN: usize = 1024;
const READ_BYTES_MAX: usize = 32 * 1024;
/// Pieces handed to one vectored write.
const PIECES_MAX: usize = 64;

/// The moment `time_max` from now.
pub fn deadline_in(time_max: Duration) -> Instant {
    Instant::now() + time_max
}

/// A connection, the bytes read from it and not yet taken, and a time-out on every step.
///
/// `fill` may be dropped at any await and called again: no byte is lost.
#[derive(Debug)]
pub struct Wire {
    connection: Connection,
    buffer: BytesMut,
    buffer_bytes_max: usize,
    read_bytes: usize,
    write_time_max: Duration,
    alarm: Alarm,
}

impl Wire {
    /// A wire with an empty buffer of the usual size.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            buffer: BytesMut::new(),
            buffer_bytes_max: limits::WIRE_BUFFER_BYTES_MAX,
            read_bytes: READ_BYTES_MIN,
            write_time_max: limits::WRITE_TIME_MAX,
            alarm: Alarm::default(),
        }
    }

    /// Another cap on bytes read ahead of the driver.
    pub fn with_buffer_bytes_max(mut self, buffer_bytes_max: usize) -> Self {
        self.buffer_bytes_max = buffer_bytes_max;
        self
    }

    /// Another limit on the time in which a write must get somewhere.
    pub fn with_write_time_max(mut self, write_time_max: Duration) -> Self {
        self.write_time_max = write_time_max;
        self
    }

    /// The connection: its peer, TLS and identity.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection, to count it as another's.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The bytes read and not yet taken; the driver takes from the front.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Reads at least one byte into the buffer and says how many came.
    ///
    /// # Errors
    /// [`NetError::Timeout`] at the deadline, [`NetError::Closed`] at the end of the stream,
    /// [`NetError::BufferFull`] when the driver has left the buffer full.
    pub async fn fill(&mut self, deadline: Instant) -> Result<usize, NetError> {
        let room = self.buffer_bytes_max.saturating_sub(self.buffer.len());
        if room == 0 {
            return Err(NetError::BufferFull { bytes_max: self.buffer_bytes_max });
        }
        self.buffer.reserve(room.min(self.read_bytes));
        let mut limited = bytes::BufMut::limit(&mut self.buffer, room);
        let (mut read, alarm) = (pin!(self.connection.read_buf(&mut limited)), &mut self.alarm);
        let read = poll_fn(|task| match read.as_mut().poll(task) {
            Poll::Pending => alarm.poll(deadline, task).map(|()| Err(NetError::Timeout("reading"))),
            Poll::Ready(read) => Poll::Ready(read.map_err(NetError::from)),
        });
        match read.await? {
            0 => Err(NetError::Closed),
            count => {
                self.read_bytes_adapt(count);
                Ok(count)
            }
        }
    }

    fn read_bytes_adapt(&mut self, read_bytes: usize) {
        let is_full = read_bytes >= self.read_bytes;
        self.read_bytes = if is_full { (2 * self.read_bytes).min(READ_BYTES_MAX) } else { READ_BYTES_MIN };
    }

    /// As [`Wire::fill`], between commands: ends with [`NetError::Stopping`] when the process is to stop.
    pub async fn fill_or_stop(&mut self, deadline: Instant) -> Result<usize, NetError> {
        let shutdown = self.connection.shutdown().clone();
        tokio::select! {
            biased;
            filled = self.fill(deadline) => filled,
            () = shutdown.asked() => Err(NetError::Stopping),
        }
    }

    /// Writes all of `bytes`. Each write that the transport takes must come in time.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), NetError> {
        while !bytes.is_empty() {
            let write = timeout(self.write_time_max, self.connection.write(bytes)).await;
            let count = write.map_err(|_| NetError::Timeout("writing"))??;
            if count == 0 {
                return Err(NetError::Closed);
            }
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Writes all of `bytes` and flushes, all of it by the deadline, however slowly the peer reads.
    pub async fn send_by(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), NetError> {
        let sent = async {
            self.write_all(bytes).await?;
            self.flush().await
        };
        timeout_at(deadline, sent).await.map_err(|_| NetError::Timeout("writing"))?
    }

    /// Writes all `pieces` in order, many in one system call.
    pub async fn write_pieces(&mut self, pieces: &[Bytes]) -> Result<(), NetError> {
        for some in pieces.chunks(PIECES_MAX) {
            let mut slices: Vec<IoSlice<'_>> = some.iter().map(|piece| IoSlice::new(piece)).collect();
            self.write_slices(&mut slices).await?;
        }
        Ok(())
    }

    async fn write_slices(&mut self, mut slices: &mut [IoSlice<'_>]) -> Result<(), NetError> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let write = timeout(self.write_time_max, self.connection.write_vectored(slices)).await;
            let count = write.map_err(|_| NetError::Timeout("writing"))??;
            if count == 0 {
                return Err(NetError::Closed);
            }
            IoSlice::advance_slices(&mut slices, count);
        }
        Ok(())
    }

    /// Sends what TLS has buffered on its way. A reply is written, then flushed.
    pub async fn flush(&mut self) -> Result<(), NetError> {
        let flush = timeout(self.write_time_max, self.connection.flush()).await;
        Ok(flush.map_err(|_| NetError::Timeout("writing"))??)
    }

    /// Server side of STARTTLS, after the positive reply was flushed.
    ///
    /// A driver that finds its buffer not empty behind the STARTTLS command answers with a protocol
    /// error instead; here it is the last line of defence.
    ///
    /// # Errors
    /// [`NetError::PlaintextAfterStartTls`] when anything was read and not taken;
    /// [`NetError::AlreadySecure`] under TLS.
    pub async fn start_tls(self, acceptor: &TlsAcceptor) -> Result<Self, NetError> {
        self.nothing_read()?;
        Ok(Self { connection: acceptor.accept(self.connection).await?, buffer: BytesMut::new(), ..self })
    }

    /// Client side of STARTTLS, after the peer's positive reply was taken from the buffer.
    pub async fn start_tls_client(self, tls: &ClientTls, server_name: &str) -> Result<Self, NetError> {
        self.nothing_read()?;
        let connection = tls.connect(self.connection, server_name).await?;
        Ok(Self { connection, buffer: BytesMut::new(), ..self })
    }

    fn nothing_read(&self) -> Result<(), NetError> {
        if self.buffer.is_empty() { Ok(()) } else { Err(NetError::PlaintextAfterStartTls) }
    }

    /// Says goodbye on the transport (TLS close_notify, FIN), within a second or not at all.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.connection.shutdown_write()).await;
    }
}
