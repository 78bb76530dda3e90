//! Every command: what it is parsed to, and what is answered to one that is malformed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use imap::{
    Append, AuthLine, Command, CommandError, DateTest, DateTime, Fetch, FetchItem, Flag, Frame, FrameLimits,
    Framer, Keyword, Line, List, ListReturn, ListSelection, LiteralDecision, MailboxName, Numbering, Partial,
    Request, Search, SearchKey, SearchReturns, Secret, Section, SectionText, SequenceSet, SpecialUse,
    StatusItem, Store, StoreOp,
};
use jiff::civil::Date;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Command, CommandError> {
    let line = Line::new(Bytes::from(format!("a1 {text}")));
    Request::parse(&line).map(|request| {
        assert_eq!(request.tag.as_str(), "a1");
        request.command
    })
}

#[track_caller]
fn check(text: &str, expected: Command) {
    assert_eq!(parse(text), Ok(expected), "{text}");
}

/// What is answered to a malformed command.
fn answer(line: &str) -> String {
    let line = Line::new(Bytes::copy_from_slice(line.as_bytes()));
    let mut out = Vec::new();
    Request::parse(&line).expect_err("it is malformed").write(&mut out);
    String::from_utf8(out).unwrap()
}

fn name(name: &str) -> MailboxName {
    MailboxName::new(name).unwrap()
}

fn set(text: &str) -> SequenceSet {
    SequenceSet::parse(text.as_bytes()).unwrap()
}

fn keyword(text: &str) -> Flag {
    Flag::Keyword(Keyword::new(text.as_bytes()).unwrap())
}

fn secret(text: &str) -> Secret {
    Secret(text.as_bytes().to_vec())
}

#[test]
fn commands_without_arguments() {
    for (text, command) in [
        ("CAPABILITY", Command::Capability),
        ("noop", Command::Noop),
        ("LogOut", Command::Logout),
        ("STARTTLS", Command::StartTls),
        ("NAMESPACE", Command::Namespace),
        ("IDLE", Command::Idle),
        ("CHECK", Command::Check),
        ("CLOSE", Command::Close),
        ("UNSELECT", Command::Unselect),
        ("EXPUNGE", Command::Expunge { uids: None }),
        ("NOOP  ", Command::Noop),
    ] {
        check(text, command);
    }
}

#[test]
fn login_takes_atoms_strings_and_literals() {
    for text in ["LOGIN fred b]ar", "LOGIN \"fred\" \"b]ar\"", "login {4}\r\nfred {4+}\r\nb]ar"] {
        check(text, Command::Login { login: "fred".to_owned(), password: secret("b]ar") });
    }
    let odd = Command::Login { login: "a \"b\"".to_owned(), password: secret("pä\\ss") };
    check("LOGIN \"a \\\"b\\\"\" \"pä\\\\ss\"", odd);
}

#[test]
fn authenticate_takes_an_initial_response() {
    let command = |initial| Command::Authenticate { mechanism: "PLAIN".into(), initial };
    check("AUTHENTICATE plain", command(None));
    check("AUTHENTICATE PLAIN =", command(Some(secret(""))));
    check("AUTHENTICATE PLAIN AGEAYg==", command(Some(secret("\0a\0b"))));
}

#[test]
fn sasl_lines_are_data_or_an_end() {
    assert_eq!(AuthLine::parse(b"*"), AuthLine::Cancel);
    assert_eq!(AuthLine::parse(b"AGEAYg=="), AuthLine::Data(secret("\0a\0b")));
    assert_eq!(AuthLine::parse(b""), AuthLine::Data(secret("")));
    assert_eq!(AuthLine::parse(b"AGEAYg"), AuthLine::Malformed);
}

#[test]
fn id_and_enable() {
    check("ID NIL", Command::Id(vec![]));
    check("ID ()", Command::Id(vec![]));
    let fields = vec![("name".to_owned(), Some("x".to_owned())), ("os".to_owned(), None)];
    check("ID (\"name\" \"x\" \"os\" NIL)", Command::Id(fields));
    check("ENABLE condstore UTF8=ACCEPT", Command::Enable(vec!["CONDSTORE".into(), "UTF8=ACCEPT".into()]));
}

