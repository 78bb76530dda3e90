//! Golden messages: `tests/golden/*.eml`, all written for this test, and beside each what is made of it.
//! `BLESS=1` rewrites the `.expected` files; read the difference before you commit it.
#![expect(clippy::disallowed_methods, reason = "tests read their corpus")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use message::{Section, SectionText, Structure, header_text, scan, sent_date, text_parts};

/// The part numbers tried.
const NUMBERS: [&str; 15] =
    ["", "1", "2", "3", "4", "1.1", "1.2", "2.1", "3.1", "3.2", "4.1", "4.2", "4.2.1", "4.2.2", "1.1.1"];

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).expect("the golden folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    paths
}

/// Everything that the crate says about a message, in lines.
fn description(message: &[u8]) -> String {
    let scanned = scan(message);
    let mut out = String::new();
    let rendered = &scanned.rendered;
    for (name, value) in [
        ("ENVELOPE", &rendered.envelope),
        ("BODY", &rendered.body),
        ("BODYSTRUCTURE", &rendered.body_structure),
    ] {
        writeln!(out, "{name} {}", shown(value)).unwrap();
    }
    describe_sections(&mut out, message, &scanned.structure);
    writeln!(out, "date {:?}", sent_date(&rendered.header).map(|date| date.to_string())).unwrap();
    for line in header_text(&rendered.header).lines() {
        writeln!(out, "header {line}").unwrap();
    }
    for (part, text) in text_parts(message, &scanned.structure) {
        writeln!(out, "text at {}: {text:?}", part.body.start).unwrap();
    }
    out
}

fn describe_sections(out: &mut String, message: &[u8], structure: &Structure) {
    for numbers in NUMBERS {
        let parts = numbers.split('.').filter_map(|number| number.parse().ok()).collect();
        let mut section = Section { parts, text: None };
        for text in [None, Some(SectionText::Mime), Some(SectionText::Header), Some(SectionText::Text)] {
            let name = text.as_ref().map_or(String::new(), |text| format!("{text:?}").to_uppercase());
            let dot = if numbers.is_empty() || name.is_empty() { "" } else { "." };
            section.text = text;
            if let Some(range) = structure.section(&section) {
                let bytes = &message[range.start as usize..range.end as usize];
                let ends = format!("{}..{}", range.start, range.end);
                writeln!(out, "BODY[{numbers}{dot}{name}] {ends} {}", shown(bytes)).unwrap();
            }
        }
    }
}

/// Bytes on one line, as text where they are text.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

#[test]
fn golden_messages_come_out_as_expected() {
    let mut differing = Vec::new();
    for path in corpus() {
        let found = description(&std::fs::read(&path).unwrap());
        let expected = path.with_extension("expected");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            differing.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(differing.is_empty(), "BLESS=1 accepts these:\n{}", differing.join("\n"));
}
