//! The client's side of a connection: hands messages over one after the other, each acknowledged before the next. It is
//! as cheap as can be, because it shares the processors with what it measures.

use crate::letters::Letter;
use clap::ValueEnum;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{Error, ErrorKind, Result, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use testkit::trial::Account;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How messages are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wire {
    /// LMTP into mailboxes.
    Lmtp,
    /// IMAP APPEND into mailboxes.
    Append,
    /// SMTP into the queue; what is in it is delivered meanwhile, as in service.
    Smtp,
}

/// Both directions of a connection.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// A connection after its greeting and login.
pub struct Session {
    stream: BufReader<Box<dyn Duplex>>,
    output: Vec<u8>,
    line: Vec<u8>,
}

impl Session {
    /// Connects and says EHLO, or LHLO for LMTP.
    pub async fn smtp(address: SocketAddr, lmtp: bool) -> Result<Session> {
        let mut session = Session::over(Box::new(tcp(address).await?));
        session.reply(b"220").await?;
        let hello: &[u8] = if lmtp { b"LHLO client.test\r\n" } else { b"EHLO client.test\r\n" };
        session.say(hello).await?;
        session.reply(b"250").await?;
        Ok(session)
    }

    /// Connects, inside TLS where there is a configuration for it, and logs in.
    pub async fn imap(
        address: SocketAddr,
        tls: Option<Arc<ClientConfig>>,
        account: &Account,
    ) -> Result<Session> {
        let tcp = tcp(address).await?;
        let mut session = Session::over(match tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from("localhost").expect("a name");
                Box::new(TlsConnector::from(tls).connect(name, tcp).await?)
            }
        });
        session.read_line().await?;
        session.command(&format!("LOGIN \"{}\" \"{}\"", account.login, account.password)).await?;
        Ok(session)
    }

    fn over(stream: Box<dyn Duplex>) -> Session {
        Session { stream: BufReader::new(stream), output: Vec::new(), line: Vec::new() }
    }

    /// One SMTP or LMTP transaction with one recipient, pipelined as RFC 2920 has it.
    pub async fn send(&mut self, to: &str, letter: &Letter, serial: u64) -> Result<()> {
        self.output.clear();
        write!(self.output, "MAIL FROM:<bench@client.test>\r\nRCPT TO:<{to}>\r\nDATA\r\n")?;
        self.flush().await?;
        for code in [b"250", b"250", b"354"] {
            self.reply(code).await?;
        }
        self.output.clear();
        letter.write(serial, &mut self.output);
        self.output.extend_from_slice(b".\r\n");
        self.flush().await?;
        self.reply(b"250").await
    }

    /// One APPEND with a non-synchronizing literal (RFC 7888).
    pub async fn append(&mut self, mailbox: &str, letter: &Letter, serial: u64) -> Result<()> {
        self.output.clear();
        write!(self.output, "t APPEND {mailbox} {{{}+}}\r\n", letter.len())?;
        letter.write(serial, &mut self.output);
        self.output.extend_from_slice(b"\r\n");
        self.flush().await?;
        self.tagged().await
    }

    /// One IMAP command that is answered with OK.
    pub async fn command(&mut self, command: &str) -> Result<()> {
        self.say(format!("t {command}\r\n").as_bytes()).await?;
        self.tagged().await
    }

    async fn tagged(&mut self) -> Result<()> {
        loop {
            self.read_line().await?;
            if self.line.starts_with(b"t OK") {
                return Ok(());
            }
            if self.line.starts_with(b"t ") {
                return Err(self.unexpected());
            }
        }
    }

    /// A reply with this code, of any number of lines.
    async fn reply(&mut self, code: &[u8]) -> Result<()> {
        loop {
            self.read_line().await?;
            match (self.line.starts_with(code), self.line.get(3)) {
                (true, Some(b'-')) => {}
                (true, _) => return Ok(()),
                (false, _) => return Err(self.unexpected()),
            }
        }
    }

    async fn read_line(&mut self) -> Result<()> {
        self.line.clear();
        match self.stream.read_until(b'\n', &mut self.line).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<()> {
        self.output.clear();
        self.output.extend_from_slice(bytes);
        self.flush().await
    }

    async fn flush(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(&self.output).await?;
        self.stream.get_mut().flush().await
    }

    fn unexpected(&self) -> Error {
        Error::other(String::from_utf8_lossy(&self.line).trim_end().to_owned())
    }
}

async fn tcp(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
