//! Why a message was not delivered.

use std::io;

use address::Address;
use mailstore::MailstoreError;
use telemetry::Fault;

/// Why a message was not delivered to one recipient. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The message has been delivered to this address again and again: it goes round. MX and submission see that
    /// before they take a message; other hosts that deliver by LMTP may not.
    #[error("already delivered to {0}, this message is looping")]
    Loop(Address),
    /// The header goes on beyond `limits::HEADER_BYTES_MAX`.
    #[error("the header is too big")]
    HeaderTooBig,
    /// The message could not be read where it was waiting.
    #[error("the message cannot be read: {0}")]
    Body(#[from] io::Error),
    /// The mail store said no.
    #[error(transparent)]
    Mailstore(#[from] MailstoreError),
}

impl DeliverError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Loop(_) | Self::HeaderTooBig => Fault::Policy,
            Self::Body(_) => Fault::Local,
            Self::Mailstore(error) => error.fault(),
        }
    }
}
