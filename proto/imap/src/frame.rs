//! Where a command ends: lines and the literals in them, without parsing either.
//!
//! A command is text up to a line end, but a line that ends in a literal header `{n}` goes on after the
//! literal's octets (RFC 3501 4.3). At each header the caller decides what becomes of the literal, so that
//! a message of 50 MB never sits in memory.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memchr2, memrchr};
use smallvec::SmallVec;

use crate::cursor::decimal;
use crate::{Append, CommandError, Tag};

/// What a framer accepts.
#[derive(Debug, Clone, Copy)]
pub struct FrameLimits {
    /// Octets of a command, its buffered literals included.
    pub command_bytes_max: usize,
    /// Octets of one buffered literal.
    pub literal_bytes_max: usize,
    /// Literals of one command.
    pub literals_max: usize,
}

impl Default for FrameLimits {
    fn default() -> FrameLimits {
        FrameLimits {
            command_bytes_max: limits::IMAP_COMMAND_BYTES_MAX,
            literal_bytes_max: limits::IMAP_LITERAL_BUFFERED_BYTES_MAX,
            literals_max: limits::IMAP_LITERALS_MAX,
        }
    }
}

impl FrameLimits {
    /// For a peer that has not logged in: room for a login and little else.
    pub fn before_login() -> FrameLimits {
        FrameLimits { command_bytes_max: limits::IMAP_LOGIN_COMMAND_BYTES_MAX, ..FrameLimits::default() }
    }
}

/// What the bytes read so far amount to.
#[derive(Debug)]
pub enum Frame {
    /// Nothing whole: read more.
    NeedMore,
    /// The text so far ends in a literal header: call [`Framer::decide`], then go on.
    Literal(LiteralHeader),
    /// A whole command.
    Line(Line),
}

/// A literal header and the text before it.
#[derive(Debug, Clone)]
pub struct LiteralHeader {
    /// Octets announced.
    pub octets: u64,
    /// `{n+}` (RFC 7888 4): the client does not wait for a continuation.
    pub non_sync: bool,
    /// Literals of the command so far, this one included.
    pub number: usize,
    line: Line,
}

impl LiteralHeader {
    /// The tag of the command, if it has one.
    pub fn tag(&self) -> Option<Tag> {
        self.line.tag()
    }

    /// If this literal is the message of an APPEND: the command, to be checked before the literal is
    /// taken with [`LiteralDecision::Stream`]. `None` for any other literal.
    pub fn append(&self) -> Option<Result<Append, CommandError>> {
        crate::parse::append_header(&self.line)
    }

    /// What to do with a literal that is not an APPEND's message: buffer it if the limits allow.
    pub fn decision(&self, limits: &FrameLimits) -> LiteralDecision {
        let room = limits.command_bytes_max.saturating_sub(self.line.text.len());
        let max = limits.literal_bytes_max.min(room) as u64;
        let fits = self.octets <= max && self.number <= limits.literals_max;
        if fits { LiteralDecision::Buffer } else { LiteralDecision::Refuse }
    }
}

/// What becomes of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralDecision {
    /// It becomes part of the line. The caller sends a continuation, unless the literal is non-synchronizing.
    Buffer,
    /// The caller takes its octets by [`Framer::literal_chunk`], sending the continuation first (same condition);
    /// when they are through, [`Framer::next`] goes on with the rest of the line.
    Stream,
    /// The caller answers NO or BAD with the tag. The command is forgotten; octets that a non-synchronizing
    /// literal sends nevertheless are skipped, with the rest of its line.
    Refuse,
}

/// A command as it was framed: its text, with the buffered literals in it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Text, headers and octets of literals, without the last line end.
    pub(crate) text: Bytes,
    /// For each streamed literal, the offset in `text` after its header's line end.
    pub(crate) streamed: SmallVec<[usize; 1]>,
}

impl Line {
    /// A line without streamed literals.
    pub fn new(text: impl Into<Bytes>) -> Line {
        Line { text: text.into(), streamed: SmallVec::new() }
    }

    /// The bytes without the last line end.
    pub fn bytes(&self) -> &Bytes {
        &self.text
    }

    /// The tag, if there is one.
    pub fn tag(&self) -> Option<Tag> {
        tag(&self.text)
    }
}

