//! Message content on the wire: by DATA (RFC 5321 4.5.2) and by BDAT (RFC 3030).
//!
//! Both hold content to the same rules: CR and LF occur only together (RFC 5321 2.3.8), and NUL does not occur at
//! all. A message that breaks one is consumed to its real end and refused, so that no two programs can disagree on
//! where it ended.

use bytes::BytesMut;
use memchr::{memchr, memchr2};

use crate::Refusal;

/// Why content is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentFault {
    /// A CR that no LF follows.
    BareCr,
    /// An LF that no CR precedes.
    BareLf,
    /// A NUL, which no mailbox can show: RFC 3501 9 keeps it out of literals. Postfix takes it unless it is told to
    /// reject or to strip it (`message_reject_characters`, `message_strip_characters`). What is stripped says
    /// something else (`a<NUL>b@x` is not `ab@x`) and breaks signatures, so it is rejected here.
    Nul,
    /// More bytes than the announced SIZE.
    TooBig,
}

impl ContentFault {
    /// The reply to the whole content.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::BareCr => Refusal::new(550, (5, 5, 2), "Message refused: bare CR in it"),
            Self::BareLf => Refusal::new(550, (5, 5, 2), "Message refused: bare LF in it"),
            Self::Nul => Refusal::new(550, (5, 6, 0), "Message refused: NUL in it"),
            Self::TooBig => Refusal::new(552, (5, 3, 4), "Message refused: too big"),
        }
    }
}

/// What is known about content so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    bytes: u64,
    bytes_max: u64,
    eight_bit: bool,
    fault: Option<ContentFault>,
}

impl Content {
    /// Nothing yet; `bytes_max` 0 means no limit.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes: 0, bytes_max, eight_bit: false, fault: None }
    }

    /// Bytes so far, after unstuffing.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a byte over 0x7f came, announced or not.
    pub fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// The first fault, if any.
    pub fn fault(&self) -> Option<ContentFault> {
        self.fault
    }

    /// Bytes beyond the limit, or all of them where there is no limit.
    pub(crate) fn bytes_over(&self) -> u64 {
        self.bytes.saturating_sub(self.bytes_max)
    }

    fn found(&mut self, fault: ContentFault) {
        self.fault.get_or_insert(fault);
    }

    /// Counts `piece` and passes it on to `out`, unless the content is refused anyway. What is found first is what
    /// comes first, however the content was cut into pieces.
    fn take(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let room = if self.bytes_max > 0 { self.bytes_max.saturating_sub(self.bytes) } else { u64::MAX };
        self.bytes += piece.len() as u64;
        self.eight_bit |= !piece.is_ascii();
        match memchr(0, piece) {
            Some(at) if at as u64 <= room => self.found(ContentFault::Nul),
            _ if piece.len() as u64 > room => self.found(ContentFault::TooBig),
            _ => {}
        }
        if self.fault.is_none() {
            out.extend_from_slice(piece);
        }
    }
}

/// Where the decoder stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Behind CRLF.
    LineStart,
    /// Behind a dot that starts a line.
    Dot,
    /// Behind a dot that starts a line, and a CR.
    DotCr,
    /// Within a line.
    Text,
    /// Behind a CR within a line.
    Cr,
}

/// Takes the dot-stuffing off and finds the end, which is `CRLF.CRLF` and nothing else.
///
/// The CRLF of the DATA command itself counts as the first, so `.CRLF` at once is an empty message.
#[derive(Clone, Debug)]
pub struct DataDecoder {
    at: At,
    content: Content,
}

impl DataDecoder {
    /// At the start of a message of at most `bytes_max` bytes (0: no limit).
    pub fn new(bytes_max: u64) -> Self {
        Self { at: At::LineStart, content: Content::new(bytes_max) }
    }

