//! The client's side of SMTP and LMTP: one connection, any number of transactions.
//!
//! No sockets, no clock, no TLS: [`Client::action`] says what to do next, the driver does it and
//! hands what came in to [`Client::receive`]. The driver keeps the time-outs that [`Wait`] names.
//! A refused recipient never stops the others, and every recipient gets an outcome of its own.
//!
//! What the machine refuses to do: to convert a message. A peer that cannot take a message as it is
//! (8-bit, binary, non-ASCII addresses, too big) is not offered it, and the outcome says so.
//!
//! ```text
//! ExpectGreeting -> ExpectEhlo -> [ExpectStartTls -> ExpectTls -> ExpectEhlo] -> Ready
//! Ready -> ExpectEnvelope -> SendBody -> ExpectDelivery -> Ready      (ExpectReset after a refusal)
//! Ready -> ExpectQuit -> Closed
//! ```

mod command;
mod greet;
mod reader;
mod stuffing;
mod transaction;

use bytes::BytesMut;
use thiserror::Error;

use crate::{Extensions, Reply};

pub use transaction::{Outcome, Report, Stage, Transaction};

use reader::ReplyReader;
use transaction::{ExpectDelivery, ExpectEnvelope, ExpectRefusal, ExpectReset, SendBody};

/// Which of the two protocols a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP (RFC 5321): EHLO or HELO; one reply to a message.
    Smtp,
    /// LMTP (RFC 2033): LHLO; one reply to a message for each accepted recipient.
    Lmtp,
}

/// When to ask for TLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTls {
    /// Never: the connection is safe already, or a handshake has failed before.
    Never,
    /// When the peer offers it; otherwise, or where the peer then refuses, in plain text.
    IfOffered,
    /// Always; no transaction without it.
    Required,
}

/// What a connection is to be like.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The name that EHLO, HELO and LHLO give: a domain or an address literal.
    pub hello_name: String,
    /// When to ask for TLS.
    pub start_tls: StartTls,
    /// Commands in one pipelined group, so that the replies cannot fill both directions (RFC 2920 3.1).
    pub group_commands_max: usize,
}

impl ClientSettings {
    /// SMTP or LMTP with TLS when it is offered.
    pub fn new(protocol: Protocol, hello_name: impl Into<String>) -> Self {
        let hello_name = hello_name.into();
        Self { protocol, hello_name, start_tls: StartTls::IfOffered, group_commands_max: 100 }
    }
}

/// What the driver is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Read, for at most as long as the named wait allows, and pass it to [`Client::receive`].
    Receive(Wait),
    /// Do a TLS handshake, then call [`Client::tls_started`]. Where it fails the connection is lost.
    StartTls,
    /// Pass the body to [`Client::body_push`], chunk by chunk, then call [`Client::body_finish`].
    Body,
    /// A transaction has ended. Comes once; what to do then is the next action.
    Finished(Report),
    /// Nothing: [`Client::transaction_begin`] or [`Client::quit`] may be called.
    Ready,
    /// The connection is of no more use.
    Close,
}

/// What a read waits for; the times are those of RFC 5321 4.5.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The 220 that opens a connection (RFC 5321 4.5.3.2.1).
    Greeting,
    /// The reply to MAIL, RCPT and anything else short (RFC 5321 4.5.3.2.2 and 4.5.3.2.3).
    Command,
    /// The 354 to DATA (RFC 5321 4.5.3.2.4).
    DataInitiation,
    /// The reply to the whole message (RFC 5321 4.5.3.2.6).
    DataTermination,
}

