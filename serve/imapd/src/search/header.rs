//! What a program asks of a header, decoded and folded once for all its keys.

use jiff::civil::Date;
use message::{HeaderIter, decode_header, sent_date};

use super::folded::{Needle, folded};

/// What the keys of a program look at.
#[derive(Debug, Default)]
pub(crate) struct HeaderNeeds {
    /// Names of fields, in lower case, each once.
    pub(crate) fields: Vec<String>,
    /// All of it, for TEXT.
    pub(crate) text: bool,
    /// The day in its Date field.
    pub(crate) sent: bool,
}

impl HeaderNeeds {
    /// The number of a field name, which is added if it is new.
    pub(crate) fn field(&mut self, name: &str) -> usize {
        let name = name.to_ascii_lowercase();
        self.fields.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.fields.push(name);
            self.fields.len() - 1
        })
    }
}

/// So much of one header, in lower case.
#[derive(Debug)]
pub(crate) struct Header {
    /// For each name the values of its fields.
    fields: Vec<Vec<String>>,
    text: String,
    sent: Option<Date>,
}

impl Header {
    /// Decodes no field that nobody asks for.
    pub(crate) fn read(header: &[u8], needs: &HeaderNeeds) -> Self {
        let mut read = Self {
            fields: vec![Vec::new(); needs.fields.len()],
            text: String::new(),
            sent: needs.sent.then(|| sent_date(header)).flatten(),
        };
        for field in HeaderIter::new(header) {
            let wanted = needs.fields.iter().position(|name| field.is(name.as_bytes()));
            if wanted.is_none() && !needs.text {
                continue;
            }
            let value = folded(&decode_header(field.value));
            if needs.text {
                push_line(&mut read.text, field.name, &value);
            }
            if let Some(wanted) = wanted {
                read.fields[wanted].push(value);
            }
        }
        read
    }

    /// RFC 3501 6.4.4, HEADER: the empty string is in every field, so it asks whether there is one.
    pub(crate) fn field_contains(&self, field: usize, needle: &Needle) -> bool {
        self.fields[field].iter().any(|value| needle.is_in(value))
    }

    pub(crate) fn contains(&self, needle: &Needle) -> bool {
        needle.is_in(&self.text)
    }

    pub(crate) fn sent(&self) -> Option<Date> {
        self.sent
    }
}

fn push_line(text: &mut String, name: &[u8], value: &str) {
    text.push_str(&folded(&String::from_utf8_lossy(name)));
    text.push_str(": ");
    text.push_str(value);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"Subject: =?utf-8?q?Gr=C3=9C=C3=9Fe?=\r\nTo: a@b\r\nTO: c@d\r\n\r\n";

    #[test]
    fn fields_are_found_under_any_case_of_their_name_and_decoded() {
        let mut needs = HeaderNeeds::default();
        let (to, subject, none) = (needs.field("tO"), needs.field("Subject"), needs.field("X-None"));
        assert_eq!(needs.field("TO"), to);
        let header = Header::read(HEADER, &needs);
        assert!(
            header.field_contains(to, &Needle::new("C@D")) && header.field_contains(to, &Needle::new("a@"))
        );
        assert!(header.field_contains(subject, &Needle::new("grÜß")));
        assert!(!header.field_contains(none, &Needle::new("")));
    }

    #[test]
    fn the_whole_text_holds_names_and_values() {
        let needs = HeaderNeeds { text: true, ..HeaderNeeds::default() };
        let header = Header::read(HEADER, &needs);
        assert!(header.contains(&Needle::new("subject: GRÜ")) && !header.contains(&Needle::new("=?")));
    }
}