/// The peer does not keep to the framing. It is always the peer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A line longer than the limit. The rest of it is skipped; answer BAD with the tag and go on.
    #[error("Line too long")]
    LineTooLong {
        /// The tag, if the line began with one.
        tag: Option<Tag>,
    },
    /// A literal header with a number that does not fit 63 bits. Answer BAD and close.
    #[error("Literal too large")]
    LiteralTooLarge {
        /// The tag, if the line began with one.
        tag: Option<Tag>,
    },
}

/// Cuts a stream of bytes into commands.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    state: State,
    /// What came before the line being read, of the same command: text and literals.
    text: BytesMut,
    streamed: SmallVec<[usize; 1]>,
    /// Literals announced, of the same command.
    literals: usize,
    /// Bytes of the input that are known to hold no line end.
    searched: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// A line, or what follows a literal.
    Text,
    /// A literal was announced; the caller has not decided.
    Undecided { octets: u64, non_sync: bool },
    /// Octets that become part of the line.
    Buffering { left: usize },
    /// Octets that the caller takes.
    Streaming { left: u64 },
    /// Octets of a refused literal, then the rest of its line.
    Skipping { left: u64 },
    /// The rest of a line that is too long or was refused.
    SkippingLine,
}

impl Framer {
    /// A framer at the beginning of a command.
    pub fn new(limits: FrameLimits) -> Framer {
        let (text, streamed) = (BytesMut::new(), SmallVec::new());
        Framer { limits, state: State::Text, text, streamed, literals: 0, searched: 0 }
    }

