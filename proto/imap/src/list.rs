//! LIST and LSUB: patterns, and the options of RFC 5258 and RFC 6154.

use crate::{MailboxName, StatusItem};

/// LIST or LSUB.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Which mailboxes, before patterns are looked at; empty for all.
    pub selection: Vec<ListSelection>,
    /// The reference name; may be empty.
    pub reference: String,
    /// The patterns as given; one, unless RFC 5258's form is used. Join each to the reference by
    /// [`ListPattern::new`]. A single empty pattern asks for the separator and the root (RFC 3501 6.3.8).
    pub patterns: Vec<String>,
    /// What to say of each besides its name.
    pub returns: Vec<ListReturn>,
}

/// A selection option of LIST (RFC 5258 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSelection {
    /// Subscribed names, whether they exist or not.
    Subscribed,
    /// Remote mailboxes too.
    Remote,
    /// Parents of what matches too.
    RecursiveMatch,
    /// Only mailboxes with a special use (RFC 6154 2).
    SpecialUse,
}

/// A return option of LIST (RFC 5258 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListReturn {
    /// `\Subscribed`.
    Subscribed,
    /// `\HasChildren`, `\HasNoChildren`.
    Children,
    /// Special uses (RFC 6154 2).
    SpecialUse,
    /// A STATUS response for each (RFC 5819 2).
    Status(Vec<StatusItem>),
}

