//! Where a mailbox stands in the namespace.

use std::fmt;

use address::{AccountName, Domain};
use compact_str::CompactString;

use crate::MailstoreError;
use crate::namespace::Below;

/// The name that each account's first mailbox has (RFC 3501 5.1).
const INBOX: &str = "INBOX";

/// Domain, owner, components: the name of a mailbox, whatever separator and prefix a client sees.
///
/// A mailbox of an account is `owner` and at least one component; the inbox is the component `INBOX`, in any case
/// when it stands first, and may have children. A shared mailbox has a domain and no owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxPath {
    domain: Domain,
    /// The name of the account within the domain.
    owner: Option<CompactString>,
    components: Vec<CompactString>,
}

impl MailboxPath {
    /// The inbox of an account.
    pub fn inbox(account: &AccountName) -> Self {
        Self {
            domain: account.domain().clone(),
            owner: Some(account.name().into()),
            components: vec![INBOX.into()],
        }
    }

    /// A mailbox of an account.
    pub fn personal<S: AsRef<str>>(account: &AccountName, components: &[S]) -> Result<Self, MailstoreError> {
        let mut components = checked(components)?;
        if components[0].eq_ignore_ascii_case(INBOX) {
            components[0] = INBOX.into();
        }
        Ok(Self { domain: account.domain().clone(), owner: Some(account.name().into()), components })
    }

    /// A mailbox that belongs to a domain.
    pub fn shared<S: AsRef<str>>(domain: Domain, components: &[S]) -> Result<Self, MailstoreError> {
        Ok(Self { domain, owner: None, components: checked(components)? })
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The name of the owning account within the domain.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// The components below the owner or the domain; at least one.
    pub fn components(&self) -> &[CompactString] {
        &self.components
    }

    /// True for an account's inbox.
    pub fn is_inbox(&self) -> bool {
        self.owner.is_some() && self.components.len() == 1 && self.components[0] == INBOX
    }

    /// True when `account` owns the mailbox.
    pub fn is_owned_by(&self, account: &AccountName) -> bool {
        self.domain == *account.domain() && self.owner() == Some(account.name())
    }

    /// True when `self` stands below `parent`.
    pub fn is_below(&self, parent: &MailboxPath) -> bool {
        self.domain == parent.domain
            && self.owner == parent.owner
            && self.components.len() > parent.components.len()
            && self.components.starts_with(&parent.components)
    }

    /// True when names below this one, as far as `below` says, keep to the limits.
    pub(crate) fn fits_with(&self, below: &Below) -> bool {
        let bytes = bytes(&self.components) + below.bytes;
        let depth = self.components.len() + below.depth;
        bytes <= limits::MAILBOX_NAME_BYTES_MAX && depth <= limits::MAILBOX_DEPTH_MAX
    }

    pub(crate) fn from_parts(
        domain: Domain,
        owner: Option<CompactString>,
        components: Vec<CompactString>,
    ) -> Self {
        Self { domain, owner, components }
    }
}

/// The canonical text, for logs and admin tools: `domain!owner/component/component`, without an owner
/// `domain!/component`.
impl fmt::Display for MailboxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}!{}", self.domain, self.owner().unwrap_or_default())?;
        self.components.iter().try_for_each(|component| write!(f, "/{component}"))
    }
}

fn checked<S: AsRef<str>>(components: &[S]) -> Result<Vec<CompactString>, MailstoreError> {
    let sound = components.iter().all(|component| is_component(component.as_ref()));
    if components.is_empty() || !sound {
        return Err(MailstoreError::NameInvalid);
    }
    if bytes(components) > limits::MAILBOX_NAME_BYTES_MAX || components.len() > limits::MAILBOX_DEPTH_MAX {
        return Err(MailstoreError::NameTooLong);
    }
    Ok(components.iter().map(|component| component.as_ref().into()).collect())
}

/// Bytes of a name with its separators.
fn bytes<S: AsRef<str>>(components: &[S]) -> usize {
    components.iter().map(|component| component.as_ref().len() + 1).sum()
}

/// No separator, no list wildcards, no control characters.
fn is_component(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '*', '%']) && !text.contains(char::is_control)
}

/// What a mailbox is for (RFC 6154 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    /// `\All`
    All = 1,
    /// `\Archive`
    Archive = 2,
    /// `\Drafts`
    Drafts = 3,
    /// `\Flagged`
    Flagged = 4,
    /// `\Junk`
    Junk = 5,
    /// `\Sent`
    Sent = 6,
    /// `\Trash`
    Trash = 7,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [SpecialUse; 7] =
        [Self::All, Self::Archive, Self::Drafts, Self::Flagged, Self::Junk, Self::Sent, Self::Trash];

    /// The attribute as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// The attribute with this name, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|special| special.as_str().eq_ignore_ascii_case(text))
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|special| *special as u8 == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> AccountName {
        AccountName::parse("alice@example.org").unwrap()
    }

    #[test]
    fn inbox_is_one_in_any_case_where_it_stands_first() {
        let inbox = MailboxPath::personal(&alice(), &["iNbOx"]).unwrap();
        assert_eq!(inbox, MailboxPath::inbox(&alice()));
        assert!(inbox.is_inbox());
        let child = MailboxPath::personal(&alice(), &["inbox", "inbox"]).unwrap();
        assert_eq!(child.components(), ["INBOX", "inbox"]);
        assert!(child.is_below(&inbox) && !child.is_inbox());
    }

    #[test]
    fn names_that_could_not_be_listed_are_refused() {
        for wrong in ["", "a/b", "a*", "100%", "a\0", "a\nb"] {
            let path = MailboxPath::personal(&alice(), &[wrong]);
            assert!(matches!(path, Err(MailstoreError::NameInvalid)), "{wrong:?}");
        }
        assert!(MailboxPath::personal::<&str>(&alice(), &[]).is_err());
    }

    #[test]
    fn length_and_depth_are_limited() {
        let long = "n".repeat(limits::MAILBOX_NAME_BYTES_MAX);
        assert!(matches!(MailboxPath::personal(&alice(), &[long]), Err(MailstoreError::NameTooLong)));
        let deep = vec!["a"; limits::MAILBOX_DEPTH_MAX + 1];
        assert!(matches!(MailboxPath::personal(&alice(), &deep), Err(MailstoreError::NameTooLong)));
    }
}
