//! The receiving machine: commands in, events out, replies back.
//!
//! The driver gives bytes to [`Session::next`] and acts on the [`Event`] that comes out. An event that asks
//! something is answered by [`Session::accept`] or [`Session::refuse`] (and by the few verbs that only some
//! events have) before `next` is called again. What is to be sent collects in [`Session::output`], so that the
//! replies to pipelined commands go out together (RFC 2920 3.2): the driver sends it when `next` says `None`,
//! and before it does anything that takes long.
//!
//! What the protocol alone can decide never becomes an event: unknown commands, bad arguments, commands out of
//! sequence, NOOP, HELP, VRFY, a message that is too big, a bare LF.
//!
//! ```text
//! Greeting -> ExpectHello -> ExpectMail -> ExpectRcpt -> ExpectText ----------------> Ended -> ExpectMail
//!                 ^            |  |  ^          |     -> ExpectChunkBytes (LAST) ---> Ended
//!                 |            |  |  |          |           |       ^
//!              ExpectTls <-----+  +-> ExpectAuthLine        v       |
//!                                                        ExpectChunk
//! ```

mod auth;
mod content;
mod conversation;
mod greeting;
mod line;
mod transaction;
mod xclient;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::command::{Auth, Hello, Mail, Rcpt};
use crate::xclient::Xclient;
use crate::{Extensions, Flavour, Refusal, Reply, SessionLimits};

use auth::{AuthAnswer, ExpectAuthLine};
use content::{Ended, ExpectChunk, ExpectChunkBytes, ExpectDiscard, ExpectText, FirstChunk, TextStart};
use conversation::{Conversation, Next};
use greeting::{ExpectHello, ExpectQuit, ExpectTls, Greeting, HelloAnswer, TlsAnswer};
use transaction::{ExpectMail, ExpectRcpt, MailAnswer, RcptAnswer};
use xclient::XclientAnswer;

/// What a server is and offers. One value serves all sessions of a listener.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The dialect.
    pub flavour: Flavour,
    /// The name in the greeting.
    pub hostname: String,
    /// What is offered. STARTTLS is announced only while the connection is in clear, AUTH only while it is not.
    /// The size is the limit that is kept, announced or not.
    pub extensions: Extensions,
    /// Whether MAIL needs a successful AUTH first (RFC 6409 4.3).
    pub auth_required: bool,
    /// Recipients of one transaction.
    pub recipients_max: usize,
    /// Transactions of one session, those that come to nothing included.
    pub messages_max: usize,
    /// Domains of the recipients of one session.
    pub domains_max: usize,
    /// Protocol errors after which the session is closed.
    pub errors_max: u32,
    /// Senders and recipients refused for good after which the session is closed.
    pub refusals_max: u32,
    /// Commands that bring no message any further (NOOP, RSET, VRFY, HELP, EHLO), from one message to the next, after
    /// which the session is closed.
    pub idle_commands_max: u32,
    /// Time without a command after which the session is to be closed.
    pub command_time_max: Duration,
    /// Time without a byte of content after which the session is to be closed.
    pub data_time_max: Duration,
}

impl ServerSettings {
    /// A server that offers all that this crate can do, with the limits of `limits`; no STARTTLS, no AUTH.
    pub fn new(flavour: Flavour, hostname: impl Into<String>) -> Self {
        Self {
            flavour,
            hostname: hostname.into(),
            extensions: Extensions::ours(limits::MESSAGE_BYTES_MAX),
            auth_required: false,
            recipients_max: limits::SMTP_RECIPIENTS_MAX,
            messages_max: usize::MAX,
            domains_max: usize::MAX,
            errors_max: limits::SMTP_ERRORS_MAX,
            refusals_max: refusals_max(flavour),
            idle_commands_max: idle_commands_max(flavour),
            command_time_max: limits::SMTP_COMMAND_TIME_MAX,
            data_time_max: limits::SMTP_DATA_TIME_MAX,
        }
    }

    /// Bytes of the biggest message; 0 for no limit.
    fn size_max(&self) -> u64 {
        self.extensions.size.unwrap_or(0)
    }

    /// What `LIMITS` says: the limits that are kept (RFC 9422).
    fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            recipients: Some(self.recipients_max),
            messages: Some(self.messages_max),
            domains: Some(self.domains_max),
        }
    }
}

