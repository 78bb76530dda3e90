//! The loop of a session: bytes to the machine, events to the role, replies to the wire.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use address::{BodyKind, Envelope, Recipient};
use directory::{Directory, for_session};
use disk::{Body, BodyWriter};
use jiff::Timestamp;
use net::{Instant, NetError, Wire, deadline_in};
use smtp::command::{Hello, Mail, Rcpt};
use smtp::server::{ContentFacts, Event, Session as Machine};
use smtp::{Refusal, Reply};
use telemetry::Fault;

use crate::auth::Exchange;
use crate::receiver::Shared;
use crate::{Proof, Role, SessionInfo, Transaction, received};

/// A session in progress.
pub(crate) struct Driver<R: Role> {
    pub(crate) shared: Arc<Shared<R>>,
    pub(crate) machine: Machine,
    pub(crate) session: SessionInfo,
    pub(crate) exchange: Exchange,
    /// Who may log in, as this peer may ask.
    pub(crate) directory: Option<Arc<dyn Directory>>,
    wire: Wire,
    open: Option<Open<R>>,
    /// When all of the message that is coming in must be in, whatever the pace and whatever becomes of it.
    content_deadline: Option<Instant>,
    refusals: u32,
}

/// A transaction that is coming in.
struct Open<R: Role> {
    id: R::Id,
    envelope: Envelope,
    targets: Vec<R::Target>,
    writer: Option<BodyWriter>,
}

/// What follows an event.
enum Then {
    Continue,
    StartTls,
    Close,
}

impl<R: Role> Driver<R> {
    pub(crate) fn new(shared: Arc<Shared<R>>, wire: Wire, session: SessionInfo) -> Self {
        let machine = Machine::new(shared.server.clone(), wire.connection().is_secure());
        let exchange = Exchange::default();
        let address = wire.connection().peer().ip();
        let directory = shared.directory.as_ref().map(|directory| for_session(directory, address));
        Self {
            shared,
            machine,
            session,
            exchange,
            directory,
            wire,
            open: None,
            content_deadline: None,
            refusals: 0,
        }
    }

    /// The whole session. What goes wrong with the connection is logged here and nowhere else.
    pub(crate) async fn serve(mut self) {
        tracing::debug!("connected");
        self.greet().await;
        loop {
            match self.until_tls().await {
                Ok(Then::StartTls) => match self.start_tls().await {
                    Ok(secured) => self = secured,
                    Err(error) => return error.fault().log("STARTTLS", &error),
                },
                Ok(_) => break,
                Err(error) => {
                    self.broken(&error).await;
                    break;
                }
            }
        }
        let unlogged = self.refusals.saturating_sub(limits::SMTP_REFUSALS_LOGGED_MAX);
        if unlogged > 0 {
            tracing::info!(refusals = self.refusals, unlogged, "many refusals in one session");
        }
        tracing::debug!("disconnected");
        self.wire.close().await;
    }

    async fn greet(&mut self) {
        match self.shared.role.on_connect(&self.session).await {
            Ok(()) => self.machine.accept(),
            Err(refusal) => {
                tracing::info!(%refusal, "peer turned away");
                self.machine.refuse(refusal);
            }
        }
    }

    /// Serves until the session ends or TLS is due. A client has `silence_time_max` for its next command, whole, or
    /// for its next byte of content.
    async fn until_tls(&mut self) -> Result<Then, NetError> {
        let mut deadline = deadline_in(self.machine.silence_time_max());
        loop {
            let then = self.events().await;
            let answered = self.send().await?;
            if !matches!(then, Then::Continue) {
                return Ok(then);
            }
            if answered || self.machine.in_bytes() {
                deadline = deadline_in(self.machine.silence_time_max());
            }
            self.read(deadline).await?;
        }
    }

    /// Acts on all that has come in; the replies go out together (RFC 2920 3.2).
    async fn events(&mut self) -> Then {
        while let Some(event) = self.machine.next(self.wire.buffer()) {
            let then = self.event(event).await;
            if !matches!(then, Then::Continue) {
                return then;
            }
        }
        Then::Continue
    }

