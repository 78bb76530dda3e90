//! Text that is safe in a header field.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;

/// Characters of one value that are kept; what other hosts say can be long.
const VALUE_CHARS_MAX: usize = 2_000;
/// Characters after which a line is folded at the next blank (RFC 5322 2.1.1 asks for 78, demands 998).
const LINE_CHARS: usize = 76;
/// Octets of a word on one line; the name of the field fits beside it.
const WORD_OCTETS_MAX: usize = 900;

/// Writes `Name: value`, folded, with what could end the field or is not printable replaced. Characters beyond ASCII stay
/// where `utf8` allows them.
pub(crate) fn field(out: &mut String, name: &str, value: &str, utf8: bool) {
    let _ = write!(out, "{name}:");
    let mut column = name.len() + 1;
    for word in clean(value, utf8).split_ascii_whitespace() {
        if column + word.len() > LINE_CHARS && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        word_push(out, word);
        column += word.len() + 1;
    }
    out.push_str("\r\n");
}

/// A word, cut where no line could hold it: the limit is in octets.
fn word_push(out: &mut String, word: &str) {
    let mut octets = 0;
    for c in word.chars() {
        octets += c.len_utf8();
        if octets > WORD_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = c.len_utf8();
        }
        out.push(c);
    }
}

/// A value with every character that has no place in a field replaced by `?`, blanks by blanks.
pub(crate) fn clean(value: &str, utf8: bool) -> Cow<'_, str> {
    let fits = |c: char| c == ' ' || c.is_ascii_graphic() || (utf8 && !c.is_ascii() && !c.is_control());
    if value.chars().all(fits) && value.len() <= VALUE_CHARS_MAX {
        return Cow::Borrowed(value);
    }
    let replace = |c: char| match c {
        c if fits(c) => c,
        c if c.is_ascii_whitespace() => ' ',
        _ => '?',
    };
    Cow::Owned(value.chars().take(VALUE_CHARS_MAX).map(replace).collect())
}

/// A date as mail writes it (RFC 5322 3.3), in UTC.
pub(crate) fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str, utf8: bool) -> String {
        let mut out = String::new();
        field(&mut out, "Name", value, utf8);
        out
    }

    #[test]
    fn a_value_cannot_end_its_field_or_begin_another() {
        assert_eq!(written("a\r\nEvil: b\0", false), "Name: a Evil: b?\r\n");
    }

    #[test]
    fn characters_beyond_ascii_stay_only_where_they_may() {
        assert_eq!(written("grüße", false), "Name: gr??e\r\n");
        assert_eq!(written("grüße", true), "Name: grüße\r\n");
    }

    #[test]
    fn long_values_are_folded_and_no_line_is_too_long() {
        let folded = written(&format!("{} {}", "word ".repeat(40), "x".repeat(1_500)), false);
        assert!(folded.lines().all(|line| line.len() < 998));
        assert!(folded.lines().skip(1).all(|line| line.starts_with(' ')));
    }

    #[test]
    fn a_line_is_counted_in_octets() {
        let folded = written(&"ü".repeat(1_500), true);
        assert!(folded.lines().all(|line| line.len() < 998));
        assert_eq!(folded.matches('ü').count(), 1_500);
    }

    #[test]
    fn dates_are_written_as_mail_has_them() {
        assert_eq!(date(Timestamp::from_second(784_111_777).unwrap()), "Sun, 06 Nov 1994 08:49:37 +0000");
    }
}