#[test]
fn commands_on_one_mailbox() {
    let select =
        |mailbox, read_only, condstore| Command::Select { mailbox: name(mailbox), read_only, condstore };
    check("SELECT inbox", select("INBOX", false, false));
    check("EXAMINE \"a b\"", select("a b", true, false));
    check("SELECT a (CondStore)", select("a", false, true));
    check("EXAMINE a (CONDSTORE)", select("a", true, true));
    check("DELETE &AOQ-/x", Command::Delete(name("ä/x")));
    check("SUBSCRIBE {5}\r\nInBoX", Command::Subscribe(MailboxName::inbox()));
    check("UNSUBSCRIBE INBOX/x", Command::Unsubscribe(name("INBOX/x")));
    check("RENAME a \"NIL\"", Command::Rename { from: name("a"), to: name("NIL") });
}

#[test]
fn create_takes_a_special_use() {
    let command = |special_use| Command::Create { mailbox: name("Sent/"), special_use };
    check("CREATE Sent/", command(vec![]));
    check("CREATE Sent/ (USE ())", command(vec![]));
    check("CREATE Sent/ (USE (\\sent \\Junk))", command(vec![SpecialUse::Sent, SpecialUse::Junk]));
}

#[test]
fn list_in_its_simple_and_extended_forms() {
    let plain = List {
        selection: vec![],
        reference: "r/".to_owned(),
        patterns: vec!["%/ä".to_owned()],
        returns: vec![],
    };
    check("LIST r/ %/&AOQ-", Command::List(plain.clone()));
    check("LSUB \"r/\" \"%/&AOQ-\"", Command::Lsub(plain.clone()));
    let extended = List {
        selection: vec![ListSelection::Subscribed, ListSelection::RecursiveMatch],
        patterns: vec!["a".to_owned(), "b*".to_owned()],
        returns: vec![
            ListReturn::Children,
            ListReturn::SpecialUse,
            ListReturn::Status(vec![StatusItem::Unseen]),
        ],
        ..plain
    };
    let text = "LIST (SUBSCRIBED RECURSIVEMATCH) r/ (a \"b*\") RETURN (CHILDREN SPECIAL-USE STATUS (UNSEEN))";
    check(text, Command::List(extended));
    let Ok(Command::List(separator)) = parse("LIST \"\" \"\"") else { panic!("a list") };
    assert!(separator.asks_for_separator());
}

#[test]
fn status_keeps_the_order_of_its_items() {
    use StatusItem::{HighestModSeq, Messages, Recent, UidNext, UidValidity, Unseen};
    let items = vec![Unseen, Messages, Recent, UidNext, UidValidity, HighestModSeq];
    let text = "STATUS INBOX (unseen MESSAGES RECENT UIDNEXT UIDVALIDITY HighestModSeq)";
    check(text, Command::Status { mailbox: MailboxName::inbox(), items });
}

#[test]
fn copy_move_and_uid_expunge() {
    let (by, mailbox) = (Numbering::Uid, name("x"));
    let (plain, plain_set) = (Numbering::Sequence, set("1:*"));
    check("COPY 1:* x", Command::Copy { by: plain, set: plain_set.clone(), mailbox: mailbox.clone() });
    check("UID COPY 4,7 x", Command::Copy { by, set: set("4,7"), mailbox: mailbox.clone() });
    check("MOVE 1:* x", Command::Move { by: plain, set: plain_set, mailbox: mailbox.clone() });
    check("uid move 4,7 x", Command::Move { by, set: set("4,7"), mailbox });
    check("UID EXPUNGE 3:5", Command::Expunge { uids: Some(set("3:5")) });
}

/// STORE with no modifier.
fn store(op: StoreOp, silent: bool, flags: Vec<Flag>) -> Command {
    let (by, set) = (Numbering::Sequence, set("2:4"));
    Command::Store(Store { by, set, unchanged_since: None, op, silent, flags })
}