    /// Reads more. A stop is obeyed between messages, not within one.
    async fn read(&mut self, deadline: Instant) -> Result<(), NetError> {
        let deadline = self.content_deadline().map_or(deadline, |latest| latest.min(deadline));
        if self.machine.in_content() {
            self.wire.fill(deadline).await?;
        } else {
            self.wire.fill_or_stop(deadline).await?;
        }
        Ok(())
    }

    /// Runs from the first byte of a message, wanted or not, to its last.
    fn content_deadline(&mut self) -> Option<Instant> {
        let latest = || deadline_in(limits::SMTP_MESSAGE_TIME_MAX);
        self.content_deadline = self.machine.in_bytes().then(|| self.content_deadline.unwrap_or_else(latest));
        self.content_deadline
    }

    /// Sends what is to be sent; false where nothing was.
    async fn send(&mut self) -> Result<bool, NetError> {
        let output = self.machine.output();
        if output.is_empty() {
            return Ok(false);
        }
        self.wire.write_all(&output).await?;
        self.wire.flush().await?;
        Ok(true)
    }

    /// The connection cannot go on: the peer is told where it may still listen (RFC 5321 3.8).
    async fn broken(&mut self, error: &NetError) {
        if self.machine.in_content() {
            tracing::info!(%error, "connection lost within a message");
        }
        // A stop that was asked for is nobody's fault.
        if !matches!(error, NetError::Stopping) {
            error.fault().log("session", error);
        }
        match error {
            NetError::Timeout(_) => self.machine.close(Refusal::new(421, (4, 4, 2), "Timed out")),
            NetError::Stopping => self.machine.close(Refusal::new(421, (4, 3, 2), "Shutting down")),
            _ => return,
        }
        // The peer may be gone; there is nobody left to tell of it.
        let _ = self.send().await;
    }

    /// Nothing that was read or learnt in clear survives (RFC 3207 4.2).
    async fn start_tls(mut self) -> Result<Self, NetError> {
        let Some(tls) = self.shared.tls.clone() else { return Err(NetError::Closed) };
        self.wire = self.wire.start_tls(&tls).await?;
        self.session.secured(self.wire.connection());
        self.exchange = Exchange::default();
        self.open = None;
        self.machine.tls_started();
        Ok(self)
    }

    async fn event(&mut self, event: Event) -> Then {
        match event {
            Event::Hello(hello) => self.hello(hello),
            Event::StartTls => {
                self.machine.accept();
                return Then::StartTls;
            }
            Event::Auth(auth) => self.auth_start(auth).await,
            Event::AuthResponse(response) => self.auth_response(&response).await,
            Event::AuthCancelled => self.exchange.cancel(),
            Event::Mail(mail) => self.mail(mail).await,
            Event::Rcpt(rcpt) => self.rcpt(rcpt).await,
            Event::Content => self.content(),
            Event::Piece(piece) => self.piece(&piece),
            Event::ContentEnd(facts) => self.content_end(facts).await,
            Event::ContentRefused(refusal) => {
                self.content_deadline = None;
                let id = self.open.take().map(|open| open.id.to_string()).unwrap_or_default();
                self.answered("content", &id, Some(&refusal));
            }
            Event::Reset => self.open = None,
            Event::Close => return Then::Close,
        }
        Then::Continue
    }

    fn hello(&mut self, hello: Hello) {
        self.open = None;
        self.session.hello = Some(hello);
        self.machine.accept();
    }

    async fn mail(&mut self, mail: Mail) {
        let answer = self.shared.role.on_mail(&self.session, &mail).await;
        self.answered("sender", &mail.reverse_path, answer.as_ref().err());
        match answer {
            Err(refusal) => self.machine.refuse(refusal),
            Ok(()) => {
                let id = self.shared.role.transaction_id(&self.session, Timestamp::now());
                let Mail { reverse_path, params } = mail;
                let envelope = Envelope { reverse_path, recipients: vec![], params };
                self.open = Some(Open { id, envelope, targets: vec![], writer: None });
                self.machine.accept();
            }
        }
    }