/// Why a connection cannot be used, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The peer does not want to talk to us; 521 means never (RFC 7504).
    #[error("refused at the {stage}: {reply}")]
    Refused {
        /// Where.
        stage: Stage,
        /// What it said.
        reply: Reply,
    },
    /// TLS is required and not offered.
    #[error("TLS is required, and the peer does not offer it")]
    TlsNotOffered,
    /// Bytes came with the reply to STARTTLS: they may have been put there by a third party.
    #[error("plain text followed the reply to STARTTLS")]
    PlaintextAfterStartTls,
    /// What came in is not a reply.
    #[error("not an SMTP reply")]
    ReplyMalformed,
    /// A reply that does not end.
    #[error("a reply is too long")]
    ReplyTooLong,
    /// A reply to nothing that was sent.
    #[error("a reply to nothing that was sent: {0}")]
    ReplyUnasked(Reply),
    /// The body was not as long as announced: the fault is on this side.
    #[error("a body of {announced} bytes was announced and {given} were given")]
    BodyLength {
        /// Bytes that [`Transaction::body_bytes`] said.
        announced: u64,
        /// Bytes that were pushed.
        given: u64,
    },
    /// A call that the state of the connection does not allow: the fault is on this side.
    #[error("called out of turn")]
    OutOfTurn,
}

/// One connection to a server.
pub struct Client {
    state: State,
    line: Line,
    reader: ReplyReader,
    finished: Option<Report>,
}

/// What every state needs: the settings, what the peer can do, and where to write.
struct Line {
    settings: ClientSettings,
    peer: Extensions,
    secure: bool,
    output: Vec<u8>,
}

impl Line {
    fn command(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }
}

/// Each state is a struct named for what it expects.
enum State {
    ExpectGreeting(greet::ExpectGreeting),
    ExpectEhlo(greet::ExpectEhlo),
    ExpectHelo(greet::ExpectHelo),
    ExpectStartTls(greet::ExpectStartTls),
    ExpectTls,
    Ready,
    ExpectEnvelope(Box<ExpectEnvelope>),
    SendBody(SendBody),
    ExpectDelivery(ExpectDelivery),
    ExpectRefusal(ExpectRefusal),
    ExpectReset(ExpectReset),
    ExpectQuit,
    Closed,
}

/// What a state makes of a reply: the state after it, and the report where a transaction ended.
struct Next {
    state: State,
    report: Option<Report>,
}

impl From<State> for Next {
    fn from(state: State) -> Self {
        Self { state, report: None }
    }
}

impl Client {
    /// A connection just opened; `secure` where nobody can listen in already (TLS from the start, or
    /// a pipe within the process).
    pub fn new(settings: ClientSettings, secure: bool) -> Self {
        let line = Line { settings, peer: Extensions::default(), secure, output: Vec::new() };
        let state = State::ExpectGreeting(greet::ExpectGreeting);
        Self { state, line, reader: ReplyReader::default(), finished: None }
    }

    /// What the peer can do; nothing before its reply to EHLO.
    pub fn extensions(&self) -> &Extensions {
        &self.line.peer
    }

    /// What to do next. Ask again after each thing done.
    pub fn action(&mut self) -> Action {
        if !self.line.output.is_empty() {
            return Action::Send(std::mem::take(&mut self.line.output));
        }
        if let Some(report) = self.finished.take() {
            return Action::Finished(report);
        }
        match &self.state {
            State::ExpectTls => Action::StartTls,
            State::SendBody(_) => Action::Body,
            State::Ready => Action::Ready,
            State::Closed => Action::Close,
            expecting => Action::Receive(expecting.wait()),
        }
    }

    /// Takes replies off the front of `input`, as many as are awaited.
    ///
    /// # Errors
    /// The connection is of no more use; ask [`Client::abandon`] for what it has achieved.
    pub fn receive(&mut self, input: &mut BytesMut) -> Result<(), ClientError> {
        while self.state.expects_reply() || matches!(self.state, State::Ready) {
            let Some(reply) = self.reader.read(input)? else { return Ok(()) };
            self.reply(reply)?;
        }
        match self.state {
            State::ExpectTls if !input.is_empty() => Err(ClientError::PlaintextAfterStartTls),
            _ => Ok(()),
        }
    }