#[test]
fn store_with_each_operation() {
    check("STORE 2:4 FLAGS ()", store(StoreOp::Replace, false, vec![]));
    check("STORE 2:4 +FLAGS (\\Deleted)", store(StoreOp::Add, false, vec![Flag::Deleted]));
    let flags = vec![Flag::Seen, keyword("$Forwarded")];
    check("STORE 2:4 -flags.silent \\SEEN $Forwarded \\seen", store(StoreOp::Remove, true, flags));
    let by_uid = Store {
        by: Numbering::Uid,
        set: set("*"),
        unchanged_since: None,
        op: StoreOp::Add,
        silent: false,
        flags: vec![keyword("x")],
    };
    check("UID STORE * +FLAGS X", Command::Store(by_uid));
}

#[test]
fn store_on_a_condition() {
    for (text, modseq) in [
        ("STORE 1 (UNCHANGEDSINCE 12121230045) FLAGS.SILENT ()", 12_121_230_045),
        ("STORE 1 (unchangedsince 0) FLAGS.SILENT ()", 0),
    ] {
        let Ok(Command::Store(store)) = parse(text) else { panic!("{text}") };
        assert_eq!(store.unchanged_since, Some(modseq), "{text}");
    }
}

fn fetch(items: Vec<FetchItem>) -> Command {
    Command::Fetch(Fetch { by: Numbering::Sequence, set: set("1"), items, changed_since: None })
}

fn section(parts: &[u32], text: Option<SectionText>) -> FetchItem {
    let section = Section { parts: parts.iter().copied().collect(), text };
    FetchItem::Section { section, peek: false, partial: None }
}

#[test]
fn fetch_items_and_macros() {
    use FetchItem::{Body, BodyStructure, Envelope, Flags, InternalDate, Rfc822Size, Uid};
    check("FETCH 1 FAST", fetch(vec![Flags, InternalDate, Rfc822Size]));
    check("FETCH 1 all", fetch(vec![Flags, InternalDate, Rfc822Size, Envelope]));
    check("FETCH 1 FULL", fetch(vec![Flags, InternalDate, Rfc822Size, Envelope, Body]));
    check("FETCH 1 (BODYSTRUCTURE uid UID)", fetch(vec![BodyStructure, Uid]));
    let old = vec![FetchItem::Rfc822, FetchItem::Rfc822Header, FetchItem::Rfc822Text, Rfc822Size];
    check("FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)", fetch(old));
    let by_uid = Fetch { by: Numbering::Uid, set: set("1:*"), items: vec![Flags], changed_since: None };
    check("UID FETCH 1:* FLAGS", Command::Fetch(by_uid));
}

#[test]
fn fetch_of_what_has_changed() {
    use FetchItem::{Flags, ModSeq, Uid};
    let changed = |items, changed_since| {
        Command::Fetch(Fetch { by: Numbering::Uid, set: set("1:*"), items, changed_since })
    };
    check("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)", changed(vec![Flags, ModSeq], Some(12_345)));
    check("UID FETCH 1:* FLAGS (CHANGEDSINCE 0)", changed(vec![Flags, ModSeq], Some(0)));
    check("UID FETCH 1:* (MODSEQ UID) (changedsince 1)", changed(vec![ModSeq, Uid], Some(1)));
    check("UID FETCH 1:* modseq", changed(vec![ModSeq], None));
}

#[test]
fn fetch_sections() {
    let fields = |names: &[&str], not| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Some(SectionText::HeaderFields { names, not })
    };
    for (text, item) in [
        ("BODY[]", section(&[], None)),
        ("BODY[HEADER]", section(&[], Some(SectionText::Header))),
        ("BODY[text]", section(&[], Some(SectionText::Text))),
        ("BODY[1.2.3]", section(&[1, 2, 3], None)),
        ("BODY[4.MIME]", section(&[4], Some(SectionText::Mime))),
        ("BODY[4.1.HEADER]", section(&[4, 1], Some(SectionText::Header))),
        ("BODY[HEADER.FIELDS (From \"To\")]", section(&[], fields(&["From", "To"], false))),
        ("BODY[2.HEADER.FIELDS.NOT ({2}\r\nCc)]", section(&[2], fields(&["Cc"], true))),
    ] {
        check(&format!("FETCH 1 {text}"), fetch(vec![item]));
    }
}

