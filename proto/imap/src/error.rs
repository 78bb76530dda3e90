//! What is wrong with a command, and the answer to it.

use crate::Tag;
use crate::response::{self, Code, Status};

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
    pub fn write(&self, out: &mut Vec<u8>) {
        let (status, code) = self.complaint.answer();
        let text = self.complaint.to_string();
        match &self.tag {
            Some(tag) => response::tagged(out, tag, status, code, &text),
            None => response::untagged(out, status, code, &text),
        }
    }
}

impl Complaint {
    /// What is well formed but cannot be is NO, everything else BAD (RFC 3501 7.1.2, 7.1.3).
    fn answer(&self) -> (Status, Option<Code<'static>>) {
        match self {
            Complaint::MailboxName => (Status::No, Some(Code::Cannot)),
            Complaint::Charset => (Status::No, Some(Code::BadCharset(&["US-ASCII", "UTF-8"]))),
            Complaint::SpecialUse => (Status::No, Some(Code::UseAttr)),
            Complaint::Limit { .. } => (Status::Bad, Some(Code::Limit)),
            Complaint::Tag | Complaint::Verb | Complaint::Expected { .. } | Complaint::SystemFlag => {
                (Status::Bad, None)
            }
        }
    }
}
