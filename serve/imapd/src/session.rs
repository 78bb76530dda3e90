//! One session: reads commands, has them run, answers them, until one side has enough.

use std::sync::Arc;

use directory::Directory;
use imap::{
    Append, Code, CommandError, Frame, FrameError, Line, LiteralDecision, LiteralHeader, Quirk, Quirks,
    Request, Status, Tag, response,
};
use mailstore::Mailstore;
use net::{Connection, Instant, NetError, TlsAcceptor, Wire, deadline_in};

use crate::ImapSettings;
use crate::bodies::Bodies;
use crate::channel::{Channel, ReadError};
use crate::cmd::append::AppendStop;
use crate::cmd::{append, capability};
use crate::names::mend;
use crate::refusal::{Done, Outcome, Refusal, Stop};
use crate::report::{Unasked, report};
use crate::search::SearchPool;
use crate::state::State;

/// What follows a command.
pub(crate) enum Next {
    Command,
    /// The OK to STARTTLS is written.
    Handshake,
    /// The client has logged in.
    Trusted,
    /// The session is over.
    Close,
}

/// One session and the handles it needs.
pub(crate) struct Session {
    pub(crate) channel: Channel,
    pub(crate) state: State,
    pub(crate) mailstore: Mailstore,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) bodies: Bodies,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) searches: SearchPool,
    pub(crate) settings: ImapSettings,
    /// The client knows of modseqs (RFC 7162 3.1).
    pub(crate) condstore: bool,
    pub(crate) quirks: Quirks,
    /// Commands in a row that were BAD.
    bad_in_a_row: u32,
    pub(crate) logins_refused: u32,
    /// The time by which the client must have logged in.
    login_deadline: Instant,
}

impl Session {
    pub(crate) fn new(
        connection: Connection,
        mailstore: Mailstore,
        directory: Arc<dyn Directory>,
        bodies: Bodies,
        tls: Option<TlsAcceptor>,
        searches: SearchPool,
        settings: ImapSettings,
    ) -> Self {
        let channel = Channel::new(Wire::new(connection));
        let state = State::ExpectLogin;
        let login_deadline = deadline_in(settings.login_time_max);
        let quirks = settings.quirks;
        Self {
            channel,
            state,
            mailstore,
            directory,
            bodies,
            tls,
            searches,
            settings,
            condstore: false,
            quirks,
            bad_in_a_row: 0,
            logins_refused: 0,
            login_deadline,
        }
    }

    /// Runs the session to its end.
    pub(crate) async fn run(mut self) {
        self.greet();
        loop {
            match self.turn().await {
                Ok(Next::Command) => {}
                Ok(Next::Handshake) => match self.secured().await {
                    Ok(secured) => self = secured,
                    Err(error) => return error.fault().log("TLS handshake failed", &error),
                },
                Ok(Next::Trusted) => self = self.trusted(),
                Ok(Next::Close) => break,
                Err(stop) => {
                    self.farewell(stop);
                    break;
                }
            }
        }
        self.end().await;
    }

    /// RFC 3501 7.1.1: the greeting lists the capabilities, which saves a round trip.
    fn greet(&mut self) {
        let names = self.capabilities();
        let code = Some(Code::Capability(&names));
        response::untagged(self.channel.text(), Status::Ok, code, "Tartan ready");
    }

