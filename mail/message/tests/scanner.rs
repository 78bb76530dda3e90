//! What holds for every message: the cuts between chunks make no difference, ranges nest, limits bind.

use std::ops::Range;

use message::{PartKind, ScanLimits, Scanned, Scanner, Section, Structure, scan};
use proptest::prelude::*;

/// Lines of which messages are made that exercise the scanner: delimiters, headers, blanks, junk.
fn line() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Type: multipart/digest; boundary=\"ab\"",
        "Content-Type: message/rfc822",
        "Content-Type: text/html; charset=utf-8",
        "Content-Type: image/png",
        "Subject: s",
        "From: Ä <a@b>, c",
        " folded",
        "",
        "",
        "",
        "-",
        "--",
        "--a",
        "--a--",
        "--ab",
        "--ab--",
        "--abc",
        "text",
        "\r",
        "\0",
    ])
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r", ""]);
    prop::collection::vec((line(), end), 0..40).prop_map(|lines| {
        let mut text = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n".to_vec();
        lines.into_iter().for_each(|(line, end)| text.extend([line, end].concat().into_bytes()));
        text
    })
}

fn scan_in_chunks(message: &[u8], sizes: &[usize]) -> Scanned {
    let mut scanner = Scanner::new(ScanLimits::default());
    let mut rest = message;
    for &size in sizes.iter().cycle() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        scanner.push(chunk);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    scanner.finish()
}

fn assert_nested(structure: &Structure, outer: &Range<u64>, index: usize) {
    let part = &structure.parts()[index];
    let whole = part.header.start..part.body.end;
    assert!(part.header.end == part.body.start && whole.start <= part.header.end, "{part:?}");
    assert!(outer.start <= whole.start && whole.end <= outer.end, "{part:?} in {outer:?}");
    let mut from = part.body.start;
    for &child in &part.children {
        assert_nested(structure, &(from..part.body.end), child as usize);
        from = structure.parts()[child as usize].body.end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cuts_between_chunks_make_no_difference(text in message(), sizes in prop::collection::vec(1..9usize, 1..6)) {
        prop_assert_eq!(scan_in_chunks(&text, &sizes), scan(&text));
    }

    #[test]
    fn parts_lie_in_their_parents_one_after_the_other(text in message()) {
        let structure = scan(&text).structure;
        prop_assert_eq!(structure.octets(), text.len() as u64);
        assert_nested(&structure, &(0..text.len() as u64), 0);
    }

    #[test]
    fn lines_are_the_line_ends_in_the_body(text in message()) {
        for part in scan(&text).structure.parts() {
            let body = &text[part.body.start as usize..part.body.end as usize];
            prop_assert_eq!(part.lines, body.iter().filter(|&&b| b == b'\n').count() as u64);
        }
    }

    #[test]
    fn a_structure_survives_its_stored_form(text in message()) {
        let structure = scan(&text).structure;
        let mut stored = Vec::new();
        structure.encode(&mut stored);
        prop_assert_eq!(Structure::decode(&stored), Ok(structure));
    }

    #[test]
    fn damaged_stored_forms_are_refused_or_harmless(mut stored in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Some(version) = stored.first_mut() {
            *version = 1;
        }
        if let Ok(structure) = Structure::decode(&stored) {
            structure.section(&Section { parts: [1, 1, 1].into_iter().collect(), text: None });
        }
    }

    #[test]
    fn arbitrary_bytes_are_scanned(text in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(scan(&text).structure.octets(), text.len() as u64);
    }
}

fn scan_within(text: &[u8], limits: ScanLimits) -> Scanned {
    let mut scanner = Scanner::new(limits);
    scanner.push(text);
    scanner.finish()
}

#[test]
fn parts_beyond_the_limit_are_content_of_the_last() {
    let text = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n1\r\n--a\r\n\r\n2\r\n--a\r\n\r\n3\r\n--a--\r\n";
    let scanned = scan_within(text, ScanLimits { parts_max: 3, ..ScanLimits::default() });
    let parts = scanned.structure.parts();
    assert_eq!(parts.len(), 3);
    let last = &parts[2].body;
    assert_eq!(&text[last.start as usize..last.end as usize], b"2\r\n--a\r\n\r\n3");
}

#[test]
fn nesting_beyond_the_limit_is_content() {
    let text = "Content-Type: message/rfc822\r\n\r\n".repeat(100);
    let scanned = scan_within(text.as_bytes(), ScanLimits { depth_max: 10, ..ScanLimits::default() });
    let parts = scanned.structure.parts();
    assert_eq!(parts.len(), 10);
    assert_eq!(parts[9].kind, PartKind::Other);
    assert_eq!(parts[8].kind, PartKind::Message);
}

#[test]
fn a_header_beyond_the_limit_keeps_its_first_whole_lines() {
    let text = b"Subject: kept\r\nX-Long: not kept\r\nTo: neither\r\n\r\nbody\r\n";
    let scanned = scan_within(text, ScanLimits { header_bytes_max: 25, ..ScanLimits::default() });
    assert_eq!(&scanned.rendered.header[..], b"Subject: kept\r\n\r\n");
    assert_eq!(scanned.structure.root().header, 0..48);
    assert_eq!(scanned.structure.root().lines, 1);
}
