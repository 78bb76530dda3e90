//! What a listener decides, and what it must show for a positive reply.

use std::fmt::Display;
use std::future::Future;

use address::{Envelope, Recipient};
use jiff::Timestamp;
use smtp::command::Mail;
use smtp::{EnhancedCode, Flavour, Refusal, Reply};
use telemetry::Fault;

use crate::{SessionInfo, Transaction};

/// Evidence that a message is durable, or that responsibility for it has been taken: the only way to a positive
/// reply after content (law 2).
pub trait Proof: Send {
    /// The positive reply.
    fn reply(&self) -> Reply;
}

impl Proof for spool::Accepted {
    fn reply(&self) -> Reply {
        Reply::new(250, EnhancedCode::new(2, 0, 0), format!("queued as {}", self.queue_id()))
    }
}

/// A listener's decisions. Each answer but the last has a default that says yes.
pub trait Role: Send + Sync + 'static {
    /// What shows that a message is durable.
    type Proof: Proof;
    /// The name of a transaction, shown in its `Received` field.
    type Id: Display + Clone + Send + Sync;

    /// What a recipient that was taken has turned out to be.
    type Target: Send + Sync;

    /// The dialect that it speaks.
    const FLAVOUR: Flavour;

    /// The role's name in logs and metrics.
    fn name(&self) -> &'static str;

    /// A name for a transaction that begins.
    fn transaction_id(&self, session: &SessionInfo, now: Timestamp) -> Self::Id;

    /// Whether to talk to this peer at all.
    fn on_connect(&self, session: &SessionInfo) -> impl Future<Output = Result<(), Refusal>> + Send {
        let _ = session;
        async { Ok(()) }
    }

    /// Whether to take mail from this sender.
    fn on_mail(
        &self,
        session: &SessionInfo,
        mail: &Mail,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        let _ = (session, mail);
        async { Ok(()) }
    }

    /// Whether to take mail for this recipient; `envelope` holds those taken so far.
    fn on_rcpt(
        &self,
        session: &SessionInfo,
        envelope: &Envelope,
        recipient: &Recipient,
    ) -> impl Future<Output = Result<Self::Target, Refusal>> + Send;

    /// Takes the message: one answer, or in LMTP one for each recipient of the envelope, in their order.
    /// `targets` are what `on_rcpt` gave for them.
    fn on_body(
        &self,
        id: Self::Id,
        transaction: Transaction,
        targets: Vec<Self::Target>,
    ) -> impl Future<Output = Vec<Result<Self::Proof, Refusal>>> + Send;
}

/// The refusal for an error that has no better reply of its own (law 8).
pub fn refusal_of(fault: Fault, text: &str) -> Refusal {
    let (code, enhanced) = fault.smtp_reply();
    let enhanced: EnhancedCode = enhanced.parse().expect("the table of faults holds enhanced codes");
    Refusal::new(code, enhanced, text)
}