    /// What is known about the message so far.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Consumes `input` up to the end of the message and appends what it says to `out`. True at the end; what
    /// follows it stays in `input`.
    pub fn push(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> bool {
        let mut rest: &[u8] = input;
        let mut ended = false;
        while !rest.is_empty() && !ended {
            (rest, ended) = self.step(rest, out);
        }
        let consumed = input.len() - rest.len();
        let _ = input.split_to(consumed);
        ended
    }

    /// One step of the machine: what is left of `rest`, and whether the end was found.
    fn step<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> (&'a [u8], bool) {
        match (self.at, rest[0]) {
            (At::DotCr, b'\n') => return (&rest[1..], true),
            (At::Dot, b'\r') => self.at = At::DotCr,
            (At::LineStart, b'.') => self.at = At::Dot,
            (At::Cr, b'\n') => {
                self.content.take(b"\r\n", out);
                self.at = At::LineStart;
            }
            (At::Cr | At::DotCr, _) => {
                self.content.found(ContentFault::BareCr);
                self.at = At::Text;
                return (rest, false);
            }
            (At::LineStart | At::Dot | At::Text, _) => return (self.text(rest, out), false),
        }
        (&rest[1..], false)
    }

    /// Text up to and including the next CR or LF.
    fn text<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        self.at = At::Text;
        let Some(end) = memchr2(b'\r', b'\n', rest) else {
            self.content.take(rest, out);
            return &[];
        };
        self.content.take(&rest[..end], out);
        match rest[end] {
            b'\r' => self.at = At::Cr,
            _ => self.content.found(ContentFault::BareLf),
        }
        &rest[end + 1..]
    }
}

/// Checks content that comes in chunks, whose ends need not be line ends.
#[derive(Clone, Debug)]
pub struct ChunkDecoder {
    after_cr: bool,
    content: Content,
}

impl ChunkDecoder {
    /// At the start of a message of at most `bytes_max` bytes (0: no limit).
    pub fn new(bytes_max: u64) -> Self {
        Self { after_cr: false, content: Content::new(bytes_max) }
    }

