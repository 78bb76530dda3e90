//! The tree of parts.

use std::ops::Range;

use crate::{Section, SectionText};

/// What a part's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// text/*.
    Text,
    /// multipart/*: its children are parts.
    Multipart,
    /// message/rfc822: its one child is the message in it.
    Message,
    /// Anything else.
    Other,
}

/// One part: the message itself, a body part, or a message in a message/rfc822 part. Offsets are octets
/// from the beginning of the outermost message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The header with its blank line.
    pub header: Range<u64>,
    /// The content, without the line end that belongs to the delimiter after it.
    pub body: Range<u64>,
    /// Line ends in `body`.
    pub lines: u64,
    /// What the content is.
    pub kind: PartKind,
    /// Children, as indices into [`Structure::parts`].
    pub children: Vec<u32>,
}

/// The parts of a message, each after its parent; the first is the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    pub(crate) parts: Vec<Part>,
}

impl Structure {
    /// The parts; never empty.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The message itself.
    pub fn root(&self) -> &Part {
        &self.parts[0]
    }

    /// Octets of the message.
    pub fn octets(&self) -> u64 {
        self.root().body.end
    }

    /// Where a section is (RFC 3501 6.4.5); `None` if there is no such part. For `HeaderFields` it is the
    /// whole header, from which [`crate::header_fields`] takes its pick.
    pub fn section(&self, section: &Section) -> Option<Range<u64>> {
        match section.parts.is_empty() {
            true => self.message_section(0, section.text.as_ref()),
            false => self.part_section(self.numbered(&section.parts)?, section.text.as_ref()),
        }
    }

    /// What of a message is meant; `MIME` needs a part number.
    fn message_section(&self, message: usize, text: Option<&SectionText>) -> Option<Range<u64>> {
        let part = &self.parts[message];
        match text {
            None => Some(part.header.start..part.body.end),
            Some(SectionText::Header | SectionText::HeaderFields { .. }) => Some(part.header.clone()),
            Some(SectionText::Text) => Some(part.body.clone()),
            Some(SectionText::Mime) => None,
        }
    }

    /// What of a numbered part is meant; a header and a text only a message/rfc822 part has.
    fn part_section(&self, part: usize, text: Option<&SectionText>) -> Option<Range<u64>> {
        match text {
            None => Some(self.parts[part].body.clone()),
            Some(SectionText::Mime) => Some(self.parts[part].header.clone()),
            Some(_) => self.message_section(self.message_in(part)?, text),
        }
    }

    /// The part of this number. In a message that is no multipart its content is part 1; a message/rfc822
    /// part is numbered as the message in it is.
    fn numbered(&self, numbers: &[u32]) -> Option<usize> {
        let (&first, rest) = numbers.split_first()?;
        let mut part = self.numbered_in_message(0, first)?;
        for &number in rest {
            part = match self.parts[part].kind {
                PartKind::Multipart => self.child(part, number)?,
                _ => self.numbered_in_message(self.message_in(part)?, number)?,
            };
        }
        Some(part)
    }

    fn numbered_in_message(&self, message: usize, number: u32) -> Option<usize> {
        match self.parts[message].kind {
            PartKind::Multipart => self.child(message, number),
            _ => (number == 1).then_some(message),
        }
    }

    fn child(&self, part: usize, number: u32) -> Option<usize> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.parts[part].children.get(index).map(|&child| child as usize)
    }

    fn message_in(&self, part: usize) -> Option<usize> {
        (self.parts[part].kind == PartKind::Message).then(|| self.child(part, 1))?
    }
}
