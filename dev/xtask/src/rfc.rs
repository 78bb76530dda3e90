//! `cargo xtask rfc`: every RFC that code cites is listed in RFCS.tsv with a verdict.

use crate::source;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Citations of RFCs that RFCS.tsv does not list, and rows of RFCS.tsv that are malformed.
pub fn breaches(root: &Path) -> Vec<String> {
    let (listed, mut found) = listed(root);
    for file in source::files(root, "rs") {
        for (number, line) in file.text.lines().enumerate() {
            for rfc in cited(line).into_iter().filter(|rfc| !listed.contains(rfc)) {
                found.push(format!(
                    "{}:{}: cites {rfc}, which RFCS.tsv lacks",
                    file.path.display(),
                    number + 1
                ));
            }
        }
    }
    found
}

fn listed(root: &Path) -> (BTreeSet<String>, Vec<String>) {
    let text = fs::read_to_string(root.join("RFCS.tsv")).unwrap_or_default();
    let mut rfcs = BTreeSet::new();
    let mut malformed = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields[..] {
            [rfc, "yes" | "partial" | "no", what] if !what.is_empty() => {
                if !rfcs.insert(format!("RFC {rfc}")) {
                    malformed.push(format!("RFCS.tsv:{}: RFC {rfc} is listed twice", number + 1));
                }
            }
            _ => malformed.push(format!("RFCS.tsv:{}: not number, yes|partial|no, text", number + 1)),
        }
    }
    (rfcs, malformed)
}

fn cited(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("RFC ") {
        let digits: String = line[at + 4..].chars().take_while(char::is_ascii_digit).collect();
        if digits.len() >= 3 {
            found.push(format!("RFC {digits}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::cited;

    #[test]
    fn every_citation_of_a_line_is_found() {
        assert_eq!(cited("// RFC 5321 4.5.3, and RFC 3501."), ["RFC 5321", "RFC 3501"]);
        assert!(cited("the RFC says").is_empty());
    }
}
