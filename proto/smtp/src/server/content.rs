//! The content of a message: DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030 2).

use bytes::{Bytes, BytesMut};

use crate::command::{Chunk, Command};
use crate::data::{ChunkDecoder, Content, DataDecoder};
use crate::{EnhancedCode, Refusal, Reply};

use super::conversation::{Conversation, Next, out_of_sequence};
use super::transaction::{ExpectMail, ExpectRcpt};
use super::{Answer, ContentFacts, Event, Expect, State};

/// The caller decides whether it can take a message after DATA.
#[derive(Debug)]
pub(super) struct TextStart {
    envelope: ExpectRcpt,
}

impl TextStart {
    pub(super) fn new(envelope: ExpectRcpt) -> Self {
        Self { envelope }
    }

    pub(super) fn accepted(self, c: &mut Conversation) -> State {
        c.say(&Reply::new(354, None, "End data with <CR><LF>.<CR><LF>"));
        State::Text(ExpectText {
            decoder: DataDecoder::new(c.settings.size_max()),
            recipients: self.envelope.accepted(),
            refused: None,
        })
    }

    pub(super) fn refused(self, c: &mut Conversation, refusal: Refusal) -> State {
        c.say(&refusal.into());
        self.envelope.into()
    }
}

/// The content after DATA, up to `CRLF.CRLF`.
#[derive(Debug)]
pub(super) struct ExpectText {
    decoder: DataDecoder,
    recipients: usize,
    refused: Option<Refusal>,
}

impl ExpectText {
    pub(super) fn handle(mut self, input: &mut BytesMut, c: &mut Conversation) -> Next {
        let mut piece = vec![];
        let ended = self.decoder.push(input, &mut piece);
        let content = *self.decoder.content();
        if is_endless(&content, &self.refused) {
            return c.closing("The message does not end");
        }
        let unwanted = piece.is_empty() || self.refused.is_some();
        let state = match ended {
            true => State::Ended(Ended { content, recipients: self.recipients, refused: self.refused }),
            false => State::Text(self),
        };
        match (unwanted, ended) {
            (true, true) => Next::Go(state),
            (true, false) => Next::NeedMore(state),
            (false, _) => Next::Event(state, Event::Piece(Bytes::from(piece))),
        }
    }

    pub(super) fn abort(&mut self, refusal: Refusal) {
        self.refused.get_or_insert(refusal);
    }
}

/// Whether a peer sends on and on what is refused anyway.
fn is_endless(content: &Content, refused: &Option<Refusal>) -> bool {
    let dropped = refused.is_some() || content.fault().is_some();
    dropped && content.bytes_over() > limits::SMTP_DISCARDED_BYTES_MAX
}

/// The caller decides whether it can take a message that begins with this chunk.
#[derive(Debug)]
pub(super) struct FirstChunk {
    chunk: Chunk,
    recipients: usize,
}

impl FirstChunk {
    pub(super) fn new(chunk: Chunk, recipients: usize) -> Self {
        Self { chunk, recipients }
    }

    pub(super) fn accepted(self, c: &Conversation) -> State {
        self.start(c, None)
    }

    /// The chunk comes all the same, and so may others behind it: they are dropped, none begins a message.
    pub(super) fn refused(self, c: &Conversation, refusal: Refusal) -> State {
        self.start(c, Some(refusal))
    }

    fn start(self, c: &Conversation, refused: Option<Refusal>) -> State {
        let decoder = ChunkDecoder::new(c.settings.size_max());
        let message = ExpectChunk { decoder, recipients: self.recipients, refused };
        message.bytes(self.chunk)
    }
}

/// Between the chunks of a message.
#[derive(Debug)]
pub(super) struct ExpectChunk {
    decoder: ChunkDecoder,
    recipients: usize,
    refused: Option<Refusal>,
}

impl From<ExpectChunk> for State {
    fn from(state: ExpectChunk) -> State {
        State::Command(Expect::Chunk(state))
    }
}

impl ExpectChunk {
    pub(super) fn command(self, command: Command, c: &mut Conversation) -> Next {
        match command {
            Command::Bdat(chunk) => Next::Go(self.bytes(chunk)),
            _ => c.mistake(out_of_sequence("BDAT LAST or RSET is needed first"), self.into()),
        }
    }

    fn bytes(self, chunk: Chunk) -> State {
        State::ChunkBytes(ExpectChunkBytes { left: chunk.bytes, chunk, message: self })
    }

    pub(super) fn abort(&mut self, refusal: Refusal) {
        self.refused.get_or_insert(refusal);
    }

