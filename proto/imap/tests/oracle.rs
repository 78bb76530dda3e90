//! imap-codec as an oracle: what it writes we read as what it meant, and what we write it reads.

#![expect(clippy::disallowed_methods, reason = "tests read a corpus")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use imap::response::SectionData;
use imap::{DateTime, FetchWriter, Line, PieceRef, Pieces, Request, Section, response};
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::{CommandCodec, ResponseCodec};
use proptest::prelude::*;

/// Our reading of a command.
fn ours(line: &[u8]) -> Option<Request> {
    let line = line.strip_suffix(b"\r\n")?;
    Request::parse(&Line::new(Bytes::copy_from_slice(line))).ok()
}

/// The oracle's reading, written by it again.
fn rewritten(line: &[u8]) -> Option<Vec<u8>> {
    let (rest, command) = CommandCodec::default().decode(line).ok()?;
    rest.is_empty().then(|| CommandCodec::default().encode(&command).dump())
}

/// The commands that both know.
const COMMANDS: [&str; 39] = [
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "CHECK",
    "CLOSE",
    "EXPUNGE",
    "UNSELECT",
    "IDLE",
    "LOGIN fred \"pass word\"",
    "LOGIN {4}\r\nfred {0}\r\n",
    "AUTHENTICATE PLAIN",
    "AUTHENTICATE PLAIN AGEAYg==",
    "ENABLE CONDSTORE",
    "SELECT inbox",
    "EXAMINE \"a b\"",
    "CREATE x/",
    "DELETE {1}\r\nx",
    "RENAME x y",
    "SUBSCRIBE x",
    "UNSUBSCRIBE x",
    "LIST \"\" *",
    "LIST \"~x/\" \"%/y\"",
    "LSUB \"#news.\" \"comp.*\"",
    "STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)",
    "COPY 2:4 x",
    "UID COPY 1,3:* x",
    "MOVE 1 x",
    "UID MOVE 1 x",
    "UID EXPUNGE 3000:3002",
    "STORE 2:4 +FLAGS (\\Deleted)",
    "UID STORE 1 -FLAGS.SILENT (\\Seen x)",
    "FETCH 1 ALL",
    "FETCH 1:* FULL",
    "UID FETCH * (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODY BODYSTRUCTURE)",
    "FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)",
    "FETCH 1 BODY[]",
    "FETCH 1 (BODY.PEEK[1.2.HEADER.FIELDS (From To)]<10.20> BODY[3.MIME] BODY[TEXT])",
    "SEARCH CHARSET UTF-8 SINCE 1-Feb-1994 NOT FROM \"Smith\" OR UNSEEN (LARGER 3 2:4)",
    "UID SEARCH HEADER x y KEYWORD k BEFORE 1-Jan-2000 TEXT {1}\r\nz UID 1:2",
];

#[test]
fn commands_mean_what_the_oracle_means() {
    for command in COMMANDS {
        let line = format!("a1 {command}\r\n");
        let again = rewritten(line.as_bytes()).unwrap_or_else(|| panic!("the oracle refuses {command}"));
        let read = ours(line.as_bytes());
        assert!(read.is_some(), "{command}");
        assert_eq!(read, ours(&again), "{command} became {}", again.escape_ascii());
    }
}

/// Pieces of search programs and fetch items that the oracle knows.
fn search_key() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "ALL",
        "SEEN",
        "UNSEEN",
        "NEW",
        "OLD",
        "RECENT",
        "ANSWERED",
        "UNDRAFT",
        "FROM x",
        "SUBJECT \"a \\\" b\"",
        "HEADER a \"\"",
        "BODY {2}\r\n) ",
        "ON 1-Jan-2026",
        "SENTSINCE 01-Feb-1994",
        "LARGER 0",
        "1,3:*",
        "UID *",
        "KEYWORD k",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("OR {a} {b}")),
            prop::collection::vec(inner, 1..4).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    })
}

fn fetch_item() -> impl Strategy<Value = String> {
    "BODY(\\.PEEK)?\\[(([1-9]\\.){0,3}(TEXT|HEADER|HEADER\\.FIELDS(\\.NOT)? \\((From|\"To\")( Cc){0,2}\\))|[1-9](\\.[1-9]){0,2}(\\.MIME)?|)\\](<[0-9]{1,4}\\.[1-9]>)?|UID|FLAGS|BODY|ENVELOPE"
}