    fn reply(&mut self, reply: Reply) -> Result<(), ClientError> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let next = state.handle(reply, &mut self.line)?;
        self.state = next.state;
        self.finished = next.report.or(self.finished.take());
        Ok(())
    }

    /// The handshake that [`Action::StartTls`] asked for is done: what the peer said before it is
    /// forgotten, and it is greeted anew (RFC 3207 4.2).
    pub fn tls_started(&mut self) {
        self.line.secure = true;
        self.line.peer = Extensions::default();
        self.state = greet::hello(&mut self.line);
    }

    /// Begins a transaction, when the action is [`Action::Ready`].
    ///
    /// # Errors
    /// [`ClientError::OutOfTurn`] in any other state.
    pub fn transaction_begin(&mut self, transaction: Transaction) -> Result<(), ClientError> {
        if !matches!(self.state, State::Ready) {
            return Err(ClientError::OutOfTurn);
        }
        let next = transaction::begin(transaction, &mut self.line);
        self.state = next.state;
        self.finished = next.report;
        Ok(())
    }

    /// Appends the wire form of the body's next chunk to `out`, which the driver writes.
    ///
    /// # Errors
    /// [`ClientError::OutOfTurn`] when no body is due; [`ClientError::BodyLength`] when it is longer than announced.
    pub fn body_push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), ClientError> {
        match &mut self.state {
            State::SendBody(body) => body.push(chunk, out),
            _ => Err(ClientError::OutOfTurn),
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`ClientError::OutOfTurn`] when no body is due; [`ClientError::BodyLength`] when it is shorter than announced.
    pub fn body_finish(&mut self) -> Result<(), ClientError> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::SendBody(body) => {
                self.state = body.finish(&mut self.line.output)?;
                Ok(())
            }
            _ => Err(ClientError::OutOfTurn),
        }
    }

    /// The peer has stopped taking the body: what it says now, through [`Client::receive`], settles the
    /// recipients if it is a refusal. The connection is of no more use.
    pub fn body_interrupt(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::SendBody(body) => body.interrupt(),
            other => other,
        };
    }

    /// Asks the peer to end the connection, when the action is [`Action::Ready`]; does nothing otherwise.
    pub fn quit(&mut self) {
        if matches!(self.state, State::Ready) {
            self.line.command("QUIT");
            self.state = State::ExpectQuit;
        }
    }

    /// The connection is lost: what the transaction on the way, if there is one, has achieved.
    /// Recipients about whom nothing was heard are [`Outcome::Unanswered`].
    pub fn abandon(&mut self) -> Option<Report> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        self.finished.take().or_else(|| state.abandon())
    }
}

impl State {
    fn expects_reply(&self) -> bool {
        !matches!(self, Self::ExpectTls | Self::Ready | Self::SendBody(_) | Self::Closed)
    }

    fn wait(&self) -> Wait {
        match self {
            Self::ExpectGreeting(_) => Wait::Greeting,
            Self::ExpectEnvelope(envelope) => envelope.wait(),
            Self::ExpectDelivery(_) => Wait::DataTermination,
            _ => Wait::Command,
        }
    }

    fn handle(self, reply: Reply, line: &mut Line) -> Result<Next, ClientError> {
        match self {
            Self::ExpectGreeting(state) => state.handle(reply, line),
            Self::ExpectEhlo(state) => state.handle(reply, line),
            Self::ExpectHelo(state) => state.handle(reply, line),
            Self::ExpectStartTls(state) => state.handle(reply, line),
            Self::ExpectEnvelope(state) => Ok(state.handle(reply, line)),
            Self::ExpectDelivery(state) => Ok(state.handle(reply, line)),
            Self::ExpectRefusal(state) => Ok(state.handle(&reply)),
            Self::ExpectReset(state) => Ok(state.handle(&reply)),
            Self::ExpectQuit => Ok(Self::Closed.into()),
            Self::Ready if reply.code() == 421 => Ok(Self::Closed.into()),
            Self::ExpectTls | Self::Ready | Self::SendBody(_) | Self::Closed => {
                Err(ClientError::ReplyUnasked(reply))
            }
        }
    }

    fn abandon(self) -> Option<Report> {
        match self {
            Self::ExpectEnvelope(state) => Some(state.abandon()),
            Self::SendBody(state) => Some(state.abandon()),
            Self::ExpectDelivery(state) => Some(state.abandon()),
            Self::ExpectRefusal(state) => Some(state.abandon()),
            _ => None,
        }
    }
}
