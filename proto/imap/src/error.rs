//! What is wrong with a command, and the answer to it.

use crate::Tag;

/// A command that could not be parsed. It is always the peer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{complaint}")]
pub struct CommandError {
    /// The tag, if one could be read.
    pub tag: Option<Tag>,
    /// What is wrong.
    pub complaint: Complaint,
}

/// What is wrong with a command. The text goes to the client as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// No tag, or one with characters that a tag cannot have.
    #[error("Missing or malformed tag")]
    Tag,
    /// A tag and nothing after it.
    #[error("Missing command")]
    Verb,
    /// What was expected, and at which octet of the line something else stood.
    #[error("Expected {expected} at octet {at}")]
    Expected {
        /// What the grammar asks for here.
        expected: &'static str,
        /// Octets from the beginning of the line.
        at: usize,
    },
    /// More than a limit allows.
    #[error("Too {what}")]
    Limit {
        /// What there is too much of: "many keys", "deep a search program".
        what: &'static str,
    },
    /// A system flag that does not exist, or `\Recent`, which clients cannot set.
    #[error("Invalid system flag")]
    SystemFlag,
    /// A mailbox name that is not modified UTF-7 (RFC 3501 5.1.3). Answered by NO, since the command is well formed.
    #[error("Mailbox name is not valid modified UTF-7")]
    MailboxName,
    /// A charset that SEARCH does not know (RFC 3501 6.4.4). Answered by NO with BADCHARSET.
    #[error("Charset is not supported")]
    Charset,
    /// A special use that does not exist (RFC 6154 3). Answered by NO with USEATTR.
    #[error("Special use is not supported")]
    SpecialUse,
}

impl CommandError {
    /// Appends the whole answer: `TAG BAD text`, or `NO` with its code, or untagged where no tag was read.
    pub fn write(&self, _out: &mut Vec<u8>) {
        unimplemented!("CommandError::write")
    }
}
