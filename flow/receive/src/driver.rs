//! The loop of a session: bytes to the machine, events to the role, replies to the wire.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use address::{BodyKind, Envelope, Recipient};
use directory::{Directory, for_session};
use disk::{Body, BodyWriter};
use jiff::Timestamp;
use net::{NetError, Wire, deadline_in, is_proxy_header};
use smtp::command::{Hello, Mail, Rcpt};
use smtp::server::{ContentFacts, Event, Session as Machine};
use smtp::{Flavour, Refusal, Reply};
use telemetry::Fault;

use crate::auth::Exchange;
use crate::pace::{Late, Pace, Sending};
use crate::receiver::Shared;
use crate::tally::{Tally, To};
use crate::{Proof, Role, SessionInfo, Transaction, received};

/// Time for a last word to somebody who is no longer served.
const LAST_WORD_TIME_MAX: Duration = Duration::from_secs(2);

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
    pace: Pace,
    tally: Tally,
    /// Nothing has come from the client yet.
    is_new: bool,
}

/// What ends a session before its time.
enum Broken {
    /// The connection.
    Net(NetError),
    /// A client that is too slow.
    Late(Late),
}

impl From<NetError> for Broken {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
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
        let mut machine = Machine::new(shared.server.clone(), wire.connection().is_secure());
        let exchange = Exchange::default();
        let address = wire.connection().peer().ip();
        if shared.may_xclient(wire.connection().peer()) {
            machine.xclient_allow();
        }
        let pace = Pace::new(&shared.settings, shared.server.flavour == Flavour::Lmtp);
        let tally = Tally::new(session.role);
        let directory = shared.directory.as_ref().map(|directory| for_session(directory, address));
        Self { shared, machine, session, exchange, directory, wire, open: None, pace, tally, is_new: true }
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
                Ok(_) => break self.closed(),
                Err(broken) => break self.broken(&broken).await,
            }
        }
        tracing::debug!("disconnected");
        self.wire.close().await;
    }

    /// A session that this side has closed says why.
    fn closed(&self) {
        if let Some(why) = self.machine.closed_because() {
            tracing::info!(why, "session closed");
        }
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
    async fn until_tls(&mut self) -> Result<Then, Broken> {
        self.pace.silence_begins(self.machine.silence_time_max());
        let mut read_bytes = 0;
        loop {
            self.proxy_header_refuse();
            let then = self.events().await;
            self.tally.mistaken(self.machine.mistakes());
            self.pace.received(read_bytes, self.sending());
            let answered = self.send().await?;
            if !matches!(then, Then::Continue) {
                return Ok(then);
            }
            if answered || self.machine.in_bytes() {
                self.pace.silence_begins(self.machine.silence_time_max());
            }
            read_bytes = self.read().await?;
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

    /// A host that speaks for others is named, or it is not believed (and is told, instead of being taken for a client
    /// that makes mistakes).
    fn proxy_header_refuse(&mut self) {
        if self.wire.buffer().is_empty() || !std::mem::take(&mut self.is_new) {
            return;
        }
        if is_proxy_header(self.wire.buffer()) {
            metrics::counter!("tartan_receive_proxy_headers_refused_total", "role" => self.session.role)
                .increment(1);
            let text = "PROXY header from a host that is not named to send one";
            self.machine.close(Refusal::new(421, (4, 7, 0), text));
        }
    }

    fn sending(&self) -> Sending {
        match (self.machine.in_data(), self.machine.in_bytes()) {
            (true, _) => Sending::Content,
            (false, true) => Sending::Between,
            (false, false) => Sending::Commands,
        }
    }

    /// Reads more. A stop is obeyed between messages, not within one.
    async fn read(&mut self) -> Result<usize, Broken> {
        let (deadline, late) = self.pace.deadline(self.sending());
        let read = match self.machine.in_content() {
            true => self.wire.fill(deadline).await,
            false => self.wire.fill_or_stop(deadline).await,
        };
        read.map_err(|error| match error {
            NetError::Timeout(_) => Broken::Late(late),
            error => Broken::Net(error),
        })
    }

    /// Sends what is to be sent; false where nothing was. A client that does not read is late, too.
    async fn send(&mut self) -> Result<bool, Broken> {
        let output = self.machine.output();
        if output.is_empty() {
            return Ok(false);
        }
        let deadline = deadline_in(self.shared.settings.reply_time_max);
        match self.wire.send_by(&output, deadline).await {
            Ok(()) => Ok(true),
            Err(NetError::Timeout(_)) => Err(Broken::Late(Late::Reply)),
            Err(error) => Err(Broken::Net(error)),
        }
    }

    /// The connection cannot go on: the peer is told where it may still listen (RFC 5321 3.8).
    async fn broken(&mut self, broken: &Broken) {
        let within_message = self.machine.in_content();
        match broken {
            Broken::Late(late) => {
                let (role, limit) = (self.session.role, late.as_str());
                metrics::counter!("tartan_receive_late_total", "role" => role, "limit" => limit).increment(1);
                tracing::info!(limit, within_message, "{}", late.text());
                self.machine.close(Refusal::new(421, (4, 4, 2), late.text()));
            }
            // A stop that was asked for is nobody's fault.
            Broken::Net(NetError::Stopping) => {
                self.machine.close(Refusal::new(421, (4, 3, 2), "Shutting down"));
            }
            Broken::Net(error) => {
                if within_message {
                    tracing::info!(%error, "connection lost within a message");
                }
                return error.fault().log("session", error);
            }
        }
        // The peer may be gone, or not read; there is nobody left to tell of it.
        let _ = self.wire.send_by(&self.machine.output(), deadline_in(LAST_WORD_TIME_MAX)).await;
    }

    /// Counts the connection as one from another address; false where that has as many as it may.
    pub(crate) fn counted_as(&mut self, address: IpAddr) -> bool {
        self.wire.connection_mut().counted_as(address)
    }

    /// Nothing that was read or learnt in clear survives (RFC 3207 4.2).
    async fn start_tls(mut self) -> Result<Self, NetError> {
        let Some(tls) = self.shared.tls.clone() else { return Err(NetError::Closed) };
        self.wire = self.wire.start_tls(&tls).await?;
        self.session.secured(self.wire.connection().tls().cloned());
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
            Event::Xclient(told) => self.xclient(&told).await,
            Event::AuthCancelled => self.exchange.cancel(),
            Event::Mail(mail) => self.mail(mail).await,
            Event::Rcpt(rcpt) => self.rcpt(rcpt).await,
            Event::Content => self.content(),
            Event::Piece(piece) => self.piece(&piece),
            Event::ContentEnd(facts) => self.content_end(facts).await,
            Event::ContentRefused(refusal) => {
                let id = self.open.take().map(|open| open.id.to_string()).unwrap_or_default();
                self.tally.answered(To::Content, &id, Some(&refusal));
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
        self.tally.answered(To::Sender, &mail.reverse_path, answer.as_ref().err());
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
        self.tally.answered(To::Recipient, &address, refusal.as_ref());
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
        let Some(open) = self.open.take() else { return self.machine.refuse(internal()) };
        let Open { id, envelope, targets, writer, .. } = open;
        let answers = match writer.map_or_else(|| Ok(Body::from_bytes(vec![])), BodyWriter::finish) {
            Ok(body) => {
                let transaction = self.transaction(&id, envelope, body, facts);
                self.shared.role.on_body(id.clone(), transaction, targets).await
            }
            Err(error) => vec![Err(disk_failed(&error))],
        };
        answers.iter().for_each(|answer| self.tally.answered(To::Content, &id, answer.as_ref().err()));
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
}

/// Our disk is at fault: the client keeps the message (law 8).
fn disk_failed(error: &io::Error) -> Refusal {
    if disk::is_no_space(error) {
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
