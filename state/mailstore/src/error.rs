//! What the mail store answers when it cannot do what was asked.

use std::sync::Arc;

use journal::{DecodeError, JournalError, SequencerError, StoreError, ViewError};
use telemetry::Fault;

/// Why a request was not done. Nothing of a request that failed is visible or durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MailstoreError {
    /// There is no such mailbox (any more).
    #[error("no such mailbox")]
    MailboxUnknown,
    /// There is a mailbox of that name.
    #[error("the mailbox exists already")]
    MailboxExists,
    /// The name stands for a level of the hierarchy only (`\Noselect`, RFC 3501 6.3.4).
    #[error("the name holds no messages")]
    NotSelectable,
    /// A name without a mailbox that has names below it cannot be deleted (RFC 3501 6.3.4).
    #[error("the name has names below it")]
    HasChildren,
    /// The inbox cannot be deleted (RFC 3501 6.3.4).
    #[error("the inbox cannot be deleted")]
    InboxPermanent,
    /// A mailbox cannot be moved below itself or to another domain.
    #[error("a mailbox cannot be renamed to that name")]
    RenameImpossible,
    /// A component of the name is empty or has characters that no name may have.
    #[error("the mailbox name has a component that is not allowed")]
    NameInvalid,
    /// Over `limits::MAILBOX_NAME_BYTES_MAX` or `limits::MAILBOX_DEPTH_MAX`.
    #[error("the mailbox name is too long or too deep")]
    NameTooLong,
    /// Over `limits::MAILBOXES_PER_ACCOUNT_MAX`.
    #[error("the account has as many mailbox names as it may have")]
    MailboxesTooMany,
    /// Over `limits::SUBSCRIPTIONS_PER_ACCOUNT_MAX`.
    #[error("the account has as many subscriptions as it may have")]
    SubscriptionsTooMany,
    /// Over `limits::COPY_MESSAGES_MAX`.
    #[error("too many messages for one copy")]
    CopyTooLarge,
    /// No atom of RFC 3501 9, or over `limits::KEYWORD_BYTES_MAX`.
    #[error("not a keyword")]
    KeywordInvalid,
    /// Over `limits::KEYWORDS_PER_MESSAGE_MAX`, `limits::KEYWORDS_PER_MESSAGE_BYTES_MAX` or
    /// `limits::KEYWORDS_PER_MAILBOX_MAX`.
    #[error("too many keywords")]
    KeywordsTooMany,
    /// Over `limits::STORED_MESSAGE_BYTES_MAX`.
    #[error("the message is too large")]
    MessageTooLarge,
    /// All 2^32 - 1 uids of the mailbox have been given out.
    #[error("the mailbox has no uid left")]
    UidsExhausted,
    /// A body that a message refers to is not there.
    #[error("the message's body is not in the store")]
    BodyUnknown,
    /// Bytes of the store do not say what they must.
    #[error("the store is damaged: {0}")]
    Damaged(&'static str),
    /// The journal or its view failed, or the store was stopped; nothing is acknowledged until it has been opened again.
    #[error(transparent)]
    Journal(#[from] SequencerError),
    /// A file could not be read or written.
    #[error("the disk failed: {0}")]
    Disk(Arc<std::io::Error>),
    /// A background task of the store died.
    #[error("a task of the mail store died")]
    TaskDied,
    /// The store answered another question than was asked.
    #[error("the mail store gave an answer of the wrong kind")]
    Unexpected,
}

impl MailstoreError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::KeywordInvalid | Self::KeywordsTooMany | Self::NameInvalid | Self::NameTooLong => {
                Fault::Peer
            }
            Self::MailboxUnknown
            | Self::MailboxExists
            | Self::NotSelectable
            | Self::HasChildren
            | Self::InboxPermanent
            | Self::RenameImpossible
            | Self::MailboxesTooMany
            | Self::SubscriptionsTooMany
            | Self::CopyTooLarge
            | Self::MessageTooLarge
            | Self::UidsExhausted => Fault::Policy,
            Self::Journal(error) => error.fault(),
            Self::Disk(error) if disk::is_no_space(error) => Fault::Temporary,
            Self::BodyUnknown | Self::Damaged(_) | Self::Disk(_) => Fault::Local,
            Self::TaskDied | Self::Unexpected => Fault::Bug,
        }
    }
}

impl MailstoreError {
    /// Whether the disk is full, or nearly so: refused, and to be tried again when there is room.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Journal(error) => matches!(error, SequencerError::NoSpace),
            Self::Disk(error) => disk::is_no_space(error),
            _ => false,
        }
    }
}

impl From<std::io::Error> for MailstoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(Arc::new(error))
    }
}

impl From<StoreError> for MailstoreError {
    fn from(error: StoreError) -> Self {
        Self::Journal(error.into())
    }
}

impl From<ViewError> for MailstoreError {
    fn from(error: ViewError) -> Self {
        Self::Journal(error.into())
    }
}

impl From<JournalError> for MailstoreError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error.into())
    }
}

impl From<DecodeError> for MailstoreError {
    fn from(error: DecodeError) -> Self {
        StoreError::from(error).into()
    }
}
