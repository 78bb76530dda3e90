//! One message to one peer: MAIL, RCPT for each recipient, the body, and what came of it.

use std::collections::VecDeque;
use std::fmt;

use address::{MailParams, Recipient, ReversePath};

use super::stuffing::DotStuffer;
use super::{ClientError, Line, Next, Protocol, State, Wait, command};
use crate::{Extensions, Reply};

/// A message to pass on.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// The parameters of MAIL; those that the peer does not know are left out. `size` is not looked at.
    pub params: MailParams,
    /// Whom it is for.
    pub recipients: Vec<Recipient>,
    /// Bytes of the body, as it will be passed.
    pub body_bytes: u64,
}

/// What a transaction achieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For each recipient, in the transaction's order.
    pub outcomes: Vec<Outcome>,
    /// The peer knows DSN and now owes the reports of success (RFC 3461 5.2.2).
    pub dsn_passed_on: bool,
}

impl Report {
    /// Nothing was heard about any of them.
    pub fn unanswered(recipients: usize) -> Self {
        Self { outcomes: vec![Outcome::Unanswered; recipients], dsn_passed_on: false }
    }
}

/// What came of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer has taken the message and is answerable for it.
    Accepted(Reply),
    /// It has not; whether for good says the reply (5yz).
    Refused {
        /// The command that was refused.
        stage: Stage,
        /// The peer's reply, or one of our own before anything was sent.
        reply: Reply,
    },
    /// The connection went before an answer came.
    Unanswered,
}

/// A step of the protocol that a peer can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The connection.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// Before anything was sent: the peer's extensions do not allow the message.
    Extensions,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The end of the body.
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "STARTTLS",
            Self::Extensions => "extensions",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "end of data",
        })
    }
}

/// A recipient on its way through a transaction.
enum Slot {
    /// Not answered yet.
    Open,
    /// RCPT was accepted; what becomes of the message is not known yet.
    Taken,
    /// Settled.
    Settled(Outcome),
}

/// The recipients of a transaction and what is known of each.
struct Progress {
    slots: Vec<Slot>,
    dsn_passed_on: bool,
}

impl Progress {
    fn new(transaction: &Transaction, peer: &Extensions) -> Self {
        let whole = command::message_obstacle(transaction, peer);
        let slot = |recipient| match whole.clone().or_else(|| command::recipient_obstacle(recipient, peer)) {
            Some(reply) => Slot::Settled(Outcome::Refused { stage: Stage::Extensions, reply }),
            None => Slot::Open,
        };
        Self { slots: transaction.recipients.iter().map(slot).collect(), dsn_passed_on: peer.dsn }
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        self.indices(|slot| matches!(slot, Slot::Open))
    }

    fn taken(&self) -> impl Iterator<Item = usize> {
        self.indices(|slot| matches!(slot, Slot::Taken))
    }

    fn indices(&self, wanted: impl Fn(&Slot) -> bool) -> impl Iterator<Item = usize> {
        self.slots.iter().enumerate().filter(move |(_, slot)| wanted(slot)).map(|(index, _)| index)
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        self.slots[index] = Slot::Settled(outcome);
    }

    fn rcpt_answered(&mut self, index: usize, reply: Reply) {
        if !matches!(self.slots[index], Slot::Open) {
            return;
        }
        self.slots[index] = match reply.is_positive() {
            true => Slot::Taken,
            false => Slot::Settled(Outcome::Refused { stage: Stage::Rcpt, reply }),
        };
    }

    /// Refuses all recipients that are not settled.
    fn refuse_rest(&mut self, stage: Stage, reply: &Reply) {
        for slot in self.slots.iter_mut().filter(|slot| !matches!(slot, Slot::Settled(_))) {
            *slot = Slot::Settled(Outcome::Refused { stage, reply: reply.clone() });
        }
    }

    fn report(self) -> Report {
        let outcomes = self.slots.into_iter().map(|slot| match slot {
            Slot::Settled(outcome) => outcome,
            Slot::Open | Slot::Taken => Outcome::Unanswered,
        });
        Report { outcomes: outcomes.collect(), dsn_passed_on: self.dsn_passed_on }
    }

    /// The peer said 421 and closes (RFC 5321 3.8).
    fn closed(mut self, stage: Stage, reply: &Reply) -> Next {
        self.refuse_rest(stage, reply);
        Next { state: State::Closed, report: Some(self.report()) }
    }

    fn done(self) -> Next {
        Next { state: State::Ready, report: Some(self.report()) }
    }

    /// Ends a transaction that the peer may still think open.
    fn done_with_reset(self, line: &mut Line) -> Next {
        line.command("RSET");
        Next { state: State::ExpectReset(ExpectReset), report: Some(self.report()) }
    }
}

