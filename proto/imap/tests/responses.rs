//! Responses as they go on the wire, and back through the tokenizer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::{Bytes, BytesMut};
use compact_str::CompactString;
use imap::reply::{Reply, Value};
use imap::response::{self, Found, SectionData};
use imap::{
    Code, DateTime, FetchWriter, Flag, Frame, FrameLimits, Framer, Keyword, LiteralDecision, MailboxName,
    Numbering, PieceRef, Pieces, SearchReturns, Section, SectionText, Status, StatusItem, Tag,
};
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn tag() -> Tag {
    Tag::new(b"a1").unwrap()
}

/// The responses in some bytes, as a client frames and reads them.
fn replies(bytes: &[u8]) -> Vec<Reply> {
    let limits = FrameLimits {
        command_bytes_max: usize::MAX,
        literal_bytes_max: usize::MAX,
        literals_max: usize::MAX,
    };
    let mut framer = Framer::new(limits);
    let mut input = BytesMut::from(bytes);
    let mut replies = Vec::new();
    loop {
        match framer.next(&mut input).expect("well framed") {
            Frame::NeedMore => break,
            Frame::Literal(_) => framer.decide(LiteralDecision::Buffer),
            Frame::Line(line) => replies.push(Reply::parse(&line).expect("a response")),
        }
    }
    assert!(input.is_empty());
    replies
}

fn atom(text: &str) -> Value {
    Value::Atom(Bytes::copy_from_slice(text.as_bytes()))
}

