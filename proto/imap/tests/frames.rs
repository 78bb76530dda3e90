//! Framing: where commands end, what becomes of literals, and what a peer cannot do.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::{Bytes, BytesMut};
use imap::{Frame, FrameError, FrameLimits, Framer, LiteralDecision};
use proptest::prelude::*;

/// What a framer made of some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Line(Bytes),
    Literal(u64, bool),
    Streamed(Bytes),
    TooLong(Option<String>),
    TooLarge,
}

/// Frames bytes that come in pieces of these sizes, with one decision for every literal.
fn frames(bytes: &[u8], sizes: &[usize], limits: FrameLimits, decision: LiteralDecision) -> Vec<Seen> {
    let mut framer = Framer::new(limits);
    let mut input = BytesMut::new();
    let mut seen = Vec::new();
    let mut rest = bytes;
    for &size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        input.extend_from_slice(piece);
        rest = after;
        take_frames(&mut framer, &mut input, decision, &mut seen);
        if rest.is_empty() {
            return seen;
        }
    }
    seen
}

fn take_frames(framer: &mut Framer, input: &mut BytesMut, decision: LiteralDecision, seen: &mut Vec<Seen>) {
    loop {
        while let Some(chunk) = framer.literal_chunk(input) {
            match seen.last_mut() {
                Some(Seen::Streamed(before)) => *before = [&before[..], &chunk[..]].concat().into(),
                _ => seen.push(Seen::Streamed(chunk)),
            }
        }
        match framer.next(input) {
            Ok(Frame::NeedMore) => return,
            Ok(Frame::Line(line)) => seen.push(Seen::Line(line.bytes().clone())),
            Ok(Frame::Literal(header)) => {
                seen.push(Seen::Literal(header.octets, header.non_sync));
                framer.decide(decision);
            }
            Err(FrameError::LineTooLong { tag }) => seen.push(Seen::TooLong(tag.map(|tag| tag.to_string()))),
            Err(FrameError::LiteralTooLarge { .. }) => seen.push(Seen::TooLarge),
        }
    }
}

fn whole(bytes: &[u8], decision: LiteralDecision) -> Vec<Seen> {
    frames(bytes, &[usize::MAX], FrameLimits::default(), decision)
}