    /// The reply to a chunk that is not the last: 250 as soon as its bytes are in, RFC 3030 2.
    fn reply(&self, chunk: Chunk) -> Reply {
        let fault = self.decoder.content().fault().map(|fault| fault.refusal());
        match self.refused.clone().or(fault) {
            Some(refusal) => refusal.into(),
            None => Reply::new(250, EnhancedCode::new(2, 0, 0), format!("{} bytes received", chunk.bytes)),
        }
    }
}

/// The bytes of a chunk.
#[derive(Debug)]
pub(super) struct ExpectChunkBytes {
    left: u64,
    chunk: Chunk,
    message: ExpectChunk,
}

impl ExpectChunkBytes {
    pub(super) fn handle(mut self, input: &mut BytesMut, c: &mut Conversation) -> Next {
        if self.left == 0 {
            return Next::Go(self.end(c));
        }
        let taken = take_up_to(input, self.left);
        if taken.is_empty() {
            return Next::NeedMore(State::ChunkBytes(self));
        }
        self.left -= taken.len() as u64;
        let mut piece = vec![];
        self.message.decoder.push(&taken, &mut piece);
        if is_endless(self.message.decoder.content(), &self.message.refused) {
            return c.closing("The message does not end");
        }
        match piece.is_empty() || self.message.refused.is_some() {
            true => Next::Go(State::ChunkBytes(self)),
            false => Next::Event(State::ChunkBytes(self), Event::Piece(Bytes::from(piece))),
        }
    }

    fn end(mut self, c: &mut Conversation) -> State {
        if !self.chunk.last {
            c.say(&self.message.reply(self.chunk));
            return self.message.into();
        }
        self.message.decoder.finish();
        let ExpectChunk { decoder, recipients, refused } = self.message;
        State::Ended(Ended { content: *decoder.content(), recipients, refused })
    }

    pub(super) fn abort(&mut self, refusal: Refusal) {
        self.message.abort(refusal);
    }
}

fn take_up_to(input: &mut BytesMut, bytes: u64) -> BytesMut {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(input.len());
    input.split_to(bytes)
}

/// A chunk that nobody asked for: its bytes must not be taken for commands.
#[derive(Debug)]
pub(super) struct ExpectDiscard {
    left: u64,
    refusal: Refusal,
    back: Expect,
}

impl ExpectDiscard {
    pub(super) fn start(chunk: Chunk, refusal: Refusal, back: Expect, c: &mut Conversation) -> Next {
        if chunk.bytes > limits::SMTP_DISCARDED_BYTES_MAX {
            c.say(&refusal.into());
            return c.closing("Too much data out of sequence");
        }
        Next::Go(State::Discard(Self { left: chunk.bytes, refusal, back }))
    }

    pub(super) fn handle(mut self, input: &mut BytesMut, c: &mut Conversation) -> Next {
        self.left -= take_up_to(input, self.left).len() as u64;
        match self.left {
            0 => c.mistake(self.refusal, State::Command(self.back)),
            _ => Next::NeedMore(State::Discard(self)),
        }
    }
}

/// The content is in.
#[derive(Debug)]
pub(super) struct Ended {
    content: Content,
    recipients: usize,
    refused: Option<Refusal>,
}

impl Ended {
    /// Asks the caller, unless there is nothing to ask.
    pub(super) fn handle(self, c: &mut Conversation) -> Next {
        let fault = self.content.fault().map(|fault| fault.refusal());
        if let Some(refusal) = self.refused.clone().or(fault) {
            self.answered(c, vec![refusal.clone().into()]);
            return Next::Event(ExpectMail.into(), Event::ContentRefused(refusal));
        }
        let facts = ContentFacts { bytes: self.content.bytes(), eight_bit: self.content.eight_bit() };
        Next::Event(State::Answer(Answer::Content(self)), Event::ContentEnd(facts))
    }

    /// RFC 2033 4.2: in LMTP a reply for each recipient, in the order of their RCPTs.
    pub(super) fn answered(self, c: &mut Conversation, mut replies: Vec<Reply>) -> State {
        let expected = if c.is_lmtp() { self.recipients } else { 1 };
        let missing = Reply::new(451, EnhancedCode::new(4, 3, 0), "Internal error");
        let last = replies.last().cloned().unwrap_or(missing);
        replies.resize(expected, last);
        if replies.iter().any(Reply::is_positive) {
            c.message_taken();
        }
        replies.iter().for_each(|reply| c.say(reply));
        ExpectMail.into()
    }

    pub(super) fn abort(&mut self, refusal: Refusal) {
        self.refused.get_or_insert(refusal);
    }
}
