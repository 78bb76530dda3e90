//! LIST and LSUB: patterns, and the options of RFC 5258 and RFC 6154.

use smallvec::SmallVec;

use crate::{MailboxName, StatusItem};

/// LIST or LSUB.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Which mailboxes, before patterns are looked at; empty for all.
    pub selection: SmallVec<[ListSelection; 2]>,
    /// The reference name; may be empty.
    pub reference: String,
    /// The patterns as given; one, unless RFC 5258's form is used. Join each to the reference by
    /// [`ListPattern::new`]. A single empty pattern asks for the separator and the root (RFC 3501 6.3.8).
    pub patterns: SmallVec<[String; 1]>,
    /// What to say of each besides its name.
    pub returns: SmallVec<[ListReturn; 2]>,
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
    /// What is compared, wildcards included.
    #[expect(dead_code)]
    pattern: String,
    #[expect(dead_code)]
    separator: char,
}

impl ListPattern {
    /// Joins as Cyrus and Dovecot do: the reference, then the pattern, one separator between them where
    /// both have one; a leading INBOX of any case becomes upper case.
    pub fn new(_reference: &str, _pattern: &str, _separator: char) -> ListPattern {
        unimplemented!("ListPattern::new")
    }

    /// Whether a mailbox name (UTF-8, its INBOX in upper case) matches.
    pub fn matches(&self, _name: &str) -> bool {
        unimplemented!("ListPattern::matches")
    }

    /// The longest ancestor of `name` that matches: what LIST shows as `\Noselect` and LSUB as a parent when
    /// `%` stops above `name`.
    pub fn matched_ancestor<'n>(&self, _name: &'n str) -> Option<&'n str> {
        unimplemented!("ListPattern::matched_ancestor")
    }
}

impl List {
    /// The patterns joined to the reference.
    pub fn joined(&self, separator: char) -> SmallVec<[ListPattern; 1]> {
        self.patterns.iter().map(|p| ListPattern::new(&self.reference, p, separator)).collect()
    }

    /// `LIST "" ""`: only the separator is asked for (RFC 3501 6.3.8).
    pub fn asks_for_separator(&self) -> bool {
        self.patterns.len() == 1 && self.patterns[0].is_empty()
    }

    /// A plain LIST of one pattern.
    pub fn plain(reference: &MailboxName, pattern: &str) -> List {
        List {
            selection: SmallVec::new(),
            reference: reference.as_str().to_owned(),
            patterns: SmallVec::from_iter([pattern.to_owned()]),
            returns: SmallVec::new(),
        }
    }
}