    async fn rcpt(&mut self, rcpt: Rcpt) {
        let Some(open) = &mut self.open else { return self.machine.refuse(internal()) };
        let Rcpt { forward_path, notify, orcpt, .. } = rcpt;
        let address = forward_path.address_at(&self.shared.settings.domain);
        let recipient = Recipient { address, notify, orcpt };
        let answer = self.shared.role.on_rcpt(&self.session, &open.envelope, &recipient).await;
        let address = recipient.address.clone();
        let refusal = match answer {
            Ok(target) => {
                open.envelope.recipients.push(recipient);
                open.targets.push(target);
                None
            }
            Err(refusal) => Some(refusal),
        };
        self.answered("recipient", &address, refusal.as_ref());
        match refusal {
            None => self.machine.accept(),
            Some(refusal) => self.machine.refuse(refusal),
        }
    }

    fn content(&mut self) {
        let Some(open) = &mut self.open else { return self.machine.refuse(internal()) };
        open.writer = Some(self.shared.body_writer());
        self.machine.accept();
    }

    fn piece(&mut self, piece: &[u8]) {
        let Some(writer) = self.open.as_mut().and_then(|open| open.writer.as_mut()) else { return };
        if let Err(error) = writer.write(piece) {
            self.open = None;
            self.machine.abort_content(disk_failed(&error));
        }
    }

    async fn content_end(&mut self, facts: ContentFacts) {
        self.content_deadline = None;
        let Some(open) = self.open.take() else { return self.machine.refuse(internal()) };
        let Open { id, envelope, targets, writer, .. } = open;
        let answers = match writer.map_or_else(|| Ok(Body::from_bytes(vec![])), BodyWriter::finish) {
            Ok(body) => {
                let transaction = self.transaction(&id, envelope, body, facts);
                self.shared.role.on_body(id.clone(), transaction, targets).await
            }
            Err(error) => vec![Err(disk_failed(&error))],
        };
        answers.iter().for_each(|answer| self.answered("content", &id, answer.as_ref().err()));
        let replies = answers.into_iter().map(|answer| match answer {
            Ok(proof) => proof.reply(),
            Err(refusal) => Reply::from(refusal),
        });
        self.machine.answer_content(replies.collect());
    }

    fn transaction(
        &self,
        id: &R::Id,
        mut envelope: Envelope,
        body: Body,
        facts: ContentFacts,
    ) -> Transaction {
        // RFC 6152 3 wants 8-bit content announced; what comes without is passed on as what it is.
        if facts.eight_bit && envelope.params.body == BodyKind::SevenBit {
            envelope.params.body = BodyKind::EightBitMime;
        }
        let arrival = Timestamp::now();
        let received = received::field(&self.session, &envelope, id, arrival);
        Transaction { session: Arc::new(self.session.clone()), envelope, body, received, arrival }
    }

    /// Counts an answer; a refusal is also logged, once, here, unless the session has had its share of lines.
    fn answered(&mut self, to: &'static str, who: &dyn Display, refusal: Option<&Refusal>) {
        let result = match refusal {
            None => "accepted",
            Some(refusal) if refusal.reply().is_temporary() => "deferred",
            Some(_) => "refused",
        };
        if let Some(refusal) = refusal {
            self.refusals = self.refusals.saturating_add(1);
            if self.refusals <= limits::SMTP_REFUSALS_LOGGED_MAX {
                tracing::info!(%refusal, "{to} {who} {result}");
            }
        }
        let role = self.session.role;
        metrics::counter!("tartan_receive_answers_total", "role" => role, "to" => to, "result" => result)
            .increment(1);
    }
}

/// Our disk is at fault: the client keeps the message (law 8).
fn disk_failed(error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::StorageFull {
        Fault::Temporary.log("writing a body", error);
        return Refusal::new(452, (4, 3, 1), "Insufficient system storage");
    }
    Fault::Local.log("writing a body", error);
    Refusal::new(451, (4, 3, 0), "Local error")
}

/// The machine and the driver disagree on the state.
fn internal() -> Refusal {
    tracing::error!(fault = Fault::Bug.as_str(), "no transaction is open");
    Refusal::new(451, (4, 3, 0), "Internal error")
}