/// What happened on the wire. `(asks)` marks an event that must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// (asks) The client said who it is. An open transaction is over.
    Hello(Hello),
    /// (asks) The client wants TLS. Accepted: send the output, shake hands, call [`Session::tls_started`].
    StartTls,
    /// (asks) The client wants to log in, by a mechanism that was offered. Answer with
    /// [`Session::challenge`], `accept` or `refuse`.
    Auth(Auth),
    /// (asks) The client's response to a challenge; answered like [`Event::Auth`].
    AuthResponse(Vec<u8>),
    /// (asks) The client, which may, says whom it speaks for. Accepted, the session begins anew, with a greeting, without
    /// a login and without XCLIENT; refused, it goes on as it was.
    Xclient(Box<Xclient>),
    /// The client gave up its AUTH.
    AuthCancelled,
    /// (asks) A transaction begins.
    Mail(Mail),
    /// (asks) A recipient.
    Rcpt(Rcpt),
    /// (asks) Content is about to come, by DATA or by BDAT.
    Content,
    /// A piece of the content. [`Session::abort_content`] may be called from here on.
    Piece(Bytes),
    /// (asks) The content is whole and sound: answer with [`Session::answer_content`].
    ContentEnd(ContentFacts),
    /// The content was refused, by this machine or by `abort_content`; the client knows. The transaction is over.
    ContentRefused(Refusal),
    /// The transaction is over.
    Reset,
    /// The session is over: send the output and close.
    Close,
}

/// Who hands mail in by LMTP is trusted, and hands in what others have asked it to.
fn refusals_max(flavour: Flavour) -> u32 {
    if flavour == Flavour::Lmtp { u32::MAX } else { limits::SMTP_REFUSALS_MAX }
}

/// A relay keeps its connection for message after message, none of which may be taken for hours: where it is trusted,
/// nothing is made of that.
fn idle_commands_max(flavour: Flavour) -> u32 {
    if flavour == Flavour::Lmtp { u32::MAX } else { limits::SMTP_IDLE_COMMANDS_MAX }
}

/// What the machine saw of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentFacts {
    /// Bytes, after unstuffing.
    pub bytes: u64,
    /// Whether there was a byte over 0x7f, announced by BODY=8BITMIME or not.
    pub eight_bit: bool,
}

/// What a session is waiting for.
#[derive(Debug)]
enum State {
    Greeting(Greeting),
    Command(Expect),
    AuthLine(ExpectAuthLine),
    Text(ExpectText),
    ChunkBytes(ExpectChunkBytes),
    Discard(ExpectDiscard),
    Ended(Ended),
    Tls(ExpectTls),
    Answer(Answer),
    Closed,
}

/// The states that wait for a command line.
#[derive(Debug)]
enum Expect {
    Hello(ExpectHello),
    Mail(ExpectMail),
    Rcpt(ExpectRcpt),
    Chunk(ExpectChunk),
    Quit(ExpectQuit),
}

/// The states that wait for the caller to answer an event.
#[derive(Debug)]
enum Answer {
    Hello(HelloAnswer),
    Xclient(XclientAnswer),
    Tls(TlsAnswer),
    Auth(AuthAnswer),
    Mail(MailAnswer),
    Rcpt(RcptAnswer),
    Text(TextStart),
    Chunk(FirstChunk),
    Content(Ended),
}

/// One session.
#[derive(Debug)]
pub struct Session {
    conversation: Conversation,
    state: State,
}

impl Session {
    /// A session that has just been connected; `secure` where the connection is TLS or a pipe. The greeting is the
    /// first thing to be answered: `accept` greets, `refuse` turns the client away (RFC 5321 3.1).
    pub fn new(settings: Arc<ServerSettings>, secure: bool) -> Self {
        Self { conversation: Conversation::new(settings, secure), state: State::Greeting(Greeting) }
    }

    /// Lets this client use XCLIENT, once.
    pub fn xclient_allow(&mut self) {
        self.conversation.xclient_allowed = true;
    }

    /// XCLIENT said that the client has signed in: AUTH is not needed any more.
    pub fn authenticated_set(&mut self, authenticated: bool) {
        self.conversation.authenticated = authenticated;
    }

    /// Commands so far that broke the protocol.
    pub fn mistakes(&self) -> u32 {
        self.conversation.errors
    }

    /// Why this side has closed the session, where it has and the client did not ask for it.
    pub fn closed_because(&self) -> Option<&str> {
        self.conversation.closed_because.as_deref()
    }

