//! The decoded text of a message, for BODY and TEXT.

use disk::Body;
use message::{Part, PartKind, Structure, header_text, part_text};

use super::folded::{Needle, folded};
use super::watch::Watched;

/// Which of a program's strings are in a message's body.
#[derive(Debug)]
pub(crate) struct Found(Vec<bool>);

impl Found {
    pub(crate) fn has(&self, needle: usize) -> bool {
        self.0[needle]
    }

    /// Looks for all needles in every text of the body: the decoded text parts and the headers of messages
    /// within the message. One part at a time is in memory. Blocks; ends early when nobody watches any more.
    pub(crate) fn in_body(
        needles: &[Needle],
        body: &Body,
        structure: &Structure,
        watched: &Watched,
    ) -> std::io::Result<Self> {
        let mut found = Self(vec![false; needles.len()]);
        for (index, part) in structure.parts().iter().enumerate() {
            if found.all() || !watched.is_on() {
                break;
            }
            if index > 0 {
                found.add(needles, &header_text(&read(body, part.header.start, part.header.end)?), watched);
            }
            if part.kind == PartKind::Text && !found.all() {
                found.add(needles, &text_of(body, part)?, watched);
            }
        }
        Ok(found)
    }

    fn add(&mut self, needles: &[Needle], text: &str, watched: &Watched) {
        let folded = folded(text);
        for (found, needle) in self.0.iter_mut().zip(needles).take_while(|_| watched.is_on()) {
            *found = *found || needle.is_in(&folded);
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
