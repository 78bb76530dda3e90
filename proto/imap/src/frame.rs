//! Where a command ends: lines and the literals in them, without parsing either.
//!
//! A command is text up to a line end, but a line that ends in a literal header `{n}` goes on after the
//! literal's octets (RFC 3501 4.3). At each header the caller decides what becomes of the literal, so that
//! a message of 50 MB never sits in memory.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::{Append, CommandError, Tag};

/// What a framer accepts.
#[derive(Debug, Clone, Copy)]
pub struct FrameLimits {
    /// Octets of a command, its buffered literals included.
    pub command_bytes_max: usize,
    /// Octets of one buffered literal.
    pub literal_bytes_max: usize,
}

impl Default for FrameLimits {
    fn default() -> FrameLimits {
        FrameLimits {
            command_bytes_max: limits::IMAP_COMMAND_BYTES_MAX,
            literal_bytes_max: limits::IMAP_LITERAL_BUFFERED_BYTES_MAX,
        }
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
        crate::parse::append_header(&self.line, self.octets)
    }

    /// What to do with a literal that is not an APPEND's message: buffer it if the limits allow.
    pub fn decision(&self, limits: &FrameLimits) -> LiteralDecision {
        let room = limits.command_bytes_max.saturating_sub(self.line.text.len());
        let max = limits.literal_bytes_max.min(room) as u64;
        if self.octets <= max { LiteralDecision::Buffer } else { LiteralDecision::Refuse }
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
    /// For each streamed literal, the offset in `text` after its header's line end, and its octets.
    pub(crate) streamed: SmallVec<[(usize, u64); 1]>,
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
        let end = memchr::memchr(b' ', &self.text).unwrap_or(self.text.len());
        Tag::new(&self.text[..end])
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
    #[expect(dead_code)]
    limits: FrameLimits,
}

impl Framer {
    /// A framer at the beginning of a command.
    pub fn new(limits: FrameLimits) -> Framer {
        Framer { limits }
    }

    /// Takes what it can from `input`.
    pub fn next(&mut self, _input: &mut BytesMut) -> Result<Frame, FrameError> {
        unimplemented!("Framer::next")
    }

    /// Answers a [`Frame::Literal`].
    pub fn decide(&mut self, _decision: LiteralDecision) {
        unimplemented!("Framer::decide")
    }

    /// Octets of a streamed literal still to come.
    pub fn literal_left(&self) -> u64 {
        unimplemented!("Framer::literal_left")
    }

    /// The next octets of a streamed literal, uncopied; `None` when there are none in `input` or none left.
    pub fn literal_chunk(&mut self, _input: &mut BytesMut) -> Option<Bytes> {
        unimplemented!("Framer::literal_chunk")
    }

    /// A line that is no command (a SASL answer, `DONE`), without its line end; `None`: read more.
    pub fn raw_line(&mut self, _input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        unimplemented!("Framer::raw_line")
    }
}