    /// Other limits from the next line on.
    pub fn change_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// Takes what it can from `input`. A literal that was announced and not decided upon is refused.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Frame, FrameError> {
        if !self.settle(input) {
            return Ok(Frame::NeedMore);
        }
        match self.take_line(input)? {
            Some(line) => self.end_line(line),
            None => Ok(Frame::NeedMore),
        }
    }

    /// Goes through what stands before the next line; false while more of it is to come.
    fn settle(&mut self, input: &mut BytesMut) -> bool {
        loop {
            let through = match self.state {
                State::Text => return true,
                State::Undecided { .. } => {
                    self.decide(LiteralDecision::Refuse);
                    true
                }
                State::Buffering { left } => self.buffer_octets(left, input),
                State::Streaming { left } => left == 0,
                State::Skipping { left } => self.skip_octets(left, input),
                State::SkippingLine => self.skip_line(input),
            };
            match self.state {
                _ if !through => return false,
                State::Buffering { .. } | State::Streaming { .. } => self.state = State::Text,
                State::Skipping { left: 0 } => self.state = State::SkippingLine,
                _ => {}
            }
        }
    }

    /// Answers a [`Frame::Literal`].
    pub fn decide(&mut self, decision: LiteralDecision) {
        let State::Undecided { octets, non_sync } = self.state else { return };
        self.state = match (decision, usize::try_from(octets)) {
            (LiteralDecision::Buffer, Ok(left)) => State::Buffering { left },
            (LiteralDecision::Stream, _) => {
                self.streamed.push(self.text.len());
                State::Streaming { left: octets }
            }
            _ if non_sync => State::Skipping { left: octets },
            _ => State::Text,
        };
        if matches!(self.state, State::Text | State::Skipping { .. }) {
            self.forget_command();
        }
    }

    /// Octets of a streamed literal still to come.
    pub fn literal_left(&self) -> u64 {
        match self.state {
            State::Streaming { left } => left,
            _ => 0,
        }
    }

    /// The next octets of a streamed literal, uncopied; `None` when there are none in `input` or none left.
    pub fn literal_chunk(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        let State::Streaming { left } = self.state else { return None };
        let octets = left.min(input.len() as u64);
        self.state = State::Streaming { left: left - octets };
        (octets > 0).then(|| input.split_to(octets as usize).freeze())
    }

    /// A line that is no command (a SASL answer, `DONE`), without its line end; `None`: read more.
    pub fn raw_line(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        if !self.settle(input) {
            return Ok(None);
        }
        let line = self.take_line(input)?;
        Ok(line.map(|mut line| {
            line.truncate(trim_line_end(&line).len());
            line.freeze()
        }))
    }

    /// A line with its end, once it is whole.
    fn take_line(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        let end = memchr(b'\n', &input[self.searched..]).map(|at| self.searched + at + 1);
        self.searched = if end.is_some() { 0 } else { input.len() };
        if self.text.len() + end.unwrap_or(input.len()) > self.limits.command_bytes_max {
            return Err(self.too_long(input));
        }
        Ok(end.map(|end| input.split_to(end)))
    }

    /// Gives the command up and skips the rest of its line.
    fn too_long(&mut self, input: &[u8]) -> FrameError {
        let begin = if self.text.is_empty() { input } else { &self.text[..] };
        let tag = tag(begin);
        self.forget_command();
        self.state = State::SkippingLine;
        FrameError::LineTooLong { tag }
    }

    /// A line is whole: the command is, too, unless the line announces a literal.
    fn end_line(&mut self, line: BytesMut) -> Result<Frame, FrameError> {
        let Some((digits, non_sync)) = literal_header(trim_line_end(&line)) else {
            return Ok(Frame::Line(self.end_command(line)));
        };
        let Some(octets) = decimal(digits) else {
            let tag = tag(if self.text.is_empty() { &line } else { &self.text });
            self.forget_command();
            return Err(FrameError::LiteralTooLarge { tag });
        };
        self.text.extend_from_slice(&line);
        self.state = State::Undecided { octets, non_sync };
        self.literals += 1;
        let line = Line { text: self.text.clone().freeze(), streamed: self.streamed.clone() };
        Ok(Frame::Literal(LiteralHeader { octets, non_sync, number: self.literals, line }))
    }

    fn end_command(&mut self, mut line: BytesMut) -> Line {
        line.truncate(trim_line_end(&line).len());
        let streamed = mem::take(&mut self.streamed);
        self.literals = 0;
        if self.text.is_empty() {
            return Line { text: line.freeze(), streamed };
        }
        self.text.extend_from_slice(&line);
        Line { text: self.text.split().freeze(), streamed }
    }

    fn forget_command(&mut self) {
        self.text.clear();
        self.streamed.clear();
        self.literals = 0;
        self.searched = 0;
    }

    fn buffer_octets(&mut self, left: usize, input: &mut BytesMut) -> bool {
        let taken = input.split_to(left.min(input.len()));
        self.text.extend_from_slice(&taken);
        self.state = State::Buffering { left: left - taken.len() };
        left == taken.len()
    }

    fn skip_octets(&mut self, left: u64, input: &mut BytesMut) -> bool {
        let octets = left.min(input.len() as u64);
        input.advance(octets as usize);
        self.state = State::Skipping { left: left - octets };
        left == octets
    }

    /// A non-synchronizing literal in a line that is skipped comes without being asked for, and is skipped too.
    fn skip_line(&mut self, input: &mut BytesMut) -> bool {
        let Some(end) = memchr(b'\n', input) else {
            // The last bytes may be those of a literal header.
            input.advance(input.len().saturating_sub(LITERAL_HEADER_BYTES_MAX));
            return false;
        };
        let line = input.split_to(end + 1);
        self.state = match literal_header(trim_line_end(&line)) {
            // Of a longer number the first digits may be gone already.
            Some((digits, true)) if digits.len() <= LITERAL_DIGITS_MAX => {
                State::Skipping { left: decimal(digits).unwrap_or(u64::MAX) }
            }
            _ => State::Text,
        };
        true
    }
}

/// Digits of the greatest literal, 9223372036854775807.
const LITERAL_DIGITS_MAX: usize = 19;
/// Bytes of its header, `{9223372036854775807+}`, and its CR.
const LITERAL_HEADER_BYTES_MAX: usize = LITERAL_DIGITS_MAX + 4;

/// Bytes of a tag that is given back.
const TAG_BYTES_MAX: usize = 255;

fn tag(text: &[u8]) -> Option<Tag> {
    let end = memchr2(b' ', b'\r', text).unwrap_or(text.len());
    if end > TAG_BYTES_MAX { None } else { Tag::new(&text[..end]) }
}

/// Without its CRLF. A bare LF ends a line too, as it does for Dovecot.
fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The digits of a literal header at the end of a line, and whether it is non-synchronizing:
/// `"{" number ["+"] "}"` (RFC 3501 9, RFC 7888 8).
fn literal_header(line: &[u8]) -> Option<(&[u8], bool)> {
    let inner = line.strip_suffix(b"}")?;
    let open = memrchr(b'{', inner)?;
    let inner = &inner[open + 1..];
    let (digits, non_sync) = inner.strip_suffix(b"+").map_or((inner, false), |digits| (digits, true));
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all_digits.then_some((digits, non_sync))
}