#[test]
fn fetch_partials_and_peek() {
    let partial = Some(Partial { origin: 0, octets: 2048 });
    let item = FetchItem::Section { section: Section::default(), peek: true, partial };
    assert!(!item.sets_seen());
    check("FETCH 1 (BODY.PEEK[]<0.2048>)", fetch(vec![item]));
}

fn search(text: &str) -> SearchKey {
    match parse(&format!("SEARCH {text}")) {
        Ok(Command::Search(Search { by: Numbering::Sequence, returns: None, key })) => key,
        other => panic!("{text}: {other:?}"),
    }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

#[test]
fn search_keys_about_flags() {
    use SearchKey::Has;
    for (text, key) in [
        ("ALL", SearchKey::All),
        ("ANSWERED", Has(Flag::Answered)),
        ("DELETED", Has(Flag::Deleted)),
        ("DRAFT", Has(Flag::Draft)),
        ("FLAGGED", Has(Flag::Flagged)),
        ("RECENT", Has(Flag::Recent)),
        ("SEEN", Has(Flag::Seen)),
        ("UNANSWERED", not(Has(Flag::Answered))),
        ("UNDELETED", not(Has(Flag::Deleted))),
        ("UNDRAFT", not(Has(Flag::Draft))),
        ("UNFLAGGED", not(Has(Flag::Flagged))),
        ("UNSEEN", not(Has(Flag::Seen))),
        ("OLD", not(Has(Flag::Recent))),
        ("NEW", SearchKey::And(vec![Has(Flag::Recent), not(Has(Flag::Seen))])),
        ("KEYWORD $x", Has(keyword("$x"))),
        ("UNKEYWORD $x", not(Has(keyword("$x")))),
    ] {
        assert_eq!(search(text), key, "{text}");
    }
}

#[test]
fn search_keys_about_text() {
    for (text, key) in [
        ("FROM x", SearchKey::From("x".to_owned())),
        ("to \"x y\"", SearchKey::To("x y".to_owned())),
        ("CC {1}\r\nx", SearchKey::Cc("x".to_owned())),
        ("BCC x", SearchKey::Bcc("x".to_owned())),
        ("SUBJECT \"\"", SearchKey::Subject(String::new())),
        ("BODY x", SearchKey::Body("x".to_owned())),
        ("TEXT NIL", SearchKey::Text("NIL".to_owned())),
        ("HEADER X-a \"b\"", SearchKey::Header { name: "X-a".into(), value: "b".to_owned() }),
    ] {
        assert_eq!(search(text), key, "{text}");
    }
}

#[test]
fn search_keys_about_dates_sizes_and_numbers() {
    let day = Date::constant(1994, 2, 1);
    for (text, key) in [
        ("BEFORE 1-Feb-1994", SearchKey::Internal(DateTest::Before, day)),
        ("ON 01-feb-1994", SearchKey::Internal(DateTest::On, day)),
        ("SINCE \"1-Feb-1994\"", SearchKey::Internal(DateTest::Since, day)),
        ("SENTBEFORE 1-Feb-1994", SearchKey::Sent(DateTest::Before, day)),
        ("SENTON 1-Feb-1994", SearchKey::Sent(DateTest::On, day)),
        ("SENTSINCE 1-Feb-1994", SearchKey::Sent(DateTest::Since, day)),
        ("LARGER 4096", SearchKey::Larger(4096)),
        ("SMALLER 0", SearchKey::Smaller(0)),
        ("1:3,*", SearchKey::Sequence(set("1:3,*"))),
        ("UID 7:*", SearchKey::Uid(set("7:*"))),
    ] {
        assert_eq!(search(text), key, "{text}");
    }
}

#[test]
fn search_programs_nest() {
    let (a, b) = (SearchKey::From("a".to_owned()), SearchKey::To("b".to_owned()));
    let both = SearchKey::And(vec![a.clone(), b.clone()]);
    assert_eq!(search("FROM a TO b"), both);
    assert_eq!(search("(FROM a TO b)"), both);
    assert_eq!(search("NOT (FROM a TO b)"), not(both.clone()));
    assert_eq!(search("OR NOT FROM a (TO b)"), SearchKey::Or(Box::new(not(a)), Box::new(b)));
    let by_uid = Command::Search(Search { by: Numbering::Uid, returns: None, key: both });
    check("UID SEARCH FROM a TO b", by_uid);
}

#[test]
fn search_says_what_it_wants_returned() {
    let all = SearchReturns { all: true, ..SearchReturns::default() };
    let ends = SearchReturns { min: true, max: true, ..SearchReturns::default() };
    let count = SearchReturns { count: true, ..all };
    for (text, returns) in [
        ("SEARCH RETURN () ALL", all),
        ("SEARCH return (ALL) CHARSET UTF-8 ALL", all),
        ("SEARCH RETURN (min MAX) ALL", ends),
        ("SEARCH RETURN (COUNT ALL COUNT) ALL", count),
    ] {
        let search = Search { by: Numbering::Sequence, returns: Some(returns), key: SearchKey::All };
        check(text, Command::Search(search));
    }
}

#[test]
fn search_by_modseq_takes_the_entry_of_a_flag() {
    for text in [
        "MODSEQ 620162338",
        "MODSEQ \"/flags/\\\\draft\" all 620162338",
        "MODSEQ \"/flags/$MDNSent\" Shared 620162338",
        "modseq \"/flags/x\" priv 620162338",
    ] {
        assert_eq!(search(text), SearchKey::ModSeq(620_162_338), "{text}");
    }
    assert!(search("OR NOT (ALL MODSEQ 0) LARGER 50000").asks_modseq());
    assert!(!search("OR NOT ALL LARGER 50000").asks_modseq());
}

#[test]
fn some_commands_show_that_the_client_knows_of_modseqs() {
    let enables = |text: &str| parse(text).unwrap().enables_condstore();
    for text in [
        "ENABLE X CONDSTORE",
        "SELECT x (CONDSTORE)",
        "STATUS x (UNSEEN HIGHESTMODSEQ)",
        "LIST \"\" * RETURN (STATUS (HIGHESTMODSEQ))",
        "FETCH 1 (FLAGS MODSEQ)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "STORE 1 (UNCHANGEDSINCE 1) FLAGS ()",
        "SEARCH NOT MODSEQ 1",
    ] {
        assert!(enables(text), "{text}");
    }
    for text in ["ENABLE X", "SELECT x", "STATUS x (UNSEEN)", "FETCH 1 FLAGS", "STORE 1 FLAGS ()", "NOOP"] {
        assert!(!enables(text), "{text}");
    }
}

#[test]
fn search_strings_are_decoded_from_their_charset() {
    let Ok(request) =
        Request::parse(&Line::new(Bytes::from_static(b"a1 SEARCH CHARSET iso-8859-1 SUBJECT {1}\r\n\xe4")))
    else {
        panic!("a search")
    };
    let key = SearchKey::Subject("ä".to_owned());
    let expected = Search { by: Numbering::Sequence, returns: None, key };
    assert_eq!(request.command, Command::Search(expected));
    assert_eq!(search("CHARSET utf-8 TEXT \"Ä\""), SearchKey::Text("Ä".to_owned()));
}

/// Frames a command whose last literal is the message, as a server does.
fn append_of(text: &str) -> (Option<Result<Append, CommandError>>, Result<Request, CommandError>) {
    let mut framer = Framer::new(FrameLimits::default());
    let mut input = bytes::BytesMut::from(text.as_bytes());
    loop {
        let Ok(Frame::Literal(header)) = framer.next(&mut input) else { panic!("a literal: {text}") };
        if let Some(append) = header.append() {
            framer.decide(LiteralDecision::Stream);
            while framer.literal_chunk(&mut input).is_some() {}
            let Ok(Frame::Line(line)) = framer.next(&mut input) else { panic!("a line: {text}") };
            return (Some(append), Request::parse(&line));
        }
        framer.decide(LiteralDecision::Buffer);
    }
}

#[test]
fn append_is_known_at_its_header_and_at_its_end() {
    let date = DateTime::parse(b"07-Feb-1994 21:52:25 -0800").unwrap();
    let cases = [
        ("INBOX ", vec![], None),
        ("{5}\r\ninbox ", vec![], None),
        ("inbox (\\Seen x) ", vec![Flag::Seen, keyword("x")], None),
        ("INBOX () \" 7-Feb-1994 21:52:25 -0800\" ", vec![], Some(date)),
        ("\"INBOX\" \"07-Feb-1994 21:52:25 -0800\" ", vec![], Some(date)),
    ];
    for (arguments, flags, internal_date) in cases {
        let expected = Append { mailbox: MailboxName::inbox(), flags, internal_date, octets: 4 };
        let (at_header, at_end) = append_of(&format!("a1 APPEND {arguments}{{4+}}\r\n{{1}}\r\n"));
        assert_eq!(at_header, Some(Ok(expected.clone())), "{arguments}");
        assert_eq!(at_end.map(|request| request.command), Ok(Command::Append(expected)), "{arguments}");
    }
}

#[test]
fn a_malformed_append_is_known_at_its_header() {
    for (arguments, complaint) in [
        ("INBOX (\\Bad) ", "Invalid system flag"),
        ("INBOX (\\Recent) ", "Invalid system flag"),
        ("INBOX \"yesterday\" ", "Expected a date and time at octet 16"),
        ("&& ", "Mailbox name is not valid modified UTF-7"),
        ("INBOX junk ", "Expected a literal at octet 16"),
    ] {
        let (at_header, _) = append_of(&format!("a1 APPEND {arguments}{{1}}\r\nx\r\n"));
        assert_eq!(at_header.unwrap().unwrap_err().to_string(), complaint, "{arguments}");
    }
}

#[test]
fn what_follows_an_appended_message_is_refused() {
    let (at_header, at_end) = append_of("a1 APPEND INBOX {1}\r\nx junk\r\n");
    assert!(at_header.unwrap().is_ok());
    assert_eq!(at_end.unwrap_err().to_string(), "Expected the end of the line at octet 21");
}

#[test]
fn unknown_commands_keep_their_bytes() {
    let raw = Bytes::from_static(b"a1 xFoo (bar) {3}\r\nbaz");
    check("xFoo (bar) {3}\r\nbaz", Command::Unknown { verb: "XFOO".into(), raw });
    assert!(matches!(parse("UID THREAD x"), Ok(Command::Unknown { .. })));
}

#[test]
fn malformed_commands_are_answered_with_their_tag() {
    for (line, expected) in [
        ("", "* BAD Missing or malformed tag"),
        ("+ NOOP", "* BAD Missing or malformed tag"),
        ("a*b NOOP", "* BAD Missing or malformed tag"),
        ("a1", "a1 BAD Missing command"),
        ("a1 ", "a1 BAD Missing command"),
        ("a1 NOOP x", "a1 BAD Expected the end of the line at octet 7"),
        ("a1 LOGIN x", "a1 BAD Expected a space at octet 10"),
        ("a1 LOGIN (x) y", "a1 BAD Expected a string or an atom at octet 9"),
        ("a1 LOGIN \"x y", "a1 BAD Expected a closing quote at octet 13"),
        ("a1 LOGIN \"\\x\" y", "a1 BAD Expected a quote or a backslash at octet 11"),
        ("a1 AUTHENTICATE PLAIN ***", "a1 BAD Expected base64 at octet 22"),
        ("a1 STATUS x ()", "a1 BAD Expected a list of status items at octet 12"),
        ("a1 STATUS x (SIZES)", "a1 BAD Expected a status item at octet 13"),
        ("a1 FETCH 0 FLAGS", "a1 BAD Expected a set of message numbers at octet 9"),
        ("a1 FETCH 1 (ALL)", "a1 BAD Expected a fetch item at octet 12"),
        ("a1 FETCH 1 BODY[MIME]", "a1 BAD Expected a section at octet 16"),
        ("a1 FETCH 1 BODY[0]", "a1 BAD Expected a number above 0 at octet 16"),
        ("a1 FETCH 1 BODY[]<0.0>", "a1 BAD Expected a number above 0 at octet 20"),
        ("a1 FETCH 1 BODY[HEADER.FIELDS ()]", "a1 BAD Expected a list of field names at octet 30"),
        ("a1 STORE 1 FLAGS \\Recent", "a1 BAD Invalid system flag"),
        ("a1 STORE 1 FLUGS x", "a1 BAD Expected FLAGS or FLAGS.SILENT at octet 11"),
        ("a1 SEARCH", "a1 BAD Expected a space at octet 9"),
        ("a1 SEARCH WHEN", "a1 BAD Expected a search key at octet 10"),
        ("a1 SEARCH ON 31-Feb-2026", "a1 BAD Expected a date at octet 13"),
        ("a1 SEARCH LARGER 9223372036854775808", "a1 BAD Expected a number of 63 bits at octet 17"),
        ("a1 SEARCH CHARSET x-none ALL", "a1 NO [BADCHARSET (US-ASCII UTF-8)] Charset is not supported"),
        ("a1 SEARCH RETURN (SOME) ALL", "a1 BAD Expected a return option at octet 18"),
        ("a1 SEARCH RETURN MIN ALL", "a1 BAD Expected a list of return options at octet 17"),
        ("a1 SEARCH RETURN (MIN)", "a1 BAD Expected a space at octet 22"),
        ("a1 SEARCH MODSEQ x", "a1 BAD Expected a number at octet 17"),
        ("a1 SEARCH MODSEQ \"/x/y\" all 1", "a1 BAD Expected the entry of a flag at octet 17"),
        ("a1 SEARCH MODSEQ \"/flags/y\" any 1", "a1 BAD Expected priv, shared or all at octet 28"),
        ("a1 FETCH 1 FLAGS (CHANGEDSINCE)", "a1 BAD Expected a space at octet 30"),
        ("a1 FETCH 1 FLAGS (VANISHED)", "a1 BAD Expected CHANGEDSINCE at octet 18"),
        ("a1 STORE 1 () FLAGS ()", "a1 BAD Expected UNCHANGEDSINCE at octet 12"),
        ("a1 STORE 1 (UNCHANGEDSINCE 1)", "a1 BAD Expected a space at octet 29"),
        ("a1 SELECT x (QRESYNC)", "a1 BAD Expected CONDSTORE at octet 13"),
        ("a1 SELECT x ()", "a1 BAD Expected a list of parameters at octet 12"),
        ("a1 SELECT &&", "a1 NO [CANNOT] Mailbox name is not valid modified UTF-7"),
        ("a1 CREATE x (USE (\\Foo))", "a1 NO [USEATTR] Special use is not supported"),
        ("a1 ENABLE", "a1 BAD Expected a space at octet 9"),
    ] {
        assert_eq!(answer(line), format!("{expected}\r\n"), "{line}");
    }
}

#[test]
fn search_programs_have_a_depth_limit() {
    let nested = |depth: usize| format!("a1 SEARCH {}ALL", "NOT ".repeat(depth));
    let limit = limits::IMAP_SEARCH_DEPTH_MAX;
    assert!(Request::parse(&Line::new(Bytes::from(nested(limit - 1)))).is_ok());
    assert_eq!(answer(&nested(limit)), "a1 BAD [LIMIT] Too deep a search program\r\n");
    assert_eq!(
        answer(&format!("a1 SEARCH {}", "(".repeat(10_000))),
        "a1 BAD [LIMIT] Too deep a search program\r\n"
    );
}

#[test]
fn passwords_are_not_shown() {
    let shown = format!("{:?}", parse("LOGIN fred hidden"));
    assert!(shown.contains("fred") && !shown.contains("hidden"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Request::parse(&Line::new(Bytes::from(bytes)));
    }

    #[test]
    fn what_resembles_commands_never_panics(
        text in "a (UID )?(FETCH|STORE|SEARCH|LIST|STATUS|ID|CREATE|APPEND|LOGIN|COPY) [ -~]{0,40}([{][0-9]{1,20}[+]?[}](\r\n)?[ -~]{0,9})?",
    ) {
        let line = Line::new(Bytes::from(text));
        let mut out = Vec::new();
        if let Err(error) = Request::parse(&line) {
            error.write(&mut out);
            prop_assert!(out.starts_with(b"a ") && out.ends_with(b"\r\n"));
        }
    }
}