fn line(text: &str) -> Seen {
    Seen::Line(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn lines_end_in_crlf_or_lf() {
    let seen = whole(b"a NOOP\r\nb NOOP\n\r\nc NO", LiteralDecision::Buffer);
    assert_eq!(seen, [line("a NOOP"), line("b NOOP"), line("")]);
}

#[test]
fn a_buffered_literal_is_part_of_the_line() {
    let seen = whole(b"a LOGIN {3}\r\nf\r\n {2+}\r\npw\r\nb NOOP\r\n", LiteralDecision::Buffer);
    let expected = [
        Seen::Literal(3, false),
        Seen::Literal(2, true),
        line("a LOGIN {3}\r\nf\r\n {2+}\r\npw"),
        line("b NOOP"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_streamed_literal_is_not_part_of_the_line() {
    let seen = whole(b"a APPEND x {5}\r\na\r\n\r\n\r\nb NOOP\r\n", LiteralDecision::Stream);
    let streamed = Seen::Streamed(Bytes::from_static(b"a\r\n\r\n"));
    assert_eq!(seen, [Seen::Literal(5, false), streamed, line("a APPEND x {5}\r\n"), line("b NOOP")]);
}

#[test]
fn an_empty_streamed_literal_is_through_at_once() {
    let seen = whole(b"a APPEND x {0}\r\n\r\n", LiteralDecision::Stream);
    assert_eq!(seen, [Seen::Literal(0, false), line("a APPEND x {0}\r\n")]);
}

#[test]
fn a_refused_literal_that_waits_leaves_nothing_to_skip() {
    let seen = whole(b"a LOGIN {3}\r\nb NOOP\r\n", LiteralDecision::Refuse);
    assert_eq!(seen, [Seen::Literal(3, false), line("b NOOP")]);
}

#[test]
fn a_refused_literal_that_does_not_wait_is_skipped_with_its_line() {
    let seen = whole(b"a LOGIN {6+}\r\nx NOOP {4+}\r\n\r\n\r\n tail\r\nb NOOP\r\n", LiteralDecision::Refuse);
    assert_eq!(seen, [Seen::Literal(6, true), line("b NOOP")]);
}

#[test]
fn a_line_beyond_the_limit_is_skipped_and_its_tag_told() {
    let limits = FrameLimits { command_bytes_max: 20, ..FrameLimits::default() };
    let text = format!("a1 LOGIN {} {{3+}}\r\nx\r\n\r\nb NOOP\r\n", "x".repeat(50));
    for size in [1, 7, 1_000] {
        let seen = frames(text.as_bytes(), &[size], limits, LiteralDecision::Buffer);
        assert_eq!(seen, [Seen::TooLong(Some("a1".to_owned())), line("b NOOP")], "in pieces of {size}");
    }
}

#[test]
fn a_word_that_is_too_long_for_a_tag_is_not_told_as_one() {
    let bytes = [&b"x".repeat(100_000)[..], b"\r\na NOOP\r\n"].concat();
    assert_eq!(whole(&bytes, LiteralDecision::Refuse), [Seen::TooLong(None), line("a NOOP")]);
}

#[test]
fn literals_count_towards_the_limit_of_a_command() {
    let limits = FrameLimits { command_bytes_max: 30, literal_bytes_max: 20, ..FrameLimits::default() };
    let mut framer = Framer::new(limits);
    let mut input = BytesMut::from(&b"a LOGIN {10+}\r\n0123456789 {10}\r\n"[..]);
    let Ok(Frame::Literal(first)) = framer.next(&mut input) else { panic!("a literal") };
    assert_eq!(first.decision(&limits), LiteralDecision::Buffer);
    framer.decide(LiteralDecision::Buffer);
    assert!(matches!(framer.next(&mut input), Err(FrameError::LineTooLong { .. })));
}

#[test]
fn a_literal_beyond_its_limit_is_to_be_refused() {
    let mut framer = Framer::new(FrameLimits::default());
    let mut input = BytesMut::from(&b"a LOGIN {16385}\r\n"[..]);
    let Ok(Frame::Literal(header)) = framer.next(&mut input) else { panic!("a literal") };
    assert_eq!(header.decision(&FrameLimits::default()), LiteralDecision::Refuse);
    assert_eq!(header.tag().unwrap().as_str(), "a");
}

#[test]
fn a_literal_too_many_is_to_be_refused() {
    let limits = FrameLimits { literals_max: 2, ..FrameLimits::default() };
    let mut framer = Framer::new(limits);
    let mut input = BytesMut::from(&b"a X {0+}\r\n {0+}\r\n {0+}\r\n {0+}\r\n\r\nb X {0+}\r\n"[..]);
    let mut decisions = Vec::new();
    while let Ok(Frame::Literal(header)) = framer.next(&mut input) {
        decisions.push((header.tag().unwrap().to_string(), header.decision(&limits)));
        framer.decide(header.decision(&limits));
    }
    let [buffer, refuse] = [LiteralDecision::Buffer, LiteralDecision::Refuse];
    let expected = [("a", buffer), ("a", buffer), ("a", refuse), ("b", buffer)];
    assert_eq!(decisions, expected.map(|(tag, decision)| (tag.to_owned(), decision)));
}

#[test]
fn a_number_beyond_63_bits_is_no_literal() {
    let seen = whole(b"a APPEND x {9223372036854775808}\r\n", LiteralDecision::Stream);
    assert_eq!(seen, [Seen::TooLarge]);
}

#[test]
fn a_number_of_many_digits_in_a_skipped_line_is_no_literal_however_it_is_cut() {
    let bytes = b"a {0+}\r\nx {000000000000000000000000000005+}\r\nb NOOP\r\n";
    let refused = [Seen::Literal(0, true), line("b NOOP")];
    assert_eq!(whole(bytes, LiteralDecision::Refuse), refused);
    assert_eq!(frames(bytes, &[1], FrameLimits::default(), LiteralDecision::Refuse), refused);
}

#[test]
fn raw_lines_have_no_literals() {
    let mut framer = Framer::new(FrameLimits::default());
    let mut input = BytesMut::from(&b"dGVzdA=={3}\r\nDO"[..]);
    assert_eq!(framer.raw_line(&mut input).unwrap().as_deref(), Some(&b"dGVzdA=={3}"[..]));
    assert_eq!(framer.raw_line(&mut input), Ok(None));
    input.extend_from_slice(b"NE\r\n");
    assert_eq!(framer.raw_line(&mut input).unwrap().as_deref(), Some(&b"DONE"[..]));
}

#[test]
fn a_large_message_passes_without_being_kept() {
    let mut framer = Framer::new(FrameLimits::default());
    let mut input = BytesMut::from(&b"a APPEND INBOX {52428800}\r\n"[..]);
    let Ok(Frame::Literal(header)) = framer.next(&mut input) else { panic!("a literal") };
    assert_eq!(header.append().unwrap().unwrap().octets, 50 * 1024 * 1024);
    framer.decide(LiteralDecision::Stream);
    let chunk = vec![b'x'; 64 * 1024];
    while framer.literal_left() > 0 {
        input.extend_from_slice(&chunk);
        assert_eq!(framer.literal_chunk(&mut input).unwrap().len(), chunk.len());
        assert!(input.is_empty() && input.capacity() <= 4 * chunk.len());
    }
    input.extend_from_slice(b"\r\n");
    assert!(matches!(framer.next(&mut input), Ok(Frame::Line(_))));
}

proptest! {
    #[test]
    fn the_cuts_between_reads_make_no_difference(
        text in "(a [A-Z]{0,3}( ?[{][0-9]{1,2}[+]?[}])?\r?\n|[ -~]{0,5}|\r|\n){0,12}",
        sizes in prop::collection::vec(1..7usize, 1..5),
        decision in prop::sample::select(vec![LiteralDecision::Buffer, LiteralDecision::Stream, LiteralDecision::Refuse]),
    ) {
        let limits = FrameLimits::default();
        prop_assert_eq!(frames(text.as_bytes(), &sizes, limits, decision), whole(text.as_bytes(), decision));
    }

    #[test]
    fn arbitrary_bytes_are_framed(bytes in prop::collection::vec(any::<u8>(), 0..200), size in 1..50usize) {
        let limits = FrameLimits { command_bytes_max: 40, literal_bytes_max: 20, ..FrameLimits::default() };
        frames(&bytes, &[size], limits, LiteralDecision::Stream);
    }
}
