//! The decoded text of a message, for BODY and TEXT.

use disk::Body;
use message::{HeaderIter, Part, PartKind, Structure, decode_header, part_text};

use super::folded::Needle;

/// Which of a program's strings are in a message's body.
#[derive(Debug)]
pub(crate) struct Found(Vec<bool>);

impl Found {
    pub(crate) fn has(&self, needle: usize) -> bool {
        self.0[needle]
    }

    /// Looks for all needles in every text of the body: the decoded text parts and the headers of messages
    /// within the message. One part at a time is in memory. Blocks.
    pub(crate) fn in_body(needles: &[Needle], body: &Body, structure: &Structure) -> std::io::Result<Self> {
        let mut found = Self(vec![false; needles.len()]);
        for (index, part) in structure.parts().iter().enumerate() {
            if index > 0 {
                found.add(needles, &header_text(&read(body, part.header.start, part.header.end)?));
            }
            if part.kind == PartKind::Text && !found.all() {
                found.add(needles, &text_of(body, part)?);
            }
        }
        Ok(found)
    }

    fn add(&mut self, needles: &[Needle], text: &str) {
        let folded = text.to_lowercase();
        for (found, needle) in self.0.iter_mut().zip(needles) {
            *found = *found || needle.is_in_folded(&folded);
        }
    }

    fn all(&self) -> bool {
        self.0.iter().all(|found| *found)
    }
}

fn text_of(body: &Body, part: &Part) -> std::io::Result<String> {
    Ok(part_text(&read(body, part.header.start, part.body.end)?).unwrap_or_default())
}

fn read(body: &Body, from: u64, until: u64) -> std::io::Result<bytes::Bytes> {
    body.read_at(from, until.saturating_sub(from) as usize)
}

/// A header as text, each field on a line, encoded words decoded.
pub(crate) fn header_text(header: &[u8]) -> String {
    let mut text = String::with_capacity(header.len());
    for field in HeaderIter::new(header) {
        text.push_str(&String::from_utf8_lossy(field.name));
        text.push_str(": ");
        text.push_str(&decode_header(field.value));
        text.push('\n');
    }
    text
}
