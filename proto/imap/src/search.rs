//! SEARCH: the program (RFC 3501 6.4.4), and what is wanted of its outcome (RFC 4731 3.1).

use compact_str::CompactString;
use jiff::civil::Date;

use crate::{Flag, Numbering, SequenceSet};

/// SEARCH.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// What the answer numbers.
    pub by: Numbering,
    /// RETURN: the answer is an ESEARCH response with just these.
    pub returns: Option<SearchReturns>,
    /// The program; several keys are one [`SearchKey::And`].
    pub key: SearchKey,
}

/// What an ESEARCH response shall tell (RFC 4731 3.1); `RETURN ()` is `RETURN (ALL)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchReturns {
    /// The lowest number.
    pub min: bool,
    /// The highest number.
    pub max: bool,
    /// All numbers, as a set.
    pub all: bool,
    /// How many.
    pub count: bool,
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
    /// Of this modseq or a higher one; 63 bits. The name of a flag, which may stand before it (RFC 7162 3.1.5),
    /// is left out: a message has one modseq for all its flags.
    ModSeq(u64),
    /// All of these; never empty.
    And(Vec<SearchKey>),
    /// One of these.
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Not this.
    Not(Box<SearchKey>),
}

impl SearchKey {
    /// Whether MODSEQ stands anywhere in it: the answer has the highest modseq then (RFC 7162 3.1.6).
    pub fn asks_modseq(&self) -> bool {
        match self {
            SearchKey::ModSeq(_) => true,
            SearchKey::And(keys) => keys.iter().any(SearchKey::asks_modseq),
            SearchKey::Or(one, other) => one.asks_modseq() || other.asks_modseq(),
            SearchKey::Not(key) => key.asks_modseq(),
            _ => false,
        }
    }
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
