//! The fields of a header section (RFC 5322 2.2).

use std::borrow::Cow;

use memchr::memchr;

/// One field as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderField<'h> {
    /// The name without colon and without blanks around it.
    pub name: &'h [u8],
    /// What follows the colon, folds and last line end included.
    pub value: &'h [u8],
    /// The whole field: name, colon, value.
    pub raw: &'h [u8],
}

impl<'h> HeaderField<'h> {
    /// Whether the field has this name, whatever the case.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line (RFC 5322 2.2.3), without blanks around it.
    pub fn unfolded(&self) -> Cow<'h, [u8]> {
        unfold(self.value)
    }
}

/// Iterates over the fields of a header section and stops at its blank line. Lines that are no fields are
/// left out, with the lines that continue them.
#[derive(Debug, Clone)]
pub struct HeaderIter<'h> {
    rest: &'h [u8],
}

impl<'h> HeaderIter<'h> {
    /// Over this header section.
    pub fn new(header: &'h [u8]) -> HeaderIter<'h> {
        HeaderIter { rest: header }
    }

    /// Takes one line and those that continue it.
    fn take_folded(&mut self) -> Option<&'h [u8]> {
        if self.rest.is_empty() || starts_blank_line(self.rest) {
            return None;
        }
        let mut end = line_end(self.rest);
        while matches!(self.rest.get(end), Some(b' ' | b'\t')) {
            end += line_end(&self.rest[end..]);
        }
        let (raw, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(raw)
    }
}

impl<'h> Iterator for HeaderIter<'h> {
    type Item = HeaderField<'h>;

    fn next(&mut self) -> Option<HeaderField<'h>> {
        loop {
            let raw = self.take_folded()?;
            if let Some(field) = field(raw) {
                return Some(field);
            }
        }
    }
}

fn field(raw: &[u8]) -> Option<HeaderField<'_>> {
    let first_line = &raw[..line_end(raw)];
    let colon = memchr(b':', first_line)?;
    let name = raw[..colon].trim_ascii_end();
    let named = !name.is_empty() && !matches!(name[0], b' ' | b'\t');
    named.then(|| HeaderField { name, value: &raw[colon + 1..], raw })
}

/// Octets up to and including the first line end.
fn line_end(text: &[u8]) -> usize {
    memchr(b'\n', text).map_or(text.len(), |at| at + 1)
}

/// Whether the text begins with an empty line.
pub(crate) fn starts_blank_line(text: &[u8]) -> bool {
    text.starts_with(b"\r\n") || text.starts_with(b"\n")
}

/// A value on one line, without blanks around it; copied only where it was folded.
pub(crate) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(header: &[u8]) -> Vec<&[u8]> {
        HeaderIter::new(header).map(|field| field.name).collect()
    }

    #[test]
    fn iteration_stops_at_the_blank_line() {
        assert_eq!(names(b"A: 1\r\nB : 2\r\n\r\nC: 3\r\n"), [b"A", b"B"]);
    }

    #[test]
    fn bare_lf_ends_lines_too() {
        assert_eq!(names(b"A: 1\nB: 2\n\nC: 3\n"), [b"A", b"B"]);
    }

    #[test]
    fn lines_that_are_no_fields_are_left_out_with_their_continuation() {
        assert_eq!(names(b"From x@y Mon\r\n at: no\r\nA: 1\r\n: 2\r\n\r\n"), [b"A"]);
    }

    #[test]
    fn folded_values_come_out_on_one_line() {
        let field = HeaderIter::new(b"Subject: a\r\n b\r\n\tc \r\n\r\n").next().unwrap();
        assert_eq!(&*field.unfolded(), b"a b\tc");
        assert_eq!(field.raw, b"Subject: a\r\n b\r\n\tc \r\n");
    }
}
