//! Which part of a message is meant (RFC 3501 6.4.5).

use smallvec::SmallVec;

/// A section of a message: part numbers, and what of the part. Empty, it is the whole message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// Part numbers from the outside in, from 1.
    pub parts: SmallVec<[u32; 4]>,
    /// What of the part; `None` for its content.
    pub text: Option<SectionText>,
}

/// What of a part is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// The header of the message, or of a message/rfc822 part.
    Header,
    /// Some of its fields.
    HeaderFields {
        /// Field names, as the client wrote them.
        names: Vec<String>,
        /// All fields but these.
        not: bool,
    },
    /// The body of the message, or of a message/rfc822 part.
    Text,
    /// The MIME header of a part; only with part numbers.
    Mime,
}
