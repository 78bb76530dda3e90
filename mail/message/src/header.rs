//! Questions to one header section.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::{memchr, memmem};

use crate::fields::{HeaderField, HeaderIter};

/// The fields named (or, with `not`, all others), as they stand, and the blank line that ends the header
/// if there is one (RFC 3501 6.4.5, `HEADER.FIELDS`).
pub fn header_fields<N: AsRef<[u8]>>(header: &[u8], names: &[N], not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let names = Names::new(names);
    for field in HeaderIter::new(header) {
        if names.have(&field) != not {
            out.extend_from_slice(field.raw);
        }
    }
    if ends_in_blank_line(header) {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Names up to this many are compared one after the other, which is cheaper for the lists that clients send.
const NAMES_COMPARED_MAX: usize = 24;

/// Names of fields, whatever their case.
enum Names<'n, N> {
    Few(&'n [N]),
    Many(HashSet<Vec<u8>>),
}

impl<'n, N: AsRef<[u8]>> Names<'n, N> {
    fn new(names: &'n [N]) -> Self {
        match names.len() {
            0..=NAMES_COMPARED_MAX => Names::Few(names),
            _ => Names::Many(names.iter().map(|name| name.as_ref().to_ascii_lowercase()).collect()),
        }
    }

    fn have(&self, field: &HeaderField<'_>) -> bool {
        match self {
            Names::Few(names) => names.iter().any(|name| field.is(name.as_ref())),
            Names::Many(names) => names.contains(&field.name.to_ascii_lowercase()),
        }
    }
}

fn ends_in_blank_line(header: &[u8]) -> bool {
    let ends = [&b"\n\r\n"[..], b"\n\n"];
    header == b"\r\n" || header == b"\n" || ends.iter().any(|end| header.ends_with(end))
}

/// The header section at the start of a message in wire form, its blank line included; none where that does not come
/// (RFC 5322 2.1).
pub fn header_section(message: &[u8]) -> Option<&[u8]> {
    if message.starts_with(b"\r\n") {
        return Some(&message[..2]);
    }
    memmem::find(message, b"\r\n\r\n").map(|end| &message[..end + 4])
}

/// The value of the first field of this name, unfolded, without blanks around it.
pub fn first_header<'h>(header: &'h [u8], name: &[u8]) -> Option<Cow<'h, [u8]>> {
    HeaderIter::new(header).find(|field| field.is(name)).map(|field| field.unfolded())
}

/// The `<...>` in a value, brackets excluded, in order (Message-ID, In-Reply-To, References; RFC 5322 3.6.4).
pub fn message_ids(value: &[u8]) -> Vec<&[u8]> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(open) = memchr(b'<', rest) {
        rest = &rest[open + 1..];
        let Some(close) = memchr(b'>', rest) else { break };
        ids.push(&rest[..close]);
        rest = &rest[close + 1..];
    }
    ids.retain(|id| !id.is_empty());
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"From: a@b\r\nTO: c@d,\r\n e@f\r\nSubject: x\r\n\r\n";

    #[test]
    fn fields_are_picked_whatever_their_case_and_keep_their_bytes() {
        let picked = header_fields(HEADER, &["to", "SUBJECT"], false);
        assert_eq!(picked, b"TO: c@d,\r\n e@f\r\nSubject: x\r\n\r\n");
    }

    #[test]
    fn a_long_list_of_names_picks_the_same() {
        let mut names: Vec<String> = (0..100).map(|number| format!("X-{number}")).collect();
        names.extend(["to".to_owned(), "SUBJECT".to_owned()]);
        assert_eq!(header_fields(HEADER, &names, false), header_fields(HEADER, &names[100..], false));
        assert_eq!(header_fields(HEADER, &names, true), header_fields(HEADER, &names[100..], true));
    }

    #[test]
    fn not_picks_the_others() {
        assert_eq!(header_fields(HEADER, &["to", "SUBJECT"], true), b"From: a@b\r\n\r\n");
    }

    #[test]
    fn the_blank_line_stays_when_no_field_does() {
        assert_eq!(header_fields(HEADER, &["X-None"], false), b"\r\n");
        assert_eq!(header_fields(b"A: 1\r\n", &["A"], false), b"A: 1\r\n");
    }

    #[test]
    fn the_first_of_several_fields_counts() {
        let header = b"A: 1\r\nB: 2\r\nA: 3\r\n\r\n";
        assert_eq!(first_header(header, b"a").as_deref(), Some(&b"1"[..]));
        assert_eq!(first_header(header, b"c"), None);
    }

    #[test]
    fn the_header_section_ends_with_its_blank_line() {
        assert_eq!(header_section(b"A: 1\r\n\r\ntext\r\n\r\n"), Some(&b"A: 1\r\n\r\n"[..]));
        assert_eq!(header_section(b"\r\ntext\r\n\r\n"), Some(&b"\r\n"[..]));
        assert_eq!(header_section(b"A: 1\r\n"), None);
    }

    #[test]
    fn message_ids_are_what_stands_in_brackets() {
        assert_eq!(message_ids(b"<a@b> (c) <d@e>\r\n <f@g> <> <h"), [b"a@b", b"d@e", b"f@g"]);
    }
}