proptest! {
    #[test]
    fn search_programs_mean_what_the_oracle_means(keys in prop::collection::vec(search_key(), 1..4)) {
        let line = format!("a SEARCH {}\r\n", keys.join(" "));
        let again = rewritten(line.as_bytes());
        prop_assert!(again.is_some(), "the oracle refuses {}", line);
        let read = ours(line.as_bytes());
        prop_assert!(read.is_some(), "{}", line);
        prop_assert_eq!(read, ours(&again.unwrap()));
    }

    #[test]
    fn fetch_items_mean_what_the_oracle_means(items in prop::collection::vec(fetch_item(), 1..5)) {
        let line = format!("a FETCH 1:* ({})\r\n", items.join(" "));
        let again = rewritten(line.as_bytes());
        prop_assert!(again.is_some(), "the oracle refuses {}", line);
        let read = ours(line.as_bytes());
        prop_assert!(read.is_some(), "{}", line);
        prop_assert_eq!(read, ours(&again.unwrap()));
    }

    #[test]
    fn the_oracle_accepts_nothing_that_we_refuse(
        text in "(FETCH 1 |STORE 1 |SEARCH |STATUS x |LIST |COPY |LOGIN |SELECT )[A-Z0-9a-z()\\[\\]:*,.\\\\\"<> +-]{0,16}",
    ) {
        let line = format!("a {text}\r\n");
        if rewritten(line.as_bytes()).is_some() {
            prop_assert!(ours(line.as_bytes()).is_some(), "{}", line);
        }
    }
}

/// A FETCH response about a message, as a server writes it.
fn fetch_response(message: &[u8]) -> Vec<u8> {
    let scanned = message::scan(message);
    let mut pieces: Pieces<()> = Pieces::new();
    let mut fetch = FetchWriter::begin(&mut pieces, 1);
    fetch.uid(4);
    fetch.flags(["\\Seen", "$x"]);
    fetch.internal_date(&DateTime::parse(b" 7-Feb-1994 21:52:25 -0800").unwrap());
    fetch.size(message.len() as u64);
    fetch.envelope(&scanned.rendered.envelope);
    fetch.body(&scanned.rendered.body);
    fetch.body_structure(&scanned.rendered.body_structure);
    let data = SectionData::Bytes(Bytes::from_static(b"x"));
    fetch.section(&Section { parts: [1, 2].into_iter().collect(), text: None }, Some(7), data);
    fetch.end();
    let mut out = Vec::new();
    for piece in pieces.iter() {
        if let PieceRef::Bytes(bytes) = piece {
            out.extend_from_slice(bytes);
        }
    }
    out
}

#[track_caller]
fn assert_understood(bytes: &[u8]) {
    match ResponseCodec::default().decode(bytes) {
        Ok((rest, _)) => assert!(rest.is_empty(), "left of it: {}", rest.escape_ascii()),
        Err(error) => panic!("{error:?}: {}", bytes.escape_ascii()),
    }
}

#[test]
fn the_oracle_understands_our_responses() {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut add = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        lines.push(out);
    };
    add(&|out| response::capability(out, &["IMAP4rev1", "IDLE"]));
    add(&|out| response::list(out, &["\\HasChildren"], Some('/'), "a b"));
    add(&|out| response::lsub(out, &[], None, "INBOX"));
    add(&|out| response::search(out, response::Found { numbers: &[1, 2, 3], modseq: None }));
    add(&|out| response::exists(out, 3));
    add(&|out| response::expunge(out, 3));
    add(&|out| response::flags(out, &[imap::Flag::Seen]));
    add(&|out| response::continuation(out, "go on"));
    add(&|out| {
        let code = imap::Code::PermanentFlags(&[imap::Flag::Seen], true);
        response::untagged(out, imap::Status::Ok, Some(code), "Limited")
    });
    lines.iter().for_each(|line| assert_understood(line));
}

#[test]
fn the_oracle_understands_golden_messages() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../mail/message/tests/golden");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            assert_understood(&fetch_response(&std::fs::read(&path).unwrap()));
            count += 1;
        }
    }
    assert!(count > 10);
}

fn message_line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Type: message/rfc822",
        "Content-Type: text/html; charset=\"a\\\"b\"; x*=ä",
        "Content-Type: image/png; name=(",
        "Content-Disposition: attachment; filename=\"ü\"",
        "Content-Disposition: ;",
        "Content-Language: de, en",
        "Content-Transfer-Encoding: x y",
        "Content-MD5: \\",
        "Subject: \"ä\\",
        "From: Ä <a@b>, c (d), e: f@g;, <@h:i@j>",
        "To: <>, \"\\\"\"@x, ,;:",
        "\tfolded \"",
        "",
        "",
        "--a",
        "--a--",
        "text",
    ])
}

proptest! {
    #[test]
    fn the_oracle_understands_any_message(lines in prop::collection::vec(message_line(), 0..30)) {
        assert_understood(&fetch_response(lines.join("\r\n").as_bytes()));
    }
}
