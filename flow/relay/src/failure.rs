//! Why a destination could not be reached, in the words of a delivery report.

use smtp::client::{ClientError, Stage};
use smtp::{EnhancedCode, Reply};
use spool::{Attempt, Diagnostic};
use telemetry::Fault;

use crate::link::LinkError;

/// Why nothing could be handed to a destination. It holds for all that waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Trying again is of no use.
    pub is_permanent: bool,
    /// The enhanced status code (RFC 3463).
    pub status: EnhancedCode,
    /// What happened, for reports and logs.
    pub text: String,
    /// The host that was tried last.
    pub remote: Option<String>,
}

impl Failure {
    /// A failure that may pass.
    pub(crate) fn temporary(subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self {
            is_permanent: false,
            status: EnhancedCode::new(4, subject, detail),
            text: text.into(),
            remote: None,
        }
    }

    /// A failure that will not.
    pub(crate) fn permanent(subject: u16, detail: u16, text: impl Into<String>) -> Self {
        Self {
            is_permanent: true,
            status: EnhancedCode::new(5, subject, detail),
            text: text.into(),
            remote: None,
        }
    }

    /// Who was to deliver the message died of it, as it seems.
    pub(crate) fn crashed() -> Self {
        Self::temporary(6, 0, "the delivery broke off without an answer")
    }

    /// The same failure, met with at `remote`.
    pub(crate) fn at(self, remote: &str) -> Self {
        Self { remote: Some(remote.to_owned()), ..self }
    }

    /// A connection that did not come about or was lost.
    pub(crate) fn of_link(error: &LinkError, remote: &str) -> Self {
        let failure = match error {
            LinkError::Client(ClientError::Refused { stage, reply }) => Self::of_refusal(*stage, reply),
            LinkError::Client(ClientError::BodyLength { .. } | ClientError::OutOfTurn) => {
                Self::temporary(3, 0, error.to_string())
            }
            LinkError::Client(_) => Self::temporary(5, 0, error.to_string()),
            LinkError::Connect(_) => Self::temporary(4, 1, error.to_string()),
            LinkError::Net(_) | LinkError::Handshake(_) => Self::temporary(4, 2, error.to_string()),
            LinkError::Body(_) => Self::temporary(3, 0, error.to_string()),
        };
        failure.at(remote)
    }

    /// A host that refuses to talk is asked again later, whatever its reply says: refusals at the
    /// greeting are most often about this moment. 521 alone means what it says (RFC 7504 3).
    fn of_refusal(stage: Stage, reply: &Reply) -> Self {
        if reply.code() == 521 {
            return Self::permanent(3, 2, reply.to_string());
        }
        let (subject, detail) = reply.enhanced().map_or((3, 2), |code| (code.subject(), code.detail()));
        Self::temporary(subject, detail, format!("{stage} refused: {reply}"))
    }

    /// The failure as the spool keeps it.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            remote: self.remote.as_deref().map(Into::into),
            code: None,
            status: self.status.to_string().into(),
            text: self.text.clone(),
        }
    }

    /// What it means for a recipient.
    pub(crate) fn attempt(&self) -> Attempt {
        match self.is_permanent {
            true => Attempt::Failed(self.diagnostic()),
            false => Attempt::Deferred(self.diagnostic()),
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        if self.is_permanent { Fault::Policy } else { Fault::Temporary }
    }
}
