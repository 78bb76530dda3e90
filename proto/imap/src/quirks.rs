//! Bugs and habits of clients that a server can give way to: one list, each with the clients it is for and why.
//!
//! A quirk is for one session. It is chosen by what the client says of itself (RFC 2971 3.3), or by the administrator
//! for clients that say nothing. What every client may do costs nothing to allow and is no quirk: blanks before the end
//! of a line, a bare LF at it, `ID ()`, `1:*` in an empty mailbox.

/// What a server does otherwise for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Quirk {
    /// New messages and expunges are told in answer to NOOP, CHECK, EXPUNGE, MOVE and IDLE only.
    DelayNewMail,
    /// One separator at the end of a mailbox name is passed over.
    ExtraSeparator,
    /// LSUB says `\Noselect` of names that cannot be selected.
    LsubNoselect,
    /// LSUB tells special uses (RFC 6154 2).
    LsubSpecialUse,
    /// The words of a text in SEARCH may be apart from each other.
    SearchWords,
}

/// What is said of a quirk: `word` is its name for administrators.
struct Described {
    quirk: Quirk,
    word: &'static str,
    clients: &'static str,
    why: &'static str,
    /// Whoever says one of these of itself gets it.
    for_whom: &'static [Says],
}

/// A field of ID and how its value begins, in any case.
struct Says {
    field: &'static str,
    value: &'static str,
    /// Only versions before this one.
    before: Option<(u32, u32)>,
}

const fn says(field: &'static str, value: &'static str) -> Says {
    Says { field, value, before: None }
}

/// The list. Where another server has the same, its name for it stands in `why`.
const LIST: [Described; 5] = [
    Described {
        quirk: Quirk::DelayNewMail,
        word: "delay-new-mail",
        clients: "Outlook Express (which sends no ID), Mac OS X Mail before 2.1",
        why: "They miss, or take for an error, what comes with another answer (Dovecot: delay-newmail)",
        for_whom: &[Says { field: "name", value: "Mac OS X Mail", before: Some((2, 1)) }],
    },
    Described {
        quirk: Quirk::ExtraSeparator,
        word: "extra-separator",
        clients: "Thunderbird",
        why: "It adds the separator to names of mailboxes that have others below (Dovecot: tb-extra-mailbox-sep)",
        for_whom: &[says("name", "Thunderbird")],
    },
    Described {
        quirk: Quirk::LsubNoselect,
        word: "lsub-noselect",
        clients: "Thunderbird",
        why: "It lists by LSUB and finds out by an error that a name cannot be selected (Dovecot: tb-lsub-flags)",
        for_whom: &[says("name", "Thunderbird")],
    },
    Described {
        quirk: Quirk::LsubSpecialUse,
        word: "lsub-special-use",
        clients: "Outlook 2013 and later",
        why: "It lists by LSUB and looks there for the mailboxes of sent and deleted mail (Dovecot does it for all)",
        for_whom: &[says("name", "Microsoft Outlook"), says("name", "Microsoft.Outlook")],
    },
    Described {
        quirk: Quirk::SearchWords,
        word: "search-words",
        clients: "Mail of iOS",
        why: "What its user types into the search field comes as one string (Cyrus: a fuzzy search for os iOS)",
        for_whom: &[says("os", "iOS")],
    },
];

impl Quirk {
    /// All of them, in the order of the list.
    pub const ALL: [Quirk; LIST.len()] = {
        let mut all = [Quirk::DelayNewMail; LIST.len()];
        let mut at = 0;
        while at < LIST.len() {
            all[at] = LIST[at].quirk;
            at += 1;
        }
        all
    };

    fn described(self) -> &'static Described {
        &LIST[self as usize]
    }

    /// Its name for administrators.
    pub fn word(self) -> &'static str {
        self.described().word
    }

    /// The clients it is for.
    pub fn clients(self) -> &'static str {
        self.described().clients
    }

    /// What they do.
    pub fn why(self) -> &'static str {
        self.described().why
    }
}

/// The quirks of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks(u8);

impl Quirks {
    /// None at all.
    pub const NONE: Quirks = Quirks(0);

    /// Whether this one is on.
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & 1 << quirk as u8 != 0
    }

    /// These and those.
    pub fn and(self, more: Quirks) -> Quirks {
        Quirks(self.0 | more.0)
    }

    /// What a client needs that says this of itself by ID.
    pub fn of_client(fields: &[(String, Option<String>)]) -> Quirks {
        let value = |name: &str| {
            let field = fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
            field.and_then(|(_, value)| value.as_deref())
        };
        let applies = |says: &Says| {
            value(says.field).is_some_and(|said| begins(said, says.value))
                && says.before.is_none_or(|before| version(value("version")) < before)
        };
        let wanted = LIST.iter().filter(|described| described.for_whom.iter().any(applies));
        wanted.map(|described| described.quirk).collect()
    }

    /// Those that are on.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |quirk| self.has(*quirk))
    }
}

impl FromIterator<Quirk> for Quirks {
    fn from_iter<I: IntoIterator<Item = Quirk>>(quirks: I) -> Quirks {
        Quirks(quirks.into_iter().fold(0, |bits, quirk| bits | 1 << quirk as u8))
    }
}

fn begins(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// The first two numbers of a version; one that says nothing counts as the newest.
fn version(text: Option<&str>) -> (u32, u32) {
    let Some(text) = text else { return (u32::MAX, 0) };
    let mut numbers = text.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        (Some(Ok(major)), _) => (major, 0),
        _ => (u32::MAX, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&str, &str)]) -> Vec<&'static str> {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.to_string(), Some(value.to_string()))).collect();
        Quirks::of_client(&fields).iter().map(Quirk::word).collect()
    }

    #[test]
    fn each_quirk_is_found_at_its_place_in_the_list() {
        assert!(Quirk::ALL.iter().enumerate().all(|(at, quirk)| *quirk as usize == at));
        assert_eq!(Quirk::ALL.into_iter().collect::<Quirks>().iter().count(), Quirk::ALL.len());
        assert_eq!(Quirks::NONE.iter().count(), 0);
    }

    #[test]
    fn clients_are_known_by_what_they_say_of_themselves() {
        assert_eq!(
            of(&[("name", "Thunderbird"), ("version", "140.4.0")]),
            ["extra-separator", "lsub-noselect"]
        );
        assert_eq!(of(&[("NAME", "thunderbird")]), ["extra-separator", "lsub-noselect"]);
        assert_eq!(of(&[("name", "Microsoft Outlook 16.0")]), ["lsub-special-use"]);
        assert_eq!(of(&[("name", "com.apple.mobilemail"), ("os", "iOS")]), ["search-words"]);
        assert!(of(&[]).is_empty() && of(&[("name", "Mutt"), ("os", "Linux")]).is_empty());
        assert!(Quirks::of_client(&[("name".to_owned(), None)]).iter().next().is_none());
    }

    #[test]
    fn what_was_mended_in_a_client_is_no_quirk_of_its_later_versions() {
        let mail = |version| of(&[("name", "Mac OS X Mail"), ("version", version)]);
        assert_eq!(mail("2.0 (752)"), ["delay-new-mail"]);
        assert_eq!(mail("1"), ["delay-new-mail"]);
        assert!(mail("2.1").is_empty() && mail("16.0 (3696)").is_empty() && mail("x").is_empty());
        assert!(of(&[("name", "Mac OS X Mail")]).is_empty());
    }
}