/// A command of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Mail,
    Rcpt(usize),
    Data,
}

/// The replies to MAIL, RCPT and DATA, in groups where the peer knows PIPELINING.
pub(super) struct ExpectEnvelope {
    transaction: Transaction,
    progress: Progress,
    /// Sent and not answered.
    awaited: VecDeque<Sent>,
    /// Not sent yet.
    unsent: VecDeque<Sent>,
    /// The reply to DATA.
    data_reply: Option<Reply>,
}

pub(super) fn begin(transaction: Transaction, line: &mut Line) -> Next {
    let progress = Progress::new(&transaction, &line.peer);
    if progress.open().next().is_none() {
        return progress.done();
    }
    let unsent = std::iter::once(Sent::Mail).chain(progress.open().map(Sent::Rcpt)).collect();
    let awaited = VecDeque::new();
    let mut state = ExpectEnvelope { transaction, progress, awaited, unsent, data_reply: None };
    state.group_send(line);
    State::ExpectEnvelope(Box::new(state)).into()
}

impl ExpectEnvelope {
    pub(super) fn wait(&self) -> Wait {
        match self.awaited.front() {
            Some(Sent::Data) => Wait::DataInitiation,
            _ => Wait::Command,
        }
    }

    pub(super) fn handle(mut self, reply: Reply, line: &mut Line) -> Next {
        let answered = self.awaited.pop_front();
        if reply.code() == 421 {
            return self.progress.closed(answered.map_or(Stage::Mail, Sent::stage), &reply);
        }
        match answered {
            Some(Sent::Mail) => self.mail_answered(&reply),
            Some(Sent::Rcpt(index)) => self.progress.rcpt_answered(index, reply),
            Some(Sent::Data) => self.data_reply = Some(reply),
            None => {}
        }
        if self.awaited.is_empty() { self.go_on(line) } else { State::ExpectEnvelope(Box::new(self)).into() }
    }

    pub(super) fn abandon(self) -> Report {
        self.progress.report()
    }

    /// Where MAIL is refused, the replies to what was sent behind it say nothing.
    fn mail_answered(&mut self, reply: &Reply) {
        if !reply.is_positive() {
            self.progress.refuse_rest(Stage::Mail, reply);
            self.unsent.clear();
        }
    }

    /// All that was sent is answered.
    fn go_on(mut self, line: &mut Line) -> Next {
        if let Some(reply) = self.data_reply.take() {
            return self.data_answered(&reply, line);
        }
        if !self.unsent.is_empty() {
            self.group_send(line);
            return State::ExpectEnvelope(Box::new(self)).into();
        }
        if self.progress.taken().next().is_none() {
            return self.progress.done_with_reset(line);
        }
        if line.peer.chunking {
            return self.chunk_begin(line);
        }
        self.data_send(line);
        State::ExpectEnvelope(Box::new(self)).into()
    }

    /// RFC 2920 3.1: MAIL and RCPT in groups, DATA last in a group; one by one where it is not offered.
    fn group_send(&mut self, line: &mut Line) {
        let group_max = if line.peer.pipelining { line.settings.group_commands_max.max(1) } else { 1 };
        let group = self.unsent.len().min(group_max);
        for sent in self.unsent.drain(..group) {
            let text = match sent {
                Sent::Rcpt(index) => command::rcpt(&self.transaction.recipients[index], &line.peer),
                Sent::Mail | Sent::Data => command::mail(&self.transaction, &line.peer),
            };
            line.command(&text);
            self.awaited.push_back(sent);
        }
        if self.unsent.is_empty() && line.peer.pipelining && !line.peer.chunking {
            self.data_send(line);
        }
    }

    fn data_send(&mut self, line: &mut Line) {
        line.command("DATA");
        self.awaited.push_back(Sent::Data);
    }

    fn data_answered(mut self, reply: &Reply, line: &mut Line) -> Next {
        let wanted = self.progress.taken().next().is_some();
        match (reply.code() == 354, wanted) {
            (true, true) => self.body_begin(BodyForm::Dotted(DotStuffer::new()), line),
            (true, false) => self.nothing_send(line),
            (false, _) => {
                self.progress.refuse_rest(Stage::Data, reply);
                self.progress.done_with_reset(line)
            }
        }
    }

    /// RFC 2920 3.1: DATA was accepted although no recipient was, so an empty message must be sent.
    /// SMTP answers it once; LMTP, with no recipient, not at all (RFC 2033 4.2).
    fn nothing_send(self, line: &mut Line) -> Next {
        line.command(".");
        match line.settings.protocol {
            Protocol::Smtp => {
                Next { state: State::ExpectReset(ExpectReset), report: Some(self.progress.report()) }
            }
            Protocol::Lmtp => self.progress.done_with_reset(line),
        }
    }

