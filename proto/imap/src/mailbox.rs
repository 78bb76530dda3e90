//! Mailbox names (RFC 3501 5.1).

use std::fmt;

use compact_str::CompactString;

/// A mailbox name in UTF-8, as it is stored and compared; on the wire it is modified UTF-7.
///
/// `INBOX` in any case, as the whole name, is `INBOX`. Which character separates levels, and whether the
/// name is allowed, is not known here. At most [`limits::MAILBOX_NAME_BYTES_MAX`] bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(CompactString);

/// A name that cannot be a mailbox name: not modified UTF-7, too long, empty, or with control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a mailbox name")]
pub struct BadMailboxName;

impl MailboxName {
    /// From UTF-8.
    pub fn new(name: &str) -> Result<MailboxName, BadMailboxName> {
        let bad = name.is_empty()
            || name.len() > limits::MAILBOX_NAME_BYTES_MAX
            || name.chars().any(char::is_control);
        match name {
            _ if bad => Err(BadMailboxName),
            _ if name.eq_ignore_ascii_case("INBOX") => Ok(MailboxName::inbox()),
            _ => Ok(MailboxName(name.into())),
        }
    }

    /// `INBOX`.
    pub fn inbox() -> MailboxName {
        MailboxName(CompactString::const_new("INBOX"))
    }

    /// From modified UTF-7 (RFC 3501 5.1.3).
    pub fn from_wire(name: &[u8]) -> Result<MailboxName, BadMailboxName> {
        crate::utf7::decode(name).ok_or(BadMailboxName).and_then(|name| MailboxName::new(&name))
    }

    /// The modified UTF-7 form, not yet quoted.
    pub fn to_wire(&self) -> String {
        crate::utf7::encode(&self.0)
    }

    /// The name in UTF-8.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `INBOX`.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The name without one separator at its end.
    pub fn without_separator_at_end(&self, separator: char) -> MailboxName {
        let shorter = self.0.strip_suffix(separator).and_then(|shorter| MailboxName::new(shorter).ok());
        shorter.unwrap_or_else(|| self.clone())
    }

    /// Its levels; a first level that is `INBOX` in any case comes out in upper case.
    pub fn components(&self, separator: char) -> impl Iterator<Item = &str> {
        self.0.split(separator).enumerate().map(|(level, name)| match level {
            0 if name.eq_ignore_ascii_case("INBOX") => "INBOX",
            _ => name,
        })
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
