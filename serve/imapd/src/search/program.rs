//! The program, prepared once and tried on each message.

use std::ops::RangeInclusive;

use imap::{DateTest, Flag, SearchKey, SequenceSet};
use jiff::civil::Date;
use mailstore::{MessageRow, SystemFlag};
use message::{HeaderIter, decode_header, sent_date};
use smallvec::SmallVec;

use super::folded::Needle;
use super::text::{Found, header_text};
use crate::cmd::fetch::internal_date;
use crate::refusal::{Outcome, Refusal};
use crate::selected::{RecentUids, Selected};

/// A condition, its strings folded and its sets resolved.
#[derive(Debug)]
enum Test {
    All,
    System(SystemFlag),
    Recent,
    Keyword(String),
    Sequence(Ranges),
    Uid(Ranges),
    Internal(DateTest, Date),
    Sent(DateTest, Date),
    Larger(u64),
    Smaller(u64),
    /// A field with this name contains this.
    Header(String, Box<Needle>),
    /// Needle number n is in the body.
    Body(usize),
    /// Needle number n is in the header or the body.
    Text(usize),
    And(Vec<Test>),
    Or(Box<[Test; 2]>),
    Not(Box<Test>),
}

/// Ascending, without overlaps.
type Ranges = SmallVec<[RangeInclusive<u32>; 4]>;

/// A prepared program.
#[derive(Debug)]
pub(crate) struct Program {
    test: Test,
    needles: Vec<Needle>,
}

/// A message and as much of it as has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'c> {
    pub(crate) seq: u32,
    pub(crate) row: &'c MessageRow<'c>,
    pub(crate) recent: &'c RecentUids,
    pub(crate) header: Option<&'c [u8]>,
    pub(crate) found: Option<&'c Found>,
}

impl Program {
    /// A set that names a sequence number without a message is BAD.
    pub(crate) fn new(key: &SearchKey, selected: &Selected) -> Outcome<Self> {
        let mut needles = Vec::new();
        let test = prepare(key, selected, &mut needles)?;
        Ok(Self { test, needles })
    }

    /// What to look for in bodies.
    pub(crate) fn needles(&self) -> &[Needle] {
        &self.needles
    }

    /// Whether the message passes; none when more of it must be read.
    pub(crate) fn holds(&self, candidate: &Candidate<'_>) -> Option<bool> {
        self.test.holds(candidate, &self.needles)
    }
}

fn prepare(key: &SearchKey, selected: &Selected, needles: &mut Vec<Needle>) -> Outcome<Test> {
    let mut number = |text: &str| {
        needles.push(Needle::new(text));
        needles.len() - 1
    };
    Ok(match key {
        SearchKey::All => Test::All,
        SearchKey::Has(flag) => has(flag),
        SearchKey::Sequence(set) => Test::Sequence(sequence(set, selected)?),
        SearchKey::Uid(set) => Test::Uid(set.ranges(selected.uids.last_uid().unwrap_or(0))),
        SearchKey::Internal(test, date) => Test::Internal(*test, *date),
        SearchKey::Sent(test, date) => Test::Sent(*test, *date),
        SearchKey::Larger(octets) => Test::Larger(*octets),
        SearchKey::Smaller(octets) => Test::Smaller(*octets),
        SearchKey::From(text) => header("From", text),
        SearchKey::To(text) => header("To", text),
        SearchKey::Cc(text) => header("Cc", text),
        SearchKey::Bcc(text) => header("Bcc", text),
        SearchKey::Subject(text) => header("Subject", text),
        SearchKey::Header { name, value } => header(name, value),
        SearchKey::Body(text) => Test::Body(number(text)),
        SearchKey::Text(text) => Test::Text(number(text)),
        SearchKey::And(keys) => {
            Test::And(keys.iter().map(|key| prepare(key, selected, needles)).collect::<Outcome<_>>()?)
        }
        SearchKey::Or(one, other) => {
            Test::Or(Box::new([prepare(one, selected, needles)?, prepare(other, selected, needles)?]))
        }
        SearchKey::Not(key) => Test::Not(Box::new(prepare(key, selected, needles)?)),
    })
}

fn has(flag: &Flag) -> Test {
    match SystemFlag::parse(flag.as_str()) {
        Some(system) => Test::System(system),
        None if *flag == Flag::Recent => Test::Recent,
        None => Test::Keyword(flag.as_str().to_owned()),
    }
}

fn header(name: &str, value: &str) -> Test {
    Test::Header(name.to_owned(), Box::new(Needle::new(value)))
}

fn sequence(set: &SequenceSet, selected: &Selected) -> Outcome<Ranges> {
    match selected.uids.by_sequence(set) {
        Ok(_) => Ok(set.ranges(selected.uids.len())),
        Err(_) => Err(Refusal::bad("No message has that sequence number").into()),
    }
}

fn is_in(ranges: &Ranges, number: u32) -> bool {
    let at = ranges.partition_point(|range| *range.end() < number);
    ranges.get(at).is_some_and(|range| range.contains(&number))
}

impl Test {
    fn holds(&self, candidate: &Candidate<'_>, needles: &[Needle]) -> Option<bool> {
        let row = candidate.row;
        Some(match self {
            Self::All => true,
            Self::System(flag) => row.flags.has(*flag),
            Self::Recent => candidate.recent.contains(row.uid.number()),
            Self::Keyword(keyword) => row.flags.has_keyword(keyword),
            Self::Sequence(ranges) => is_in(ranges, candidate.seq),
            Self::Uid(ranges) => is_in(ranges, row.uid.number()),
            Self::Internal(test, day) => test.holds(internal_date(row).date(), *day),
            Self::Larger(octets) => row.size > *octets,
            Self::Smaller(octets) => row.size < *octets,
            Self::Sent(test, day) => sent_date(candidate.header?).is_some_and(|sent| test.holds(sent, *day)),
            Self::Header(name, needle) => field_contains(candidate.header?, name, needle),
            Self::Body(needle) => candidate.found?.has(*needle),
            Self::Text(needle) => {
                needles[*needle].is_in(&header_text(candidate.header?)) || candidate.found?.has(*needle)
            }
            Self::And(tests) => return all(tests, candidate, needles),
            Self::Or(tests) => return any(&**tests, candidate, needles),
            Self::Not(test) => !test.holds(candidate, needles)?,
        })
    }
}

/// One false makes it false, whatever is not known yet.
fn all(tests: &[Test], candidate: &Candidate<'_>, needles: &[Needle]) -> Option<bool> {
    let mut known = Some(true);
    for test in tests {
        match test.holds(candidate, needles) {
            Some(false) => return Some(false),
            None => known = None,
            Some(true) => {}
        }
    }
    known
}

/// One true makes it true, whatever is not known yet.
fn any(tests: &[Test], candidate: &Candidate<'_>, needles: &[Needle]) -> Option<bool> {
    let mut known = Some(false);
    for test in tests {
        match test.holds(candidate, needles) {
            Some(true) => return Some(true),
            None => known = None,
            Some(false) => {}
        }
    }
    known
}

/// RFC 3501 6.4.4, HEADER: the empty string is in every field, so it asks whether there is one.
fn field_contains(header: &[u8], name: &str, needle: &Needle) -> bool {
    HeaderIter::new(header)
        .filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
        .any(|field| needle.is_in(&decode_header(field.value)))
}
