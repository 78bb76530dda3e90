//! The scanner: one pass over the bytes, in chunks of any size.
//!
//! In a header it goes line by line; in a body it jumps from one `LF "--"` to the next (by memchr) and looks
//! at the line only there. A line's head is gathered until it is certain whether a boundary begins it, so
//! that the cuts between chunks make no difference. Bytes are kept only of headers and of such heads.

use std::mem;

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem};

use crate::render::{self, Facts};
use crate::{Part, PartKind, Rendered, Structure};

/// How much of a message is described.
#[derive(Debug, Clone, Copy)]
pub struct ScanLimits {
    /// Octets of one header that are looked at.
    pub header_bytes_max: usize,
    /// Parts.
    pub parts_max: usize,
    /// Levels of nesting.
    pub depth_max: usize,
}

impl Default for ScanLimits {
    fn default() -> ScanLimits {
        ScanLimits {
            header_bytes_max: limits::HEADER_BYTES_MAX,
            parts_max: limits::MIME_PARTS_MAX,
            depth_max: limits::MIME_DEPTH_MAX,
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// Where the parts are.
    pub structure: Structure,
    /// How IMAP shows the message.
    pub rendered: Rendered,
}

/// Scans a message that is in memory.
pub fn scan(message: &[u8]) -> Scanned {
    let mut scanner = Scanner::new(ScanLimits::default());
    scanner.push(message);
    scanner.finish()
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A line of the header of the innermost open part.
    Header,
    /// A line of a body, of which it is not yet known whether a boundary begins it.
    Gather,
    /// A line of a body that is no delimiter.
    Body,
    /// The rest of a delimiter line; a part's header follows.
    SkipToHeader,
    /// The rest of a closing delimiter line; more of the body around it follows.
    SkipToBody,
}

/// A part whose end has not been seen.
#[derive(Debug)]
struct Open {
    part: usize,
    /// Of a multipart that has not been closed.
    boundary: Option<Vec<u8>>,
    /// Line ends before its body.
    lines_before: u64,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy, Default)]
struct LineStart {
    offset: u64,
    /// Line ends before it.
    lines: u64,
    /// Octets of the line end just before it: 0, 1 or 2.
    line_end: u64,
}

/// A delimiter line: of which open part, and whether it closes it.
#[derive(Debug, Clone, Copy)]
struct Delimiter {
    open: usize,
    closing: bool,
}

/// Scans one message.
#[derive(Debug)]
pub struct Scanner {
    limits: ScanLimits,
    state: State,
    offset: u64,
    lines: u64,
    /// The last two bytes.
    tail: [u8; 2],
    line: LineStart,
    /// The first bytes of the current line, where it may be a delimiter or blank.
    head: Vec<u8>,
    head_bytes_max: usize,
    /// The header being read, up to the limit.
    header: Vec<u8>,
    /// Length of `header` at the beginning of the current line.
    header_at_line: usize,
    /// The header of the message itself.
    root_header: Vec<u8>,
    parts: Vec<Part>,
    facts: Vec<Facts>,
    open: Vec<Open>,
    dashes: memmem::Finder<'static>,
}

impl Scanner {
    /// At the beginning of a message.
    pub fn new(limits: ScanLimits) -> Scanner {
        let mut scanner = Scanner {
            limits,
            state: State::Header,
            offset: 0,
            lines: 0,
            tail: [0; 2],
            line: LineStart::default(),
            head: Vec::new(),
            head_bytes_max: 0,
            header: Vec::new(),
            header_at_line: 0,
            root_header: Vec::new(),
            parts: Vec::new(),
            facts: Vec::new(),
            open: Vec::new(),
            dashes: memmem::Finder::new(b"\n--"),
        };
        scanner.begin_part(None);
        scanner
    }

