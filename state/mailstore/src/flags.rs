//! The flags of a message: five of the system's and any number of keywords.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;

use crate::MailstoreError;

/// A system flag that is stored (RFC 3501 2.3.2). `\Recent` is not: see `Mailstore::recent_claim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SystemFlag {
    /// `\Seen`
    Seen = 1,
    /// `\Answered`
    Answered = 2,
    /// `\Flagged`
    Flagged = 4,
    /// `\Deleted`
    Deleted = 8,
    /// `\Draft`
    Draft = 16,
}

impl SystemFlag {
    /// All of them, in the order in which they are shown.
    pub const ALL: [SystemFlag; 5] = [Self::Answered, Self::Flagged, Self::Deleted, Self::Seen, Self::Draft];

    /// The flag as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
        }
    }

    /// The flag with this name, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.as_str().eq_ignore_ascii_case(text))
    }
}

/// A keyword: an atom of RFC 3501 9 that does not begin with a backslash, kept as it was first written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keyword(CompactString);

impl Keyword {
    /// Checks the characters and the length.
    pub fn parse(text: &str) -> Result<Self, MailstoreError> {
        let fits = (1..=limits::KEYWORD_BYTES_MAX).contains(&text.len());
        if fits && text.bytes().all(is_keyword_byte) {
            return Ok(Self(text.into()));
        }
        Err(MailstoreError::KeywordInvalid)
    }

    /// The keyword as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A keyword that was accepted once, whatever the limits are now.
    pub(crate) fn stored(text: CompactString) -> Self {
        Self(text)
    }

    /// The same for all ways to write the keyword.
    pub(crate) fn folded(&self) -> CompactString {
        let mut folded = self.0.clone();
        folded.make_ascii_lowercase();
        folded
    }

    fn same(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// RFC 3501 9: `ATOM-CHAR`.
fn is_keyword_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte)
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The flags of one message. Cheap to clone: the keywords are shared.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Flags {
    system: u8,
    /// Sorted; none when empty.
    keywords: Option<Arc<Box<[Keyword]>>>,
}

impl Flags {
    /// No flags.
    pub const EMPTY: Flags = Flags { system: 0, keywords: None };

    /// These system flags and keywords; fails over `limits::KEYWORDS_PER_MESSAGE_MAX` and
    /// `limits::KEYWORDS_PER_MESSAGE_BYTES_MAX`.
    pub fn new(
        system: impl IntoIterator<Item = SystemFlag>,
        keywords: impl IntoIterator<Item = Keyword>,
    ) -> Result<Self, MailstoreError> {
        let bits = system.into_iter().fold(0, |bits, flag| bits | flag as u8);
        Self::from_parts(bits, keywords.into_iter().collect())
    }

    fn from_parts(system: u8, keywords: Vec<Keyword>) -> Result<Self, MailstoreError> {
        let flags = Self::stored(system, keywords);
        let bytes: usize = flags.keywords().iter().map(|keyword| keyword.0.len()).sum();
        if flags.keywords().len() > limits::KEYWORDS_PER_MESSAGE_MAX
            || bytes > limits::KEYWORDS_PER_MESSAGE_BYTES_MAX
        {
            return Err(MailstoreError::KeywordsTooMany);
        }
        Ok(flags)
    }

    /// Flags that were accepted once, whatever the limits are now.
    pub(crate) fn stored(system: u8, mut keywords: Vec<Keyword>) -> Self {
        keywords.sort_by_key(|keyword| keyword.0.to_ascii_lowercase());
        keywords.dedup_by(|later, first| later.same(first));
        let shared = (!keywords.is_empty()).then(|| Arc::new(keywords.into_boxed_slice()));
        Self { system: system & 31, keywords: shared }
    }

    /// True when the system flag is set.
    pub fn has(&self, flag: SystemFlag) -> bool {
        self.system & flag as u8 != 0
    }

    /// True when the keyword is set, in any case.
    pub fn has_keyword(&self, keyword: &str) -> bool {
        self.keywords().iter().any(|own| own.0.eq_ignore_ascii_case(keyword))
    }

    /// The system flags that are set.
    pub fn system(&self) -> impl Iterator<Item = SystemFlag> + '_ {
        SystemFlag::ALL.into_iter().filter(|flag| self.has(*flag))
    }

    /// The keywords, sorted.
    pub fn keywords(&self) -> &[Keyword] {
        self.keywords.as_deref().map_or(&[], |keywords| keywords)
    }

