//! FETCH: what is asked of a message (RFC 3501 6.4.5).

use crate::{Numbering, Section, SequenceSet};

/// FETCH.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetch {
    /// How `set` counts. With [`Numbering::Uid`] the response has UID whether asked for or not.
    pub by: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// What of each, in the client's order, the macros ALL, FAST and FULL expanded, no item twice.
    pub items: Vec<FetchItem>,
    /// CHANGEDSINCE (RFC 7162 3.1.4.1): only messages whose modseq is above this; 63 bits. `items` has
    /// [`FetchItem::ModSeq`] then.
    pub changed_since: Option<u64>,
}

/// One data item (RFC 3501 9, `fetch-att`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// `ENVELOPE`.
    Envelope,
    /// `FLAGS`.
    Flags,
    /// `INTERNALDATE`.
    InternalDate,
    /// `RFC822`: like `BODY[]`, sets `\Seen`.
    Rfc822,
    /// `RFC822.HEADER`: like `BODY.PEEK[HEADER]`.
    Rfc822Header,
    /// `RFC822.SIZE`.
    Rfc822Size,
    /// `RFC822.TEXT`: like `BODY[TEXT]`, sets `\Seen`.
    Rfc822Text,
    /// `BODY` without a section.
    Body,
    /// `BODYSTRUCTURE`.
    BodyStructure,
    /// `UID`.
    Uid,
    /// `MODSEQ` (RFC 7162 3.1.4.2).
    ModSeq,
    /// `BODY[section]<partial>` or `BODY.PEEK[section]<partial>`.
    Section {
        /// Which part.
        section: Section,
        /// Without setting `\Seen`.
        peek: bool,
        /// Which octets of it.
        partial: Option<Partial>,
    },
}

impl FetchItem {
    /// Whether fetching it sets `\Seen`.
    pub fn sets_seen(&self) -> bool {
        matches!(self, FetchItem::Rfc822 | FetchItem::Rfc822Text | FetchItem::Section { peek: false, .. })
    }
}

/// A window on a section: `<origin.octets>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The first octet wanted; goes into the response.
    pub origin: u32,
    /// At most so many octets; never 0.
    pub octets: u32,
}