    /// What is known about the message so far.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Checks `piece` and appends it to `out`.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while !rest.is_empty() {
            let end = memchr2(b'\r', b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            self.line(line, out);
            rest = after;
        }
    }

    /// Takes bytes of which the last one alone may be a CR or LF.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let after_cr = std::mem::take(&mut self.after_cr);
        let is_line_end = after_cr && line == b"\n";
        if after_cr && !is_line_end {
            self.content.found(ContentFault::BareCr);
        }
        self.content.take(line, out);
        match line.last() {
            Some(b'\r') => self.after_cr = true,
            Some(b'\n') if !is_line_end => self.content.found(ContentFault::BareLf),
            _ => {}
        }
    }

    /// The last chunk is in: a CR that still waits for its LF waits in vain.
    pub fn finish(&mut self) {
        if std::mem::take(&mut self.after_cr) {
            self.content.found(ContentFault::BareCr);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `wire` in pieces of `step` bytes; the content, the decoder, and what is left behind the end.
    fn decoded(wire: &[u8], step: usize) -> (Vec<u8>, DataDecoder, Option<Vec<u8>>) {
        let (mut decoder, mut out, mut input) = (DataDecoder::new(0), vec![], BytesMut::new());
        let mut pieces = wire.chunks(step);
        while let Some(piece) = pieces.next() {
            input.extend_from_slice(piece);
            if decoder.push(&mut input, &mut out) {
                let left = [input.to_vec(), pieces.flatten().copied().collect()].concat();
                return (out, decoder, Some(left));
            }
        }
        (out, decoder, None)
    }

    /// The fault of content that comes in chunks of `step` bytes.
    fn chunk_fault(content: &[u8], step: usize) -> Option<ContentFault> {
        let (mut decoder, mut out) = (ChunkDecoder::new(8), vec![]);
        content.chunks(step).for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish();
        decoder.content().fault()
    }

    #[test]
    fn the_fault_that_comes_first_is_told_however_chunks_are_cut() {
        let cases: [(&[u8], ContentFault); 6] = [
            (b"a\0b\nc", ContentFault::Nul),
            (b"a\n\0", ContentFault::BareLf),
            (b"a\rb\0", ContentFault::BareCr),
            (b"123456789\0", ContentFault::TooBig),
            (b"12345678\0", ContentFault::Nul),
            (b"1234567\r\n", ContentFault::TooBig),
        ];
        for (content, first) in cases {
            for step in 1..=content.len() {
                assert_eq!(chunk_fault(content, step), Some(first), "{} by {step}", content.escape_ascii());
            }
        }
    }

    fn fault(wire: &[u8]) -> Option<ContentFault> {
        let (_, decoder, left) = decoded(wire, 1);
        assert_eq!(left.as_deref(), Some(&b"NEXT"[..]), "the end was found elsewhere");
        decoder.content().fault()
    }

    #[test]
    fn dots_that_start_a_line_are_taken_off() {
        let (content, decoder, left) = decoded(b"..a\r\n.b\r\nc.\r\n...\r\n.\r\nQUIT", 3);
        assert_eq!(
            (content.as_slice(), left.as_deref()),
            (&b".a\r\nb\r\nc.\r\n..\r\n"[..], Some(&b"QUIT"[..]))
        );
        assert_eq!((decoder.content().bytes(), decoder.content().fault()), (15, None));
    }

    #[test]
    fn an_empty_message_ends_at_once() {
        assert_eq!(decoded(b".\r\n", 1).2, Some(vec![]));
    }

    #[test]
    fn ends_that_other_servers_take_are_content_here() {
        for smuggled in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r\n.\n", "\r.\r\n", "\n.\r", "\r\n.\r\r\n"]
        {
            let wire = format!("a{smuggled}MAIL FROM:<x@y>\r\n.\r\nNEXT");
            assert!(fault(wire.as_bytes()).is_some(), "{smuggled:?}");
        }
    }

    #[test]
    fn bare_cr_and_bare_lf_are_told_apart() {
        assert_eq!(fault(b"a\rb\r\n.\r\nNEXT"), Some(ContentFault::BareCr));
        assert_eq!(fault(b"a\nb\r\n.\r\nNEXT"), Some(ContentFault::BareLf));
        assert_eq!(fault(b"a\r\r\n.\r\nNEXT"), Some(ContentFault::BareCr));
    }

    #[test]
    fn a_nul_is_refused_wherever_it_stands() {
        for wire in [&b"a\0b\r\n.\r\nNEXT"[..], b"\0\r\n.\r\nNEXT", b".\0\r\n.\r\nNEXT"] {
            assert_eq!(fault(wire), Some(ContentFault::Nul));
        }
        assert_eq!(chunked(&[b"a\r\n", b"\0"]).1, Some(ContentFault::Nul));
    }

    #[test]
    fn what_is_too_big_is_read_to_its_end_and_not_kept() {
        let (mut decoder, mut out) = (DataDecoder::new(4), vec![]);
        let mut input = BytesMut::from(&b"12\r\n34\r\n.\r\nNEXT"[..]);
        assert!(decoder.push(&mut input, &mut out));
        assert_eq!(decoder.content().fault(), Some(ContentFault::TooBig));
        assert_eq!((out.as_slice(), input.as_ref()), (&b"12\r\n"[..], &b"NEXT"[..]));
    }

    #[test]
    fn eight_bit_content_is_noticed() {
        assert!(decoded("ü\r\n.\r\n".as_bytes(), 1).1.content().eight_bit());
        assert!(!decoded(b"u\r\n.\r\n", 1).1.content().eight_bit());
    }

    fn chunked(pieces: &[&[u8]]) -> (Vec<u8>, Option<ContentFault>) {
        let (mut decoder, mut out) = (ChunkDecoder::new(0), vec![]);
        pieces.iter().for_each(|piece| decoder.push(piece, &mut out));
        decoder.finish();
        (out, decoder.content().fault())
    }

    #[test]
    fn a_line_end_may_be_cut_between_chunks() {
        assert_eq!(chunked(&[b"a\r", b"\nb\r\n"]), (b"a\r\nb\r\n".to_vec(), None));
        assert_eq!(chunked(&[b".\r\n", b"", b".\r\n"]), (b".\r\n.\r\n".to_vec(), None));
    }

    #[test]
    fn chunks_are_held_to_the_same_line_ends() {
        assert_eq!(chunked(&[b"a\r", b"b"]).1, Some(ContentFault::BareCr));
        assert_eq!(chunked(&[b"a\r"]).1, Some(ContentFault::BareCr));
        assert_eq!(chunked(&[b"a\r\r\n"]).1, Some(ContentFault::BareCr));
        assert_eq!(chunked(&[b"a", b"\n"]).1, Some(ContentFault::BareLf));
    }

    fn stuffed(content: &[u8]) -> Vec<u8> {
        let mut wire = vec![];
        for line in content.split_inclusive(|&b| b == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }

    proptest! {
        #[test]
        fn stuffed_content_comes_back_however_it_is_cut(lines in prop::collection::vec("[.a\u{fc}]{0,4}", 0..8), step in 1usize..9) {
            let content = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>().into_bytes();
            let (back, decoder, left) = decoded(&stuffed(&content), step);
            prop_assert_eq!(decoder.content().fault(), None);
            prop_assert_eq!(left, Some(vec![]));
            prop_assert_eq!(back, content);
        }

        #[test]
        fn where_content_is_cut_changes_nothing(wire in "[.\r\na]{0,24}", step in 1usize..9) {
            let (whole, by_step) = (decoded(wire.as_bytes(), wire.len().max(1)), decoded(wire.as_bytes(), step));
            prop_assert_eq!(whole.1.content().fault(), by_step.1.content().fault());
            prop_assert_eq!(whole.2, by_step.2);
        }
    }
}