    /// What comes next from `input`; `None` where more bytes are needed or an answer is due.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Event> {
        let c = &mut self.conversation;
        loop {
            let next = match std::mem::replace(&mut self.state, State::Closed) {
                State::Command(expect) => expect.handle(input, c),
                State::AuthLine(state) => state.handle(input, c),
                State::Text(state) => state.handle(input, c),
                State::ChunkBytes(state) => state.handle(input, c),
                State::Discard(state) => state.handle(input, c),
                State::Ended(state) => state.handle(c),
                State::Closed => Next::Event(State::Closed, Event::Close),
                waiting @ (State::Greeting(_) | State::Answer(_) | State::Tls(_)) => Next::NeedMore(waiting),
            };
            match next {
                Next::Go(state) => self.state = state,
                Next::NeedMore(state) => {
                    self.state = state;
                    return None;
                }
                Next::Event(state, event) => {
                    self.state = state;
                    return Some(event);
                }
            }
        }
    }

    /// Yes to the event that asked. No effect where none did.
    pub fn accept(&mut self) {
        let c = &mut self.conversation;
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting(greeting) => greeting.accepted(c),
            State::Answer(Answer::Hello(answer)) => answer.accepted(c),
            State::Answer(Answer::Xclient(answer)) => answer.accepted(c),
            State::Answer(Answer::Tls(answer)) => answer.accepted(c),
            State::Answer(Answer::Auth(answer)) => answer.accepted(c),
            State::Answer(Answer::Mail(answer)) => answer.accepted(c),
            State::Answer(Answer::Rcpt(answer)) => answer.accepted(c),
            State::Answer(Answer::Text(answer)) => answer.accepted(c),
            State::Answer(Answer::Chunk(answer)) => answer.accepted(c),
            state => state,
        };
    }

    /// No to the event that asked, with this reply. No effect where none did.
    pub fn refuse(&mut self, refusal: Refusal) {
        let c = &mut self.conversation;
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting(greeting) => greeting.refused(c, refusal),
            State::Answer(Answer::Hello(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Xclient(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Tls(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Auth(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Mail(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Rcpt(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Text(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Chunk(answer)) => answer.refused(c, refusal),
            State::Answer(Answer::Content(ended)) => ended.answered(c, vec![refusal.into()]),
            state => state,
        };
    }

    /// Goes on with an AUTH exchange: the mechanism's challenge, not encoded (RFC 4954 4).
    pub fn challenge(&mut self, challenge: &[u8]) {
        if let State::Answer(Answer::Auth(answer)) = &self.state {
            self.state = answer.challenged(&mut self.conversation, challenge);
        }
    }

    /// Answers [`Event::ContentEnd`]: one reply, or in LMTP one for each recipient that was accepted, in their order
    /// (RFC 2033 4.2). Where too few are given, the last one, or a 451, stands for the rest.
    pub fn answer_content(&mut self, replies: Vec<Reply>) {
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Answer(Answer::Content(ended)) => ended.answered(&mut self.conversation, replies),
            state => state,
        };
    }

    /// The content cannot be kept: the rest of it is read and dropped, and then answered with `refusal`.
    pub fn abort_content(&mut self, refusal: Refusal) {
        match &mut self.state {
            State::Text(state) => state.abort(refusal),
            State::ChunkBytes(state) => state.abort(refusal),
            State::Command(Expect::Chunk(state)) => state.abort(refusal),
            State::Ended(state) => state.abort(refusal),
            _ => {}
        }
    }

    /// The handshake is done: all that was learnt in clear is forgotten (RFC 3207 4.2).
    pub fn tls_started(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Tls(tls) => tls.started(&mut self.conversation),
            state => state,
        };
    }

    /// Ends the session with this reply, RFC 5321 3.8: a time-out, a stop, a client that tries too much.
    pub fn close(&mut self, refusal: Refusal) {
        self.conversation.closed_because = Some(refusal.reply().text());
        self.conversation.say(&refusal.into());
        self.state = State::Closed;
    }

    /// Takes what is to be sent.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.conversation.output)
    }

    /// How long the client may be silent from now on.
    pub fn silence_time_max(&self) -> Duration {
        let settings = &self.conversation.settings;
        if self.in_data() { settings.data_time_max } else { settings.command_time_max }
    }

    /// Whether the next byte that comes is one of content: wanted or not, but no command.
    pub fn in_data(&self) -> bool {
        matches!(self.state, State::Text(_) | State::ChunkBytes(_) | State::Discard(_))
    }

    /// Whether the client is sending a message: its content, also where it is refused, or the commands between its chunks.
    pub fn in_bytes(&self) -> bool {
        self.in_content() || matches!(self.state, State::Discard(_))
    }

    /// Whether content is coming in, so that a lost connection loses a message.
    pub fn in_content(&self) -> bool {
        matches!(self.state, State::Text(_) | State::ChunkBytes(_) | State::Command(Expect::Chunk(_)))
    }
}
