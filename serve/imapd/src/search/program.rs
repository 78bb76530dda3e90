//! The program, prepared once and tried on each message.

use std::ops::RangeInclusive;

use imap::{DateTest, Flag, SearchKey};
use jiff::civil::Date;
use mailstore::{MessageRow, ModSeq, SystemFlag};
use smallvec::SmallVec;

use super::folded::Needle;
use super::header::{Header, HeaderNeeds};
use super::text::Found;
use crate::cmd::fetch::internal_date;
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
    ModSeq(ModSeq),
    /// Field number n contains needle number m.
    Header(usize, usize),
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
    needles: Needles,
    header: HeaderNeeds,
    by_words: bool,
}

/// The strings of a program, each once.
#[derive(Debug, Default)]
struct Needles(Vec<Needle>);

impl Needles {
    fn number(&mut self, text: &str) -> usize {
        let needle = Needle::new(text);
        self.0.iter().position(|known| known.bytes() == needle.bytes()).unwrap_or_else(|| {
            self.0.push(needle);
            self.0.len() - 1
        })
    }
}

/// A message and as much of it as has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'c> {
    pub(crate) seq: u32,
    pub(crate) row: &'c MessageRow<'c>,
    pub(crate) recent: &'c RecentUids,
    pub(crate) header: Option<&'c Header>,
    pub(crate) found: Option<&'c Found>,
}

impl Program {
    /// `by_words`: the words of a text may be apart ([`imap::Quirk::SearchWords`]).
    pub(crate) fn new(key: &SearchKey, selected: &Selected, by_words: bool) -> Self {
        let (needles, header) = (Needles::default(), HeaderNeeds::default());
        let mut program = Self { test: Test::All, needles, header, by_words };
        program.test = program.prepare(key, selected);
        program
    }

    /// What to look for in bodies.
    pub(crate) fn needles(&self) -> &[Needle] {
        &self.needles.0
    }

    /// What it asks of headers.
    pub(crate) fn header(&self) -> &HeaderNeeds {
        &self.header
    }

    /// Whether the message passes; none when more of it must be read.
    pub(crate) fn holds(&self, candidate: &Candidate<'_>) -> Option<bool> {
        self.test.holds(candidate, self.needles())
    }

    fn prepare(&mut self, key: &SearchKey, selected: &Selected) -> Test {
        match key {
            SearchKey::All => Test::All,
            SearchKey::Has(flag) => has(flag),
            SearchKey::Sequence(set) => Test::Sequence(set.ranges(selected.uids.len())),
            SearchKey::Uid(set) => Test::Uid(set.ranges(selected.uids.last_uid().unwrap_or(0))),
            SearchKey::Internal(test, date) => Test::Internal(*test, *date),
            SearchKey::Sent(test, date) => {
                self.header.sent = true;
                Test::Sent(*test, *date)
            }
            SearchKey::Larger(octets) => Test::Larger(*octets),
            SearchKey::Smaller(octets) => Test::Smaller(*octets),
            SearchKey::ModSeq(modseq) => Test::ModSeq(ModSeq::new(*modseq)),
            SearchKey::From(text) => self.field("From", text),
            SearchKey::To(text) => self.field("To", text),
            SearchKey::Cc(text) => self.field("Cc", text),
            SearchKey::Bcc(text) => self.field("Bcc", text),
            SearchKey::Subject(text) => self.field("Subject", text),
            SearchKey::Header { name, value } => self.field(name, value),
            SearchKey::Body(text) => self.text(text, Test::Body),
            SearchKey::Text(text) => {
                self.header.text = true;
                self.text(text, Test::Text)
            }
            SearchKey::And(keys) => Test::And(keys.iter().map(|key| self.prepare(key, selected)).collect()),
            SearchKey::Or(one, other) => {
                Test::Or(Box::new([self.prepare(one, selected), self.prepare(other, selected)]))
            }
            SearchKey::Not(key) => Test::Not(Box::new(self.prepare(key, selected))),
        }
    }

    fn field(&mut self, name: &str, value: &str) -> Test {
        let field = self.header.field(name);
        self.text(value, |needle| Test::Header(field, needle))
    }

    /// The text as a whole, or each of its words, as long as the program has no more strings than it may have keys.
    fn text(&mut self, text: &str, test: impl Fn(usize) -> Test) -> Test {
        let room = limits::IMAP_SEARCH_KEYS_MAX.saturating_sub(self.needles.0.len());
        let words: Vec<&str> = text.split_whitespace().take(room + 1).collect();
        match self.by_words && (2..=room).contains(&words.len()) {
            true => Test::And(words.iter().map(|word| test(self.needles.number(word))).collect()),
            false => test(self.needles.number(text)),
        }
    }
}

fn has(flag: &Flag) -> Test {
    match SystemFlag::parse(flag.as_str()) {
        Some(system) => Test::System(system),
        None if *flag == Flag::Recent => Test::Recent,
        None => Test::Keyword(flag.as_str().to_owned()),
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
            Self::ModSeq(modseq) => row.modseq >= *modseq,
            Self::Sent(test, day) => candidate.header?.sent().is_some_and(|sent| test.holds(sent, *day)),
            Self::Header(field, needle) => candidate.header?.field_contains(*field, &needles[*needle]),
            Self::Body(needle) => candidate.found?.has(*needle),
            Self::Text(needle) => {
                candidate.header?.contains(&needles[*needle]) || candidate.found?.has(*needle)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How many strings are looked for on behalf of these texts.
    fn needles(texts: &[&str]) -> usize {
        let (needles, header) = (Needles::default(), HeaderNeeds::default());
        let mut program = Program { test: Test::All, needles, header, by_words: true };
        texts.iter().for_each(|text| drop(program.text(text, Test::Text)));
        program.needles.0.len()
    }

    #[test]
    fn words_are_looked_for_apart_while_they_are_not_too_many() {
        let words = |count: usize| (0..count).map(|n| format!("w{n} ")).collect::<String>();
        assert_eq!(needles(&["invoice of march", "march"]), 3);
        assert_eq!(needles(&[&words(limits::IMAP_SEARCH_KEYS_MAX)]), limits::IMAP_SEARCH_KEYS_MAX);
        assert_eq!(needles(&[&words(limits::IMAP_SEARCH_KEYS_MAX + 1)]), 1);
        assert_eq!(
            needles(&[&words(limits::IMAP_SEARCH_KEYS_MAX), "one more"]),
            limits::IMAP_SEARCH_KEYS_MAX + 1
        );
    }
}
