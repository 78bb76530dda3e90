//! Administrators read of every quirk in docs/imap.md, in the words of the list.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use imap::Quirk;

#[test]
fn the_list_is_documented() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/imap.md");
    let text = std::fs::read_to_string(docs).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), Quirk::ALL.len());
    for (row, quirk) in rows.iter().zip(Quirk::ALL) {
        let word = format!("`{}`", quirk.word());
        assert_eq!([row[0], row[2], row[3]], [word.as_str(), quirk.clients(), quirk.why()]);
    }
}