/// What a mailbox is for (RFC 6154 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    /// `\All`
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`
    Flagged,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// Every use, with its attribute.
    pub const ALL: [(SpecialUse, &str); 7] = [
        (SpecialUse::All, "\\All"),
        (SpecialUse::Archive, "\\Archive"),
        (SpecialUse::Drafts, "\\Drafts"),
        (SpecialUse::Flagged, "\\Flagged"),
        (SpecialUse::Junk, "\\Junk"),
        (SpecialUse::Sent, "\\Sent"),
        (SpecialUse::Trash, "\\Trash"),
    ];

    /// The use with this attribute, whatever its case.
    pub fn parse(attribute: &str) -> Option<SpecialUse> {
        let mut all = SpecialUse::ALL.iter();
        all.find(|(_, name)| name.eq_ignore_ascii_case(attribute)).map(|(special_use, _)| *special_use)
    }

    /// The attribute on the wire.
    pub fn attribute(self) -> &'static str {
        SpecialUse::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, name)| name)
    }
}

/// A reference and a pattern joined, ready to match (RFC 3501 6.3.8): `*` stands for anything, `%` for
/// anything without the separator.
#[derive(Debug, Clone)]
pub struct ListPattern {
    tokens: Vec<Token>,
    separator: char,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `%`
    Level,
    /// `*`
    Any,
}

impl ListPattern {
    /// Joins as Cyrus and Dovecot do: the reference, then the pattern, one separator between them where
    /// both have one.
    pub fn new(reference: &str, pattern: &str, separator: char) -> ListPattern {
        let doubled = reference.ends_with(separator) && pattern.starts_with(separator);
        let reference =
            if doubled { &reference[..reference.len() - separator.len_utf8()] } else { reference };
        let literal = reference.chars().map(Token::Char);
        let mut tokens: Vec<Token> = literal.collect();
        for token in pattern.chars().map(Token::of) {
            push_token(&mut tokens, token);
        }
        ListPattern { tokens, separator }
    }

    /// Whether a mailbox name (UTF-8) matches. A first level INBOX matches whatever its case.
    pub fn matches(&self, name: &str) -> bool {
        if self.tokens == [Token::Any] {
            return true;
        }
        let inbox_chars = if is_in_inbox(name, self.separator) { INBOX.len() } else { 0 };
        let mut states = vec![false; self.tokens.len() + 1];
        states[0] = true;
        self.skip_wildcards(&mut states);
        for (index, next) in name.chars().enumerate() {
            self.step(&mut states, next, index < inbox_chars);
            if !states.contains(&true) {
                return false;
            }
        }
        states[self.tokens.len()]
    }

    /// Steps that [`ListPattern::matches`] takes at most for a name of so many bytes.
    pub fn steps(&self, name_bytes: usize) -> usize {
        self.tokens.len() * name_bytes
    }

    /// One character further: `states[n]` says that the name so far matches the first `n` tokens.
    fn step(&self, states: &mut [bool], next: char, any_case: bool) {
        for at in (0..states.len()).rev() {
            let taken = at > 0 && states[at - 1] && self.takes(at - 1, next, any_case);
            states[at] = taken || states[at] && self.holds(at, next);
        }
        self.skip_wildcards(states);
    }

    /// Whether the token is this very character.
    fn takes(&self, at: usize, next: char, any_case: bool) -> bool {
        match self.tokens[at] {
            Token::Char(wanted) if any_case => wanted.eq_ignore_ascii_case(&next),
            token => token == Token::Char(next),
        }
    }

    /// Whether a state survives a character by the wildcard it stands at.
    fn holds(&self, at: usize, next: char) -> bool {
        match self.tokens.get(at) {
            Some(Token::Any) => true,
            Some(Token::Level) => next != self.separator,
            _ => false,
        }
    }

    /// A wildcard also stands for nothing.
    fn skip_wildcards(&self, states: &mut [bool]) {
        for (at, token) in self.tokens.iter().enumerate() {
            states[at + 1] |= states[at] && !matches!(token, Token::Char(_));
        }
    }

    /// The longest ancestor of `name` that matches: what LIST shows as `\Noselect` and LSUB as a parent when
    /// `%` stops above `name`.
    pub fn matched_ancestor<'n>(&self, name: &'n str) -> Option<&'n str> {
        let ends = name.rmatch_indices(self.separator).map(|(at, _)| &name[..at]);
        ends.filter(|ancestor| !ancestor.is_empty()).find(|ancestor| self.matches(ancestor))
    }
}

impl Token {
    fn of(character: char) -> Token {
        match character {
            '%' => Token::Level,
            '*' => Token::Any,
            _ => Token::Char(character),
        }
    }
}

/// Wildcards side by side are one, the wider of them.
fn push_token(tokens: &mut Vec<Token>, token: Token) {
    match (tokens.last_mut(), token) {
        (Some(Token::Any), Token::Any | Token::Level) | (Some(Token::Level), Token::Level) => {}
        (Some(last @ Token::Level), Token::Any) => *last = Token::Any,
        _ => tokens.push(token),
    }
}

const INBOX: &str = "INBOX";

fn is_in_inbox(name: &str, separator: char) -> bool {
    let first = name.split(separator).next().unwrap_or_default();
    first.eq_ignore_ascii_case(INBOX)
}

impl List {
    /// Whether it asks for the highest modseq of mailboxes (RFC 5819 2).
    pub(crate) fn asks_modseq(&self) -> bool {
        self.returns.iter().any(|wanted| match wanted {
            ListReturn::Status(items) => items.contains(&StatusItem::HighestModSeq),
            _ => false,
        })
    }

    /// The patterns joined to the reference.
    pub fn joined(&self, separator: char) -> Vec<ListPattern> {
        self.patterns.iter().map(|p| ListPattern::new(&self.reference, p, separator)).collect()
    }

    /// `LIST "" ""`: only the separator is asked for (RFC 3501 6.3.8).
    pub fn asks_for_separator(&self) -> bool {
        self.patterns.len() == 1 && self.patterns[0].is_empty()
    }

    /// A plain LIST of one pattern.
    pub fn plain(reference: &MailboxName, pattern: &str) -> List {
        List {
            selection: Vec::new(),
            reference: reference.as_str().to_owned(),
            patterns: vec![pattern.to_owned()],
            returns: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = ListPattern::new("", pattern, '/');
        matching.iter().for_each(|name| assert!(pattern.matches(name), "{name}"));
        others.iter().for_each(|name| assert!(!pattern.matches(name), "{name}"));
    }

    #[test]
    fn percent_stops_at_the_separator_and_star_does_not() {
        check("%", &["a", "INBOX"], &["a/b", "a/b/c"]);
        check("*", &["a", "a/b", ""], &[]);
        check("a/%", &["a/", "a/b"], &["a", "a/b/c", "b/a"]);
        check("a*", &["a", "ab", "a/b"], &["b", "ba"]);
        check("a%c/d", &["ac/d", "abc/d", "abcc/d"], &["a/c/d", "abc/e"]);
        check("*%b", &["b", "a/b", "a/cb"], &["a/bc"]);
        check("%/%", &["a/b", "/"], &["a", "a/b/c"]);
        check("*/c*e", &["a/b/cde", "x/ce"], &["ce", "a/c"]);
    }

    #[test]
    fn only_the_first_level_inbox_has_no_case() {
        check("inbox", &["INBOX"], &["INBOX/a"]);
        check("iNb%", &["INBOX"], &["INBOXES"]);
        check("inbox/A", &["INBOX/A"], &["INBOX/a", "a/INBOX"]);
    }

    #[test]
    fn reference_and_pattern_share_one_separator_and_wildcards_count_in_the_pattern_alone() {
        assert!(ListPattern::new("a/", "/b", '/').matches("a/b"));
        assert!(ListPattern::new("a/", "%", '/').matches("a/b"));
        assert!(ListPattern::new("a", "b", '/').matches("ab"));
        assert!(!ListPattern::new("%", "b", '/').matches("ab"));
    }

    #[test]
    fn the_longest_matching_ancestor_is_found() {
        let pattern = ListPattern::new("", "%", '.');
        assert_eq!(pattern.matched_ancestor("a.b.c"), Some("a"));
        assert_eq!(ListPattern::new("", "*.b", '.').matched_ancestor("a.b.c"), Some("a.b"));
        assert_eq!(pattern.matched_ancestor("a"), None);
    }

    #[test]
    fn many_wildcards_take_linear_time() {
        let pattern = ListPattern::new("", &"%a*".repeat(200), '/');
        assert!(!pattern.matches(&"ab".repeat(300)[..199]));
    }
}
