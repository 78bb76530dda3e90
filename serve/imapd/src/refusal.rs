//! What a command comes to: done, refused, or the end of the session.

use std::borrow::Cow;

use imap::{Code, Status, Tag, response};
use mailstore::MailstoreError;
use net::NetError;
use telemetry::Fault;

/// A command was done; what its tagged response says.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Status,
    pub(crate) code: DoneCode,
    pub(crate) text: &'static str,
}

/// The response code of a command that was done.
#[derive(Debug)]
pub(crate) enum DoneCode {
    None,
    /// The capabilities, after a login.
    Capability,
    ReadOnly,
    ReadWrite,
    /// RFC 4315 3.
    AppendUid {
        uid_validity: u32,
        uid: u32,
    },
    /// RFC 4315 3.
    CopyUid {
        uid_validity: u32,
        from: Vec<u32>,
        to: Vec<u32>,
    },
    /// RFC 5530 3: messages that were asked for are gone.
    ExpungeIssued,
    /// RFC 7162 3.1.3: messages that were left as they are, because they have changed.
    Modified(Vec<u32>),
}

impl Done {
    pub(crate) const fn plain(text: &'static str) -> Self {
        Self::with(DoneCode::None, text)
    }

    pub(crate) const fn with(code: DoneCode, text: &'static str) -> Self {
        Self { status: Status::Ok, code, text }
    }

    /// What could be done has been done, and it was not all: a NO (RFC 2180 4.2).
    pub(crate) const fn in_part(code: DoneCode, text: &'static str) -> Self {
        Self { status: Status::No, code, text }
    }
}

impl DoneCode {
    /// Runs `write` with the code as it goes on the wire; `capabilities` is what CAPABILITY would list.
    fn on_wire(&self, capabilities: &[&str], write: impl FnOnce(Option<Code<'_>>)) {
        write(match self {
            Self::None => None,
            Self::Capability => Some(Code::Capability(capabilities)),
            Self::ReadOnly => Some(Code::ReadOnly),
            Self::ReadWrite => Some(Code::ReadWrite),
            Self::AppendUid { uid_validity, uid } => {
                Some(Code::AppendUid { uid_validity: *uid_validity, uid: *uid })
            }
            Self::CopyUid { uid_validity, from, to } => {
                Some(Code::CopyUid { uid_validity: *uid_validity, from, to })
            }
            Self::ExpungeIssued => Some(Code::ExpungeIssued),
            Self::Modified(numbers) => Some(Code::Modified(numbers)),
        });
    }

    /// Appends an untagged OK with this code.
    pub(crate) fn write_untagged(&self, out: &mut Vec<u8>, text: &str) {
        self.on_wire(&[], |code| response::untagged(out, Status::Ok, code, text));
    }
}

impl Done {
    /// Appends the tagged response.
    pub(crate) fn write(&self, out: &mut Vec<u8>, tag: &Tag, capabilities: &[&str]) {
        self.code.on_wire(capabilities, |code| response::tagged(out, tag, self.status, code, self.text));
    }
}

/// A command was not done; what its tagged NO or BAD says.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) code: Option<Code<'static>>,
    pub(crate) text: Cow<'static, str>,
}

impl Refusal {
    pub(crate) const fn no(code: Code<'static>, text: &'static str) -> Self {
        Self { status: Status::No, code: Some(code), text: Cow::Borrowed(text) }
    }

    pub(crate) const fn no_plain(text: &'static str) -> Self {
        Self { status: Status::No, code: None, text: Cow::Borrowed(text) }
    }

    pub(crate) const fn bad(text: &'static str) -> Self {
        Self { status: Status::Bad, code: None, text: Cow::Borrowed(text) }
    }

    /// Appends the tagged NO or BAD.
    pub(crate) fn write(&self, out: &mut Vec<u8>, tag: &Tag) {
        response::tagged(out, tag, self.status, self.code, &self.text);
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.status == Status::Bad
    }
}

/// Why a command did not end in OK.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is answered NO or BAD; the session goes on.
    Refused(Refusal),
    /// The connection is of no more use.
    Broken(NetError),
    /// The server ends the session, with this in its BYE (RFC 3501 7.1.5).
    Bye(&'static str),
}

/// What a verb comes to.
pub(crate) type Outcome<T = Done> = Result<T, Stop>;

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NetError> for Stop {
    fn from(error: NetError) -> Self {
        Self::Broken(error)
    }
}

impl From<MailstoreError> for Stop {
    fn from(error: MailstoreError) -> Self {
        Self::Refused(Refusal::from(error))
    }
}

/// The response code tells whose fault it is (RFC 5530 3). A fault of ours is logged here, once.
impl From<MailstoreError> for Refusal {
    fn from(error: MailstoreError) -> Self {
        let fault = error.fault();
        if !matches!(fault, Fault::Peer | Fault::Policy) {
            fault.log("mail store request failed", &error);
            return Self::ours(&error);
        }
        let text = Cow::Owned(sentence(&error.to_string()));
        Self { status: Status::No, code: refusal_code(&error), text }
    }
}

impl Refusal {
    /// Nothing that grows can be kept now; flags and expunges can.
    pub(crate) const fn no_space() -> Self {
        Self::no(Code::Unavailable, "Insufficient space on the server, try again later")
    }

    /// A failure of ours: the client learns that it was not to blame, and no more.
    fn ours(error: &MailstoreError) -> Self {
        match error {
            MailstoreError::BodyUnknown | MailstoreError::Damaged(_) => {
                Self::no(Code::Corruption, "The message cannot be read")
            }
            MailstoreError::TaskDied => Self::no(Code::ServerBug, "Internal error"),
            error if error.is_no_space() => Self::no_space(),
            _ => Self::no(Code::Unavailable, "The mail store is not available now"),
        }
    }
}

fn refusal_code(error: &MailstoreError) -> Option<Code<'static>> {
    match error {
        MailstoreError::MailboxUnknown | MailstoreError::NotSelectable => Some(Code::NonExistent),
        MailstoreError::MailboxExists => Some(Code::AlreadyExists),
        MailstoreError::HasChildren
        | MailstoreError::InboxPermanent
        | MailstoreError::RenameImpossible
        | MailstoreError::KeywordInvalid
        | MailstoreError::NameInvalid => Some(Code::Cannot),
        MailstoreError::NameTooLong
        | MailstoreError::KeywordsTooMany
        | MailstoreError::MailboxesTooMany
        | MailstoreError::SubscriptionsTooMany
        | MailstoreError::CopyTooLarge
        | MailstoreError::UidsExhausted => Some(Code::Limit),
        MailstoreError::MessageTooLarge => Some(Code::TooBig),
        _ => None,
    }
}

/// An error text as the text of a response.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// For APPEND, COPY and MOVE: a target that does not exist could be created (RFC 3501 7.1, TRYCREATE).
pub(crate) fn try_create(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(Refusal { code: Some(Code::NonExistent), status, text }) => {
            Stop::Refused(Refusal { status, code: Some(Code::TryCreate), text })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_store_that_is_away() {
        let failed = |kind: std::io::ErrorKind| {
            let refusal = Refusal::from(MailstoreError::from(std::io::Error::from(kind)));
            assert_eq!(refusal.code, Some(Code::Unavailable));
            refusal.text
        };
        assert!(failed(std::io::ErrorKind::StorageFull).contains("space"));
        assert!(!failed(std::io::ErrorKind::Other).contains("space"));
    }
}