    pub(crate) fn capabilities(&self) -> Vec<&'static str> {
        let connection = self.channel.wire().connection();
        capability::names(connection, self.tls.is_some(), self.state.is_logged_in())
    }

    /// The time by which the next command must be there, and be finished by the client.
    pub(crate) fn deadline(&self) -> Instant {
        match self.state.is_logged_in() {
            false => self.login_deadline,
            true => deadline_in(self.settings.idle_time_max),
        }
    }

    /// One command. An error ends the session.
    async fn turn(&mut self) -> Result<Next, Stop> {
        let deadline = self.deadline();
        // A client that always has one more command in the pipe is never waited for.
        if deadline <= Instant::now() {
            return Err(Stop::Broken(NetError::Timeout("reading")));
        }
        match self.channel.frame(deadline).await {
            Ok(Frame::Line(line)) => self.line(&line).await,
            Ok(Frame::Literal(header)) => self.literal(&header).await.map(|()| Next::Command),
            Ok(Frame::NeedMore) => Ok(Next::Command),
            Err(ReadError::Net(error)) => Err(Stop::Broken(error)),
            Err(ReadError::Frame(error)) => self.unframed(&error),
        }
    }

    async fn line(&mut self, line: &Line) -> Result<Next, Stop> {
        match Request::parse(line) {
            Ok(Request { tag, command }) => self.command(&tag, command).await,
            Err(error) => self.malformed(&error).map(|()| Next::Command),
        }
    }

    /// A literal header: the message of an APPEND streams, any other literal becomes part of its line.
    async fn literal(&mut self, header: &LiteralHeader) -> Result<(), Stop> {
        match (header.append(), header.tag()) {
            (Some(Ok(asked)), Some(tag)) => self.append(&tag, header, asked).await,
            (Some(Err(error)), _) => {
                self.channel.decide(LiteralDecision::Refuse);
                self.malformed(&error)
            }
            (_, tag) => self.buffer_literal(header, tag),
        }
    }

    async fn append(&mut self, tag: &Tag, header: &LiteralHeader, mut asked: Append) -> Result<(), Stop> {
        let account = match self.state.account() {
            Ok(account) => account,
            Err(stop) => {
                self.channel.decide(LiteralDecision::Refuse);
                return self.answer(tag, Err(stop), Unasked::NoExpunges).await;
            }
        };
        mend(self.quirks, &mut asked.mailbox);
        let unasked = if self.quirks.has(Quirk::DelayNewMail) { Unasked::Nothing } else { Unasked::All };
        let (out, store, bodies) = (&mut self.channel, &self.mailstore, &self.bodies);
        let time_max = self.settings.idle_time_max;
        match append::run(out, store, account, bodies, header, &asked, time_max).await {
            Ok(done) => self.answer(tag, Ok(done), unasked).await,
            Err(AppendStop::Stop(stop)) => self.answer(tag, Err(stop), unasked).await,
            Err(AppendStop::Malformed(error)) => self.malformed(&error),
            Err(AppendStop::Unframed(error)) => self.unframed(&error).map(drop),
        }
    }

    fn buffer_literal(&mut self, header: &LiteralHeader, tag: Option<Tag>) -> Result<(), Stop> {
        let decision = header.decision(self.channel.frame_limits());
        self.channel.decide(decision);
        if decision == LiteralDecision::Refuse {
            return self.refuse_literal(header, tag);
        }
        if !header.non_sync {
            response::continuation(self.channel.text(), "Go on");
        }
        Ok(())
    }

    fn refuse_literal(&mut self, header: &LiteralHeader, tag: Option<Tag>) -> Result<(), Stop> {
        let refusal = match header.number > self.channel.frame_limits().literals_max {
            true => Refusal { code: Some(Code::Limit), ..Refusal::bad("Too many literals") },
            false => Refusal { code: Some(Code::TooBig), ..Refusal::bad("Literal is too large") },
        };
        match tag {
            Some(tag) => refusal.write(self.channel.text(), &tag),
            None => response::untagged(self.channel.text(), Status::Bad, refusal.code, &refusal.text),
        }
        self.count_bad()
    }

    /// A command that cannot be parsed.
    fn malformed(&mut self, error: &CommandError) -> Result<(), Stop> {
        error.write(self.channel.text());
        self.count_bad()
    }

    /// Bytes that are no command at all. Where the framer cannot find the next one, the session ends.
    fn unframed(&mut self, error: &FrameError) -> Result<Next, Stop> {
        let (FrameError::LineTooLong { tag } | FrameError::LiteralTooLarge { tag }) = error;
        let text = self.channel.text();
        match tag {
            Some(tag) => response::tagged(text, tag, Status::Bad, None, &error.to_string()),
            None => response::untagged(text, Status::Bad, None, &error.to_string()),
        }
        match error {
            FrameError::LineTooLong { .. } => self.count_bad().map(|()| Next::Command),
            FrameError::LiteralTooLarge { .. } => {
                self.count_bad()?;
                Err(Stop::Bye("Literal is too large"))
            }
        }
    }

    /// Ends a command: what has changed, then the tagged response.
    pub(crate) async fn answer(
        &mut self,
        tag: &Tag,
        outcome: Outcome<Done>,
        unasked: Unasked,
    ) -> Result<(), Stop> {
        if let Err(Stop::Broken(_) | Stop::Bye(_)) = outcome {
            return outcome.map(drop);
        }
        if let Some(mailbox) = self.state.mailbox() {
            match report(&mut self.channel, mailbox, unasked).await {
                Err(Stop::Refused(refusal)) => tracing::warn!(text = %refusal.text, "changes not reported"),
                reported => reported?,
            }
        }
        self.channel.relieve().await?;
        match outcome {
            Ok(done) => {
                self.bad_in_a_row = 0;
                let capabilities = self.capabilities();
                done.write(self.channel.text(), tag, &capabilities);
                Ok(())
            }
            Err(Stop::Refused(refusal)) => {
                refusal.write(self.channel.text(), tag);
                if refusal.is_bad() { self.count_bad() } else { Ok(()) }
            }
            Err(stop) => Err(stop),
        }
    }

    /// A client that sends nothing but nonsense is sent away.
    fn count_bad(&mut self) -> Result<(), Stop> {
        metrics::counter!("tartan_imapd_bad_commands_total").increment(1);
        self.bad_in_a_row += 1;
        match self.bad_in_a_row < limits::IMAP_ERRORS_MAX {
            true => Ok(()),
            false => Err(Stop::Bye("Too many bad commands")),
        }
    }

    async fn secured(self) -> Result<Self, NetError> {
        let Some(acceptor) = self.tls.clone() else { return Err(NetError::AlreadySecure) };
        let channel = self.channel.start_tls(&acceptor).await?;
        Ok(Self { channel, login_deadline: deadline_in(self.settings.login_time_max), ..self })
    }

    /// Somebody with an account may send longer commands.
    fn trusted(self) -> Self {
        Self { channel: self.channel.trusted(), ..self }
    }

    /// The BYE (RFC 3501 7.1.5), where there is somebody to hear it.
    fn farewell(&mut self, stop: Stop) {
        let text = match stop {
            Stop::Bye(text) => text,
            Stop::Broken(NetError::Timeout("reading")) => {
                metrics::counter!("tartan_imapd_late_total").increment(1);
                "Autologout, idle for too long"
            }
            Stop::Broken(NetError::Stopping) => "Server is shutting down",
            Stop::Broken(error) => return error.fault().log("connection lost", &error),
            Stop::Refused(_) => "Internal error",
        };
        tracing::debug!(text, "session ended by the server");
        response::untagged(self.channel.text(), Status::Bye, None, text);
    }

    /// Sends what is left, as far as the client takes it.
    async fn end(mut self) {
        if self.channel.send().await.is_ok() {
            self.channel.close().await;
        }
    }
}
