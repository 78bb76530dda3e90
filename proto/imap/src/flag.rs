//! Flags and keywords (RFC 3501 2.3.2).

use std::fmt;
use std::hash::{Hash, Hasher};

use compact_str::CompactString;

/// A system flag or a keyword.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
    /// `\Recent`: only ever said by the server, and searched for.
    Recent,
    /// Anything else, without a backslash.
    Keyword(Keyword),
}

impl Flag {
    /// Reads a flag that a client may set: no `\Recent`, no unknown system flag.
    pub fn parse(text: &[u8]) -> Option<Flag> {
        if !text.starts_with(b"\\") {
            return Keyword::new(text).map(Flag::Keyword);
        }
        let mut system = Flag::SYSTEM.into_iter();
        system.find(|flag| flag.as_str().as_bytes().eq_ignore_ascii_case(text))
    }

    /// The system flags that clients may set (RFC 3501 2.3.2).
    pub const SYSTEM: [Flag; 5] = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft];

    /// The flag as on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Flag::Answered => "\\Answered",
            Flag::Flagged => "\\Flagged",
            Flag::Deleted => "\\Deleted",
            Flag::Seen => "\\Seen",
            Flag::Draft => "\\Draft",
            Flag::Recent => "\\Recent",
            Flag::Keyword(keyword) => keyword.as_str(),
        }
    }
}

/// A keyword: an atom of at most [`limits::KEYWORD_BYTES_MAX`] bytes. Its case is kept but does not count.
#[derive(Debug, Clone)]
pub struct Keyword(CompactString);

impl Keyword {
    /// A keyword, if `text` can be one.
    pub fn new(text: &[u8]) -> Option<Keyword> {
        let atom = !text.is_empty() && text.iter().all(|&b| crate::cursor::is_atom_char(b));
        let short = text.len() <= limits::KEYWORD_BYTES_MAX;
        let text = std::str::from_utf8(text).ok()?;
        (atom && short).then(|| Keyword(text.into()))
    }

    /// As it was first given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Keyword) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|b| state.write_u8(b.to_ascii_lowercase()));
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
