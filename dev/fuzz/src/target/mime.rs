//! The MIME scanner: structure, rendering, decoded text.

use crate::cuts::{Cuts, split};
use bytes::Bytes;
use imap::Line;
use imap::reply::{Reply, Value};
use message::{
    PartKind, ScanLimits, Scanned, Scanner, Section, SectionText, Structure, header_text, text_parts,
};
use smallvec::smallvec;

const LIMITS: ScanLimits = ScanLimits { header_bytes_max: 2_000, parts_max: 30, depth_max: 6 };

/// A message: its scan does not depend on how the bytes are cut, parts lie within their parents, what is rendered can be read
/// by a client, and the stored structure is read as it was.
pub fn scan(bytes: &[u8]) {
    let ([seed], input) = split::<1>(bytes);
    structure(input);
    let scanned = scanned(&[input]);
    assert_eq!(scanned, self::scanned(&Cuts::new(seed).pieces(input)));
    let structure = &scanned.structure;
    assert_eq!(structure.octets(), input.len() as u64);
    assert!(structure.parts().len() <= LIMITS.parts_max);
    check_ranges(structure);
    check_stored(structure);
    for rendered in [&scanned.rendered.envelope, &scanned.rendered.body, &scanned.rendered.body_structure] {
        check_rendered(rendered);
    }
    let _ = header_text(&scanned.rendered.header);
    let text_bytes: usize = text_parts(input, structure).map(|(_, text)| text.len()).sum();
    // A charset may take six bytes of UTF-8 for one byte, and a nested part is text of its own alone.
    assert!(text_bytes <= 8 * input.len() + 64, "{text_bytes} bytes of text from {}", input.len());
}

fn scanned(pieces: &[&[u8]]) -> Scanned {
    let mut scanner = Scanner::new(LIMITS);
    pieces.iter().for_each(|piece| scanner.push(piece));
    scanner.finish()
}

/// Each part lies within its parent, behind the one before.
fn check_ranges(structure: &Structure) {
    for part in structure.parts() {
        assert!(part.header.start <= part.header.end && part.header.end <= part.body.start, "{part:?}");
        assert!(part.body.start <= part.body.end && part.body.end <= structure.octets(), "{part:?}");
        let mut from = part.body.start;
        for child in &part.children {
            let child = &structure.parts()[*child as usize];
            assert!(from <= child.header.start && child.body.end <= part.body.end, "{part:?}: {child:?}");
            from = child.body.end;
        }
        assert!(part.kind != PartKind::Message || part.children.len() <= 1, "{part:?}");
    }
    for text in [None, Some(SectionText::Header), Some(SectionText::Text), Some(SectionText::Mime)] {
        for parts in [smallvec![], smallvec![1], smallvec![2, 1], smallvec![1, 1, 1]] {
            let range = structure.section(&Section { parts, text: text.clone() });
            assert!(range.is_none_or(|range| range.start <= range.end && range.end <= structure.octets()));
        }
    }
}

fn check_stored(structure: &Structure) {
    let mut stored = Vec::new();
    structure.encode(&mut stored);
    assert_eq!(Structure::decode(&stored).as_ref(), Ok(structure));
}

/// As the value of a FETCH response it is one list, without NUL and without a line end outside of literals.
fn check_rendered(rendered: &Bytes) {
    assert!(!rendered.contains(&0));
    let line = Line::new([b"* 1 FETCH (X ", &rendered[..], b")"].concat());
    let reply = Reply::parse(&line);
    let is_list = match &reply {
        Some(Reply::Data { values, .. }) => match &values[..] {
            [Value::List(items)] => matches!(items[..], [Value::Atom(_), Value::List(_)]),
            _ => false,
        },
        _ => false,
    };
    assert!(is_list, "{} is read as {reply:?}", rendered.escape_ascii());
}

/// A stored structure of any bytes.
fn structure(bytes: &[u8]) {
    if let Ok(structure) = Structure::decode(bytes) {
        check_stored(&structure);
    }
}
