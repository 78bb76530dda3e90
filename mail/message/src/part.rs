//! The tree of parts.

use std::ops::Range;

use crate::Section;

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
    pub fn section(&self, _section: &Section) -> Option<Range<u64>> {
        unimplemented!("Structure::section")
    }
}
