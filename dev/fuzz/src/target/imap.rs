//! The IMAP wire: framing, and the grammar of commands and responses.

use crate::cuts::{Cuts, split};
use bytes::{Bytes, BytesMut};
use imap::reply::Reply;
use imap::{
    DateTime, Frame, FrameError, FrameLimits, Framer, Line, ListPattern, LiteralDecision, LiteralHeader,
    MailboxName, Request, SequenceSet,
};

const LIMITS: FrameLimits = FrameLimits { command_bytes_max: 300, literal_bytes_max: 60, literals_max: 4 };

/// The framer: lines, literals and errors do not depend on how the bytes are cut, and no more is kept than a command.
pub fn frames(bytes: &[u8]) {
    let ([choice, seed], input) = split::<2>(bytes);
    let whole = Framed::run(choice, &[input]);
    let cut = Framed::run(choice, &Cuts::new(seed).pieces(input));
    assert_eq!(whole.events, cut.events);
}

/// What a framer came to.
#[derive(Debug, PartialEq)]
enum Event {
    Line(Bytes),
    Literal(u64, bool, usize),
    Streamed(Vec<u8>),
    Error(FrameError),
}

struct Framed {
    choice: u8,
    framer: Framer,
    input: BytesMut,
    events: Vec<Event>,
}

impl Framed {
    fn run(choice: u8, pieces: &[&[u8]]) -> Framed {
        let framer = Framer::new(LIMITS);
        let mut framed = Framed { choice, framer, input: BytesMut::new(), events: Vec::new() };
        for piece in pieces {
            framed.input.extend_from_slice(piece);
            while framed.step() {}
            let kept = framed.input.len();
            assert!(kept <= LIMITS.command_bytes_max, "{kept} bytes kept");
        }
        framed
    }

    /// One event; false where more bytes are needed.
    fn step(&mut self) -> bool {
        if let Some(chunk) = self.framer.literal_chunk(&mut self.input) {
            self.streamed(&chunk);
            return true;
        }
        match self.framer.next(&mut self.input) {
            Ok(Frame::NeedMore) => return false,
            Ok(Frame::Line(line)) => {
                assert!(line.bytes().len() <= LIMITS.command_bytes_max);
                self.events.push(Event::Line(line.bytes().clone()));
            }
            Ok(Frame::Literal(header)) => {
                self.framer.decide(self.decision(&header));
                self.events.push(Event::Literal(header.octets, header.non_sync, header.number));
            }
            Err(error) => self.events.push(Event::Error(error)),
        }
        true
    }

    fn decision(&self, header: &LiteralHeader) -> LiteralDecision {
        match (header.octets as usize + header.number + usize::from(self.choice)) % 5 {
            0 => LiteralDecision::Stream,
            1 => LiteralDecision::Refuse,
            _ => header.decision(&LIMITS),
        }
    }

    /// Octets of a literal are one event, however they came.
    fn streamed(&mut self, chunk: &[u8]) {
        match self.events.last_mut() {
            Some(Event::Streamed(before)) => before.extend_from_slice(chunk),
            _ => self.events.push(Event::Streamed(chunk.to_vec())),
        }
    }
}

/// Commands, responses, and the words in them: what is read is written so that it is read again as it was.
pub fn grammar(bytes: &[u8]) {
    for line in lines(bytes) {
        let _ = Request::parse(&line);
        let _ = Reply::parse(&line);
    }
    if let Some(set) = SequenceSet::parse(bytes) {
        assert_eq!(SequenceSet::parse(set.to_string().as_bytes()).as_ref(), Some(&set));
        check_set(&set);
    }
    if let Ok(name) = MailboxName::from_wire(bytes) {
        assert_eq!(MailboxName::from_wire(name.to_wire().as_bytes()), Ok(name));
    }
    if let Some(date) = DateTime::parse(bytes) {
        let mut written = Vec::new();
        date.write(&mut written);
        let written = written.strip_prefix(b"\"").unwrap_or(&written);
        let written = written.strip_suffix(b"\"").unwrap_or(written);
        assert_eq!(DateTime::parse(written).map(|date| date.timestamp), Some(date.timestamp));
    }
    patterns(bytes);
}

/// As lines of the wire, literals within, and as one line.
fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut framer = Framer::new(FrameLimits::default());
    let mut input = BytesMut::from(bytes);
    let mut lines = vec![Line::new(Bytes::copy_from_slice(bytes))];
    loop {
        while framer.literal_chunk(&mut input).is_some() {}
        match framer.next(&mut input) {
            Ok(Frame::Line(line)) => lines.push(line),
            Ok(Frame::Literal(header)) => framer.decide(match header.append() {
                Some(_) => LiteralDecision::Stream,
                None => header.decision(&FrameLimits::default()),
            }),
            Ok(Frame::NeedMore) => return lines,
            Err(_) => {}
        }
    }
}

/// The ranges of a set are in order, apart, and say what `contains` says.
fn check_set(set: &SequenceSet) {
    for last in [0, 1, 7, u32::MAX] {
        let ranges = set.ranges(last);
        assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start()), "{set} of {last}");
        for range in &ranges {
            assert!(
                set.contains(*range.start(), last) && set.contains(*range.end(), last),
                "{set} of {last}"
            );
        }
    }
}

/// LIST: a name without wildcards matches itself.
fn patterns(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (pattern, name) = text.split_once('\n').unwrap_or((text, text));
    if pattern.len() > 200 || name.len() > 200 {
        return;
    }
    let matcher = ListPattern::new("", pattern, '/');
    let matches = matcher.matches(name);
    assert!(matches || pattern != name || pattern.contains(['*', '%']), "{pattern:?} is not {name:?}");
    let ancestor = matcher.matched_ancestor(name);
    assert!(ancestor.is_none_or(|ancestor| name.starts_with(ancestor)));
}