fn string(text: &str) -> Value {
    Value::String(Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn conditions_with_every_kind_of_code() {
    let keyword = Flag::Keyword(Keyword::new(b"$x").unwrap());
    let copy_uid = Code::CopyUid { uid_validity: 7, from: &[2, 3, 4, 9], to: &[11, 12, 13, 14] };
    let flags = [Flag::Seen, keyword];
    for (code, text) in [
        (Code::Alert, "ALERT"),
        (Code::BadCharset(&["US-ASCII", "UTF-8"]), "BADCHARSET (US-ASCII UTF-8)"),
        (Code::Capability(&["IMAP4rev1", "IDLE"]), "CAPABILITY IMAP4rev1 IDLE"),
        (Code::PermanentFlags(&flags, true), "PERMANENTFLAGS (\\Seen $x \\*)"),
        (Code::PermanentFlags(&[], false), "PERMANENTFLAGS ()"),
        (Code::ReadWrite, "READ-WRITE"),
        (Code::UidNext(9), "UIDNEXT 9"),
        (Code::UidValidity(4_294_967_295), "UIDVALIDITY 4294967295"),
        (Code::Unseen(1), "UNSEEN 1"),
        (Code::AppendUid { uid_validity: 7, uid: 8 }, "APPENDUID 7 8"),
        (copy_uid, "COPYUID 7 2:4,9 11:14"),
        (Code::TryCreate, "TRYCREATE"),
        (Code::HighestModSeq(715_194_045_007), "HIGHESTMODSEQ 715194045007"),
        (Code::Modified(&[7, 9]), "MODIFIED 7,9"),
    ] {
        let line = written(|out| response::tagged(out, &tag(), Status::Ok, Some(code), "Done"));
        assert_eq!(line, format!("a1 OK [{text}] Done\r\n"));
    }
}

#[test]
fn text_cannot_break_out_of_its_line() {
    let line = written(|out| response::untagged(out, Status::Bye, None, "a\r\n* OK b\0"));
    assert_eq!(line, "* BYE a  * OK b \r\n");
    assert_eq!(written(|out| response::untagged(out, Status::PreAuth, None, "")), "* PREAUTH .\r\n");
}

#[test]
fn continuations_and_challenges() {
    assert_eq!(written(|out| response::continuation(out, "idling")), "+ idling\r\n");
    assert_eq!(written(|out| response::challenge(out, b"")), "+ \r\n");
    assert_eq!(written(|out| response::challenge(out, b"r=x")), "+ cj14\r\n");
}

#[test]
fn mailbox_data() {
    let cases = [
        (written(|out| response::capability(out, &["IMAP4rev1", "ID"])), "* CAPABILITY IMAP4rev1 ID"),
        (written(|out| response::enabled(out, &[])), "* ENABLED"),
        (written(|out| response::enabled(out, &[CompactString::from("CONDSTORE")])), "* ENABLED CONDSTORE"),
        (written(|out| response::flags(out, &[Flag::Answered, Flag::Draft])), "* FLAGS (\\Answered \\Draft)"),
        (
            written(|out| response::list(out, &["\\HasNoChildren", "\\Sent"], Some('/'), "Gesendet/Ä")),
            "* LIST (\\HasNoChildren \\Sent) \"/\" Gesendet/&AMQ-",
        ),
        (written(|out| response::list(out, &[], None, "a \"b\"")), "* LIST () NIL \"a \\\"b\\\"\""),
        (
            written(|out| response::list(out, &["\\Noselect"], Some('\\'), "")),
            "* LIST (\\Noselect) \"\\\\\" \"\"",
        ),
        (written(|out| response::lsub(out, &[], Some('.'), "nil")), "* LSUB () \".\" \"nil\""),
        (
            written(|out| {
                let items = [(StatusItem::Messages, 3), (StatusItem::UidNext, 4_294_967_296)];
                response::status(out, &MailboxName::inbox(), items)
            }),
            "* STATUS INBOX (MESSAGES 3 UIDNEXT 4294967296)",
        ),
        (written(|out| response::exists(out, 23)), "* 23 EXISTS"),
        (written(|out| response::recent(out, 0)), "* 0 RECENT"),
        (written(|out| response::expunge(out, 44)), "* 44 EXPUNGE"),
        (
            written(|out| response::namespace(out, &[("INBOX/", '/'), ("", '/')], &[], &[("#x ", '.')])),
            "* NAMESPACE ((\"INBOX/\" \"/\")(\"\" \"/\")) NIL ((\"#x \" \".\"))",
        ),
        (written(|out| response::id(out, &[])), "* ID NIL"),
        (
            written(|out| response::id(out, &[("name", "Tartan"), ("x", "")])),
            "* ID (\"name\" \"Tartan\" \"x\" \"\")",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(line, format!("{expected}\r\n"));
    }
}

#[test]
fn search_results_as_numbers_and_as_a_set() {
    let tag = tag();
    let (none, some) =
        (Found { numbers: &[], modseq: None }, Found { numbers: &[2, 10, 11], modseq: Some(9) });
    assert_eq!(written(|out| response::search(out, none)), "* SEARCH\r\n");
    assert_eq!(written(|out| response::search(out, some)), "* SEARCH 2 10 11 (MODSEQ 9)\r\n");
    let every = SearchReturns { min: true, max: true, all: true, count: true };
    let line = |by, returns, found| written(|out| response::esearch(out, &tag, by, returns, found));
    assert_eq!(
        line(Numbering::Uid, every, some),
        "* ESEARCH (TAG \"a1\") UID MIN 2 MAX 11 COUNT 3 ALL 2,10:11 MODSEQ 9\r\n"
    );
    assert_eq!(line(Numbering::Sequence, every, none), "* ESEARCH (TAG \"a1\") COUNT 0\r\n");
    let min = SearchReturns { min: true, ..SearchReturns::default() };
    assert_eq!(line(Numbering::Sequence, min, none), "* ESEARCH (TAG \"a1\")\r\n");
}

/// Everything in the queue, files replaced by as many dots.
fn sent(pieces: &mut Pieces<()>) -> String {
    let mut out = Vec::new();
    for piece in pieces.iter() {
        match piece {
            PieceRef::Bytes(bytes) => out.extend_from_slice(bytes),
            PieceRef::File { octets, .. } => out.extend(std::iter::repeat_n(b'.', octets as usize)),
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn a_fetch_response_with_every_item() {
    let mut pieces = Pieces::new();
    let mut fetch = FetchWriter::begin(&mut pieces, 12);
    fetch.flags(["\\Seen", "$x"]);
    fetch.uid(7);
    fetch.modseq(624_140_003);
    fetch.internal_date(&DateTime::parse(b"17-Jul-1996 02:44:25 -0700").unwrap());
    fetch.size(4_423);
    fetch.envelope(b"(NIL)");
    fetch.body(b"(\"x\")");
    fetch.body_structure(b"(\"y\")");
    let names = vec!["From".to_owned(), "a b".to_owned()];
    let fields = SectionText::HeaderFields { names, not: true };
    let section = Section { parts: [3, 1].into_iter().collect(), text: Some(fields) };
    fetch.section(&section, Some(5), SectionData::Bytes(Bytes::from_static(b"abc")));
    fetch.section(&Section::default(), None, SectionData::File { file: (), offset: 9, octets: 4 });
    fetch.section(&Section::default(), None, SectionData::Absent);
    fetch.end();
    let expected = "* 12 FETCH (FLAGS (\\Seen $x) UID 7 MODSEQ (624140003) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" \
        RFC822.SIZE 4423 ENVELOPE (NIL) BODY (\"x\") BODYSTRUCTURE (\"y\") \
        BODY[3.1.HEADER.FIELDS.NOT (From \"a b\")]<5> {3}\r\nabc BODY[] {4}\r\n.... BODY[] NIL)\r\n";
    assert_eq!(sent(&mut pieces), expected);
}

#[test]
fn a_fetch_response_goes_on_after_the_queue_was_sent() {
    let mut pieces: Pieces<()> = Pieces::new();
    let mut fetch = FetchWriter::begin(&mut pieces, 1);
    fetch.rfc822("RFC822", SectionData::Bytes(Bytes::from_static(b"x")));
    assert_eq!(sent(&mut pieces), "* 1 FETCH (RFC822 {1}\r\nx");
    pieces.clear();
    let mut fetch = FetchWriter::resume(&mut pieces);
    fetch.uid(3);
    fetch.end();
    assert_eq!(sent(&mut pieces), " UID 3)\r\n");
}

#[test]
fn the_tokenizer_reads_what_the_writers_write() {
    let mut out = Vec::new();
    response::tagged(
        &mut out,
        &tag(),
        Status::No,
        Some(Code::PermanentFlags(&[Flag::Seen], true)),
        "text [x]",
    );
    response::list(&mut out, &["\\Marked"], Some('/'), "a \"b\" \\");
    response::continuation(&mut out, "go on");
    response::expunge(&mut out, 4);
    let code = vec![atom("PERMANENTFLAGS"), Value::List(vec![atom("\\Seen"), atom("\\*")])];
    let text = Bytes::from_static(b"text [x]");
    let list = vec![Value::List(vec![atom("\\Marked")]), string("/"), string("a \"b\" \\")];
    let expected = [
        Reply::Status { tag: Some(tag()), status: Status::No, code: Some(code), text },
        Reply::Data { number: None, name: "LIST".into(), values: list },
        Reply::Continue(Bytes::from_static(b"go on")),
        Reply::Data { number: Some(4), name: "EXPUNGE".into(), values: vec![] },
    ];
    assert_eq!(replies(&out), expected);
}

#[test]
fn the_tokenizer_keeps_sections_whole_and_literals_raw() {
    let bytes = b"* 1 FETCH (BODY[HEADER.FIELDS (To \"a]\")]<0> {4}\r\n)\r\n( UID 3 X NIL)\r\n";
    let Reply::Data { values, .. } = &replies(bytes)[0] else { panic!("data") };
    let Value::List(items) = &values[0] else { panic!("a list") };
    assert_eq!(items[0], atom("BODY[HEADER.FIELDS (To \"a]\")]<0>"));
    assert_eq!(items[1..], [string(")\r\n("), atom("UID"), atom("3"), atom("X"), Value::Nil]);
}

proptest! {
    #[test]
    fn strings_survive_writing_and_reading(texts in prop::collection::vec(prop::collection::vec(1..=255u8, 0..20), 1..5)) {
        let mut out = b"* X".to_vec();
        for text in &texts {
            out.push(b' ');
            response::write_string(&mut out, text);
        }
        out.extend_from_slice(b"\r\n");
        let Reply::Data { values, .. } = &replies(&out)[0] else { panic!("data") };
        let expected: Vec<Value> = texts.into_iter().map(|text| Value::String(text.into())).collect();
        prop_assert_eq!(values, &expected);
    }

    #[test]
    fn mailbox_names_survive_writing_and_reading(text in "[^\\pC]{1,30}") {
        let mut out = Vec::new();
        response::list(&mut out, &[], Some('/'), &text);
        let Reply::Data { values, .. } = &replies(&out)[0] else { panic!("data") };
        let (Value::Atom(wire) | Value::String(wire)) = &values[2] else { panic!("a name") };
        prop_assert_eq!(MailboxName::from_wire(wire), MailboxName::new(&text));
    }

    #[test]
    fn uid_sets_hold_the_numbers_in_order(numbers in prop::collection::vec(1..50u32, 1..30)) {
        let mut out = Vec::new();
        response::write_set(&mut out, &numbers);
        let text = String::from_utf8(out).unwrap();
        let ends = |range: &str| {
            let (from, to) = range.split_once(':').unwrap_or((range, range));
            from.parse().unwrap()..=to.parse::<u32>().unwrap()
        };
        prop_assert_eq!(text.split(',').flat_map(ends).collect::<Vec<_>>(), numbers);
    }

    #[test]
    fn the_tokenizer_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), prefix in "([*+a]|[*] 1 FETCH [(]|[*] OK [\\[])") {
        let line = [prefix.as_bytes(), b" ", &bytes[..]].concat();
        Reply::parse(&imap::Line::new(Bytes::from(line)));
    }

    #[test]
    fn deep_parentheses_are_refused(depth in 500..2_000usize) {
        let line = format!("* X {}{}", "(".repeat(depth), ")".repeat(depth));
        prop_assert_eq!(Reply::parse(&imap::Line::new(Bytes::from(line))), None);
    }
}
