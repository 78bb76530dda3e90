//! SEARCH: the program (RFC 3501 6.4.4).

use compact_str::CompactString;
use jiff::civil::Date;

use crate::{Flag, Numbering, SequenceSet};

/// SEARCH.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// What the answer numbers.
    pub by: Numbering,
    /// The program; several keys are one [`SearchKey::And`].
    pub key: SearchKey,
}

/// One condition. Strings are UTF-8 whatever charset they were sent in, and match as substrings without
/// regard to case. What RFC 3501 has as an abbreviation is expanded: `NEW` is `And[Has(Recent),
/// Not(Has(Seen))]`, `OLD` is `Not(Has(Recent))`, `UNSEEN` is `Not(Has(Seen))`, `UNKEYWORD x` is `Not(Has(x))`.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchKey {
    /// Every message.
    All,
    /// With this flag or keyword.
    Has(Flag),
    /// By sequence number.
    Sequence(SequenceSet),
    /// By UID.
    Uid(SequenceSet),
    /// The internal date's calendar day (BEFORE, ON, SINCE).
    Internal(DateTest, Date),
    /// The Date field's calendar day, its zone disregarded (SENTBEFORE, SENTON, SENTSINCE).
    Sent(DateTest, Date),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// In From.
    From(String),
    /// In To.
    To(String),
    /// In Cc.
    Cc(String),
    /// In Bcc.
    Bcc(String),
    /// In Subject.
    Subject(String),
    /// In a header field; an empty string asks whether there is such a field.
    Header {
        /// The field's name, without colon.
        name: CompactString,
        /// What it contains.
        value: String,
    },
    /// In the body.
    Body(String),
    /// In the header or the body.
    Text(String),
    /// All of these; never empty.
    And(Vec<SearchKey>),
    /// One of these.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Not this.
    Not(Box<SearchKey>),
}

/// How a day is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateTest {
    /// Earlier.
    Before,
    /// That day.
    On,
    /// That day or later.
    Since,
}

impl DateTest {
    /// Whether `day` passes when compared with `asked`.
    pub fn holds(self, day: Date, asked: Date) -> bool {
        match self {
            DateTest::Before => day < asked,
            DateTest::On => day == asked,
            DateTest::Since => day >= asked,
        }
    }
}