    /// The next bytes; how they are cut makes no difference.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let taken = match self.state {
                State::Header => self.take_header(rest),
                State::Gather => self.take_head(rest),
                State::Body => self.take_body(rest),
                State::SkipToHeader | State::SkipToBody => self.skip_line(rest),
            };
            rest = &rest[taken..];
        }
    }

    /// The message has ended.
    pub fn finish(mut self) -> Scanned {
        match self.state {
            State::Header => match self.delimiter() {
                Some(found) => self.header_cut_short(found),
                None => self.end_header(self.offset),
            },
            State::Gather => self.decide_head(),
            State::Body | State::SkipToHeader | State::SkipToBody => {}
        }
        if self.state == State::SkipToHeader {
            self.begin_part_header();
        }
        while self.state == State::Header {
            self.end_header(self.offset);
        }
        self.close_above(0, self.offset, self.lines);
        let structure = Structure { parts: self.parts };
        let mut rendered = render::rendered(structure.parts(), &self.facts);
        rendered.header = Bytes::from(self.root_header);
        Scanned { structure, rendered }
    }

    // ---- taking bytes

    /// Counts bytes as seen.
    fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.lines += memchr_iter(b'\n', bytes).count() as u64;
        match bytes {
            [] => {}
            [last] => self.tail = [self.tail[1], *last],
            [.., before, last] => self.tail = [*before, *last],
        }
    }

    fn begin_line(&mut self) {
        let line_end = match self.tail {
            _ if self.offset == 0 => 0,
            [b'\r', b'\n'] => 2,
            _ => 1,
        };
        self.line = LineStart { offset: self.offset, lines: self.lines, line_end };
        self.head.clear();
        self.header_at_line = self.header.len();
    }

    fn take_header(&mut self, bytes: &[u8]) -> usize {
        let line_end = memchr(b'\n', bytes);
        let piece = &bytes[..line_end.map_or(bytes.len(), |at| at + 1)];
        let room = self.limits.header_bytes_max.saturating_sub(self.header.len());
        self.header.extend_from_slice(&piece[..piece.len().min(room)]);
        self.gather(piece);
        self.advance(piece);
        if line_end.is_some() {
            self.end_header_line();
        }
        piece.len()
    }

    fn end_header_line(&mut self) {
        if matches!(&self.head[..], b"\r\n" | b"\n") {
            self.end_header(self.offset);
        } else if let Some(found) = self.delimiter() {
            self.header_cut_short(found);
            self.end_skipped_line();
        } else {
            self.begin_line();
        }
    }

    /// A line of a body that may be a delimiter: gathers until that is certain.
    fn take_head(&mut self, bytes: &[u8]) -> usize {
        let needed = self.head_bytes_max - self.head.len();
        let line_end = memchr(b'\n', &bytes[..bytes.len().min(needed)]);
        let piece = &bytes[..line_end.map_or(bytes.len().min(needed), |at| at + 1)];
        let before = self.head.len();
        self.gather(piece);
        if !b"--".starts_with(&self.head[..self.head.len().min(2)]) {
            self.head.truncate(before);
            self.state = State::Body;
            return 0;
        }
        self.advance(piece);
        if line_end.is_some() || self.head.len() == self.head_bytes_max {
            self.decide_head();
            if line_end.is_some() {
                self.end_skipped_line();
            }
        }
        piece.len()
    }

    fn gather(&mut self, piece: &[u8]) {
        let room = self.head_bytes_max.saturating_sub(self.head.len());
        self.head.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// The head of a line is whole: is it a delimiter?
    fn decide_head(&mut self) {
        match self.delimiter() {
            Some(found) => {
                let LineStart { offset, lines, line_end } = self.line;
                self.delimit(found, offset - line_end, lines - u64::from(line_end > 0));
            }
            None => self.state = State::Body,
        }
    }

    /// The line end of a line whose head was decided has just been taken.
    fn end_skipped_line(&mut self) {
        match self.state {
            State::SkipToHeader => self.begin_part_header(),
            State::SkipToBody | State::Body => self.begin_body_line(),
            State::Header | State::Gather => {}
        }
    }

    fn take_body(&mut self, bytes: &[u8]) -> usize {
        if self.head_bytes_max == HEAD_BYTES_MIN {
            self.advance(bytes);
            return bytes.len();
        }
        match self.dashes.find(bytes) {
            Some(at) => {
                self.advance(&bytes[..=at]);
                self.begin_body_line();
                at + 1
            }
            None => self.take_body_to_end(bytes),
        }
    }

    /// No `LF "--"` in the chunk, but one may begin at its end.
    fn take_body_to_end(&mut self, bytes: &[u8]) -> usize {
        if bytes.ends_with(b"\n") {
            self.advance(bytes);
            self.begin_body_line();
            return bytes.len();
        }
        let kept = usize::from(bytes.ends_with(b"\n-"));
        self.advance(&bytes[..bytes.len() - kept]);
        if kept > 0 {
            self.begin_body_line();
        }
        bytes.len() - kept
    }

    fn begin_body_line(&mut self) {
        self.begin_line();
        self.state = State::Gather;
    }

    fn skip_line(&mut self, bytes: &[u8]) -> usize {
        let line_end = memchr(b'\n', bytes);
        let taken = line_end.map_or(bytes.len(), |at| at + 1);
        self.advance(&bytes[..taken]);
        if line_end.is_some() {
            self.end_skipped_line();
        }
        taken
    }

    // ---- parts

    fn innermost(&self) -> usize {
        self.open.last().map_or(0, |open| open.part)
    }

    /// A new part in the innermost open one; its header begins where the scanner is now.
    fn begin_part(&mut self, parent: Option<usize>) {
        let index = self.parts.len();
        if let Some(parent) = parent {
            self.parts[parent].children.push(index as u32);
        }
        self.parts.push(Part {
            header: self.offset..UNKNOWN,
            body: UNKNOWN..UNKNOWN,
            lines: 0,
            kind: PartKind::Other,
            children: Vec::new(),
        });
        self.facts.push(Facts::default());
        self.open.push(Open { part: index, boundary: None, lines_before: 0 });
        self.begin_part_header();
    }

    fn begin_part_header(&mut self) {
        let part = self.innermost();
        self.parts[part].header.start = self.offset;
        self.header.clear();
        self.begin_line();
        self.measure_head();
        self.state = State::Header;
    }

    /// How much of a line must be seen to know whether it is a delimiter.
    fn measure_head(&mut self) {
        let boundaries = self.open.iter().filter_map(|open| open.boundary.as_ref());
        let longest = boundaries.map(|boundary| boundary.len() + 4).max();
        self.head_bytes_max = longest.unwrap_or(0).max(HEAD_BYTES_MIN);
    }

    /// A delimiter stands where a header has not yet ended.
    fn header_cut_short(&mut self, found: Delimiter) {
        let LineStart { offset, lines, line_end } = self.line;
        let part = self.innermost();
        let end = (offset - line_end).max(self.parts[part].header.start);
        let lines = lines - u64::from(end < offset);
        self.header.truncate(self.header_at_line);
        self.finish_header(end, lines);
        self.delimit(found, end, lines);
    }

    /// The header of the innermost part ends here, by its blank line or with the message.
    fn end_header(&mut self, end: u64) {
        self.finish_header(end, self.lines);
        self.begin_content();
    }

    fn finish_header(&mut self, end: u64, lines: u64) {
        let index = self.innermost();
        let facts = self.read_header();
        let part = &mut self.parts[index];
        part.header.end = end;
        part.body = end..end;
        part.kind = facts.kind();
        self.facts[index] = facts;
        if let Some(open) = self.open.last_mut() {
            open.lines_before = lines;
        }
        if index == 0 {
            self.root_header = mem::take(&mut self.header);
            cut_at_line(&mut self.root_header, end as usize);
        }
    }

    fn read_header(&self) -> Facts {
        let parent = self.open.iter().rev().nth(1).map(|open| open.part);
        let is_message = parent.is_none_or(|parent| self.parts[parent].kind == PartKind::Message);
        let in_digest = parent.is_some_and(|parent| self.facts[parent].is_digest);
        let mut facts = Facts::read(&self.header, is_message, in_digest);
        let deep = self.open.len() >= self.limits.depth_max;
        if deep || self.parts.len() >= self.limits.parts_max {
            facts.make_opaque();
        }
        facts
    }

    /// After a header: the content, according to its kind.
    fn begin_content(&mut self) {
        let index = self.innermost();
        match self.parts[index].kind {
            PartKind::Message => return self.begin_part(Some(index)),
            PartKind::Multipart => {
                let boundary = self.facts[index].boundary.take();
                self.open.last_mut().expect("the innermost part is open").boundary = boundary;
            }
            PartKind::Text | PartKind::Other => {}
        }
        self.measure_head();
        self.begin_body_line();
    }

    /// The delimiter in `head`, if it is one: the longest boundary that begins the line after its dashes, the
    /// innermost of equals (RFC 2046 5.1.1: it need not be the whole line).
    fn delimiter(&self) -> Option<Delimiter> {
        let text = self.head.strip_prefix(b"--")?;
        let mut best: Option<(usize, usize)> = None;
        for (index, open) in self.open.iter().enumerate().rev() {
            let Some(boundary) = &open.boundary else { continue };
            if text.starts_with(boundary) && best.is_none_or(|(_, len)| boundary.len() > len) {
                best = Some((index, boundary.len()));
            }
        }
        let (open, len) = best?;
        let closing = text[len..].starts_with(b"--");
        (closing || self.parts.len() < self.limits.parts_max).then_some(Delimiter { open, closing })
    }

    /// Ends what the delimiter ends, and begins what it begins once its line is through.
    fn delimit(&mut self, found: Delimiter, end: u64, lines: u64) {
        self.close_above(found.open + 1, end, lines);
        if found.closing {
            self.open[found.open].boundary = None;
            self.measure_head();
            self.state = State::SkipToBody;
        } else {
            self.begin_part(Some(self.open[found.open].part));
            self.state = State::SkipToHeader;
        }
    }

    /// Ends the bodies of all open parts from `depth` on. Where a delimiter follows a header's blank line at
    /// once, that line end is the header's, not the delimiter's: no body ends before it begins.
    fn close_above(&mut self, depth: usize, mut end: u64, mut lines: u64) {
        for open in self.open.drain(depth..).rev() {
            let part = &mut self.parts[open.part];
            if part.body.start > end {
                (end, lines) = (part.body.start, open.lines_before);
            }
            part.body.end = end;
            part.lines = lines - open.lines_before;
        }
    }
}

/// An offset that is not known yet.
const UNKNOWN: u64 = u64::MAX;

/// Enough of a line to see whether it is blank.
const HEAD_BYTES_MIN: usize = 3;

/// A header longer than the limit ends after its last whole line, with a blank line of our own.
fn cut_at_line(header: &mut Vec<u8>, whole_bytes: usize) {
    if header.len() < whole_bytes {
        header.truncate(memchr::memrchr(b'\n', header).map_or(0, |at| at + 1));
        header.extend_from_slice(b"\r\n");
    }
}