    /// True when nothing is set.
    pub fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_none()
    }

    /// Where the keywords are; the same for flags that share them.
    pub(crate) fn keywords_at(&self) -> Option<*const Box<[Keyword]>> {
        self.keywords.as_ref().map(Arc::as_ptr)
    }

    /// Bytes of memory that the keywords take, about.
    pub(crate) fn keyword_bytes(&self) -> usize {
        let keyword = |keyword: &Keyword| {
            let spilled = if keyword.0.is_heap_allocated() { keyword.0.len() } else { 0 };
            size_of::<Keyword>() + spilled
        };
        self.keywords().iter().map(keyword).sum::<usize>() + usize::from(self.keywords.is_some()) * 32
    }

    pub(crate) fn bits(&self) -> u8 {
        self.system
    }

    /// These flags after `change`.
    pub fn changed(&self, change: &FlagChange) -> Result<Flags, MailstoreError> {
        match change {
            FlagChange::Replace(flags) => Ok(flags.clone()),
            FlagChange::Add(flags) => self.with(flags),
            FlagChange::Remove(flags) => Ok(self.without(flags)),
        }
    }

    fn with(&self, added: &Flags) -> Result<Flags, MailstoreError> {
        if added.keywords().iter().all(|keyword| self.has_keyword(keyword.as_str())) {
            return Ok(Flags { system: self.system | added.system, keywords: self.keywords.clone() });
        }
        let keywords = self.keywords().iter().chain(added.keywords()).cloned().collect();
        Self::from_parts(self.system | added.system, keywords)
    }

    fn without(&self, removed: &Flags) -> Flags {
        let system = self.system & !removed.system;
        if !self.keywords().iter().any(|keyword| removed.has_keyword(keyword.as_str())) {
            return Flags { system, keywords: self.keywords.clone() };
        }
        let rest: Vec<_> = self
            .keywords()
            .iter()
            .filter(|keyword| !removed.has_keyword(keyword.as_str()))
            .cloned()
            .collect();
        Flags { system, keywords: (!rest.is_empty()).then(|| Arc::new(rest.into_boxed_slice())) }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.system().map(|flag| flag.as_str()).chain(self.keywords().iter().map(|k| k.as_str()));
        names.fold(&mut f.debug_list(), |list, name| list.entry(&name)).finish()
    }
}

impl FromIterator<SystemFlag> for Flags {
    fn from_iter<I: IntoIterator<Item = SystemFlag>>(flags: I) -> Self {
        Flags { system: flags.into_iter().fold(0, |bits, flag| bits | flag as u8), keywords: None }
    }
}

/// What STORE does to the flags of a message (RFC 3501 6.4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagChange {
    /// `FLAGS`
    Replace(Flags),
    /// `+FLAGS`
    Add(Flags),
    /// `-FLAGS`
    Remove(Flags),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyword(text: &str) -> Keyword {
        Keyword::parse(text).unwrap()
    }

    fn flags(system: &[SystemFlag], keywords: &[&str]) -> Flags {
        Flags::new(system.iter().copied(), keywords.iter().map(|text| keyword(text))).unwrap()
    }

    #[test]
    fn a_keyword_is_an_atom() {
        assert!(Keyword::parse("$Forwarded").is_ok());
        for wrong in ["", "\\Seen", "a b", "a(", "ü", "a]"] {
            assert!(Keyword::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Keyword::parse(&"k".repeat(limits::KEYWORD_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn keywords_are_one_whatever_their_case() {
        let once = flags(&[], &["Junk", "junk", "Work"]);
        assert_eq!(once.keywords().len(), 2);
        assert!(once.has_keyword("JUNK"));
        let same = once.changed(&FlagChange::Add(flags(&[], &["WORK"]))).unwrap();
        assert_eq!(same, once);
    }

    #[test]
    fn add_remove_and_replace_do_what_store_says() {
        let start = flags(&[SystemFlag::Seen], &["a", "b"]);
        let added = start.changed(&FlagChange::Add(flags(&[SystemFlag::Draft], &["c"]))).unwrap();
        assert_eq!(added, flags(&[SystemFlag::Seen, SystemFlag::Draft], &["a", "b", "c"]));
        let removed =
            added.changed(&FlagChange::Remove(flags(&[SystemFlag::Seen], &["A", "b", "c"]))).unwrap();
        assert_eq!(removed, flags(&[SystemFlag::Draft], &[]));
        let replaced = removed.changed(&FlagChange::Replace(Flags::EMPTY)).unwrap();
        assert!(replaced.is_empty());
    }

    #[test]
    fn keywords_of_one_message_are_limited() {
        let many: Vec<_> =
            (0..=limits::KEYWORDS_PER_MESSAGE_MAX).map(|n| keyword(&format!("k{n}"))).collect();
        assert!(matches!(Flags::new([], many), Err(MailstoreError::KeywordsTooMany)));
        let long = (0..=limits::KEYWORDS_PER_MESSAGE_BYTES_MAX / 250).map(|n| keyword(&format!("{n:0250}")));
        assert!(matches!(Flags::new([], long), Err(MailstoreError::KeywordsTooMany)));
    }
}