    /// RFC 3030 2: the whole body as one last chunk.
    fn chunk_begin(self, line: &mut Line) -> Next {
        line.command(&format!("BDAT {} LAST", self.transaction.body_bytes));
        self.body_begin(BodyForm::Chunk, line)
    }

    fn body_begin(self, form: BodyForm, line: &Line) -> Next {
        let announced = self.transaction.body_bytes;
        let protocol = line.settings.protocol;
        State::SendBody(SendBody { progress: self.progress, form, announced, given: 0, protocol }).into()
    }
}

impl Sent {
    fn stage(self) -> Stage {
        match self {
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
        }
    }
}

/// How the body goes on the wire.
enum BodyForm {
    /// After DATA, with dots doubled.
    Dotted(DotStuffer),
    /// After BDAT, as it is.
    Chunk,
}

/// The body is to be passed.
pub(super) struct SendBody {
    progress: Progress,
    form: BodyForm,
    announced: u64,
    given: u64,
    protocol: Protocol,
}

impl SendBody {
    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), ClientError> {
        self.given += chunk.len() as u64;
        if self.given > self.announced {
            return Err(self.length_error());
        }
        match &mut self.form {
            BodyForm::Dotted(stuffer) => stuffer.push(chunk, out),
            BodyForm::Chunk => out.extend_from_slice(chunk),
        }
        Ok(())
    }

    pub(super) fn finish(self, output: &mut Vec<u8>) -> Result<State, ClientError> {
        if self.given != self.announced {
            return Err(self.length_error());
        }
        let chunked = matches!(self.form, BodyForm::Chunk);
        if let BodyForm::Dotted(stuffer) = self.form {
            stuffer.finish(output);
        }
        Ok(State::ExpectDelivery(ExpectDelivery {
            progress: self.progress,
            protocol: self.protocol,
            chunked,
        }))
    }

    pub(super) fn interrupt(self) -> State {
        State::ExpectRefusal(ExpectRefusal { progress: self.progress })
    }

    pub(super) fn abandon(self) -> Report {
        self.progress.report()
    }

    fn length_error(&self) -> ClientError {
        ClientError::BodyLength { announced: self.announced, given: self.given }
    }
}

/// The body was sent: one reply for all (SMTP), or one for each accepted recipient (RFC 2033 4.2).
pub(super) struct ExpectDelivery {
    progress: Progress,
    protocol: Protocol,
    chunked: bool,
}

impl ExpectDelivery {
    pub(super) fn handle(mut self, reply: Reply, line: &mut Line) -> Next {
        if reply.code() == 421 {
            return self.progress.closed(Stage::Body, &reply);
        }
        let answered: Vec<usize> = match self.protocol {
            Protocol::Smtp => self.progress.taken().collect(),
            Protocol::Lmtp => self.progress.taken().take(1).collect(),
        };
        answered.into_iter().for_each(|index| self.progress.settle(index, Outcome::of_body(&reply)));
        if self.progress.taken().next().is_some() {
            return State::ExpectDelivery(self).into();
        }
        // RFC 3030 2: a chunk that was refused may leave the transaction open.
        if self.chunked && !reply.is_positive() {
            return self.progress.done_with_reset(line);
        }
        self.progress.done()
    }

    pub(super) fn abandon(self) -> Report {
        self.progress.report()
    }
}

impl Outcome {
    fn of_body(reply: &Reply) -> Self {
        match reply.is_positive() {
            true => Self::Accepted(reply.clone()),
            false => Self::Refused { stage: Stage::Body, reply: reply.clone() },
        }
    }
}

/// The peer has stopped taking the body in the middle.
pub(super) struct ExpectRefusal {
    progress: Progress,
}

impl ExpectRefusal {
    /// Half a message cannot have been accepted, whatever the peer says.
    pub(super) fn handle(mut self, reply: &Reply) -> Next {
        if reply.code() >= 400 {
            self.progress.refuse_rest(Stage::Body, reply);
        }
        Next { state: State::Closed, report: Some(self.progress.report()) }
    }

    pub(super) fn abandon(self) -> Report {
        self.progress.report()
    }
}

/// The last reply before the next transaction may begin.
pub(super) struct ExpectReset;

impl ExpectReset {
    /// Only a peer that answers RSET as it must (RFC 5321 4.1.1.5) is used again; what the reply to an
    /// empty message is does not matter.
    pub(super) fn handle(self, reply: &Reply) -> Next {
        let usable = reply.code() != 421;
        if usable { State::Ready.into() } else { State::Closed.into() }
    }
}
