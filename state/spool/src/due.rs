//! What a worker gets to do.

use address::{Address, MailParams, Recipient, ReversePath};
use jiff::Timestamp;

use crate::claim::Claim;
use crate::queue_id::QueueId;
use crate::routed::{NextHop, Origin};

/// A copy of a message for some of its recipients, all with the same next hop, claimed for one worker. All accounts of
/// this system count as one next hop.
///
/// The worker ends with [`crate::Spool::complete`]. Dropped without that, the recipients are due again; dropped by a
/// panic, the message gets a strike as well, and after three it is held.
#[derive(Debug)]
pub struct Due {
    /// The message.
    pub queue_id: QueueId,
    /// Where it came from.
    pub origin: Origin,
    /// Its sender.
    pub reverse_path: ReversePath,
    /// The parameters of its MAIL.
    pub params: MailParams,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where this copy goes.
    pub next_hop: NextHop,
    /// For whom it is, by their numbers; at least one.
    pub recipients: Vec<DueRecipient>,
    pub(crate) claim: Claim,
}

/// One recipient of a [`Due`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRecipient {
    /// Its number in the message, for [`crate::Outcome`].
    pub index: u32,
    /// The recipient as the sender gave it, with NOTIFY and ORCPT.
    pub recipient: Recipient,
    /// The address that goes into RCPT.
    pub address: Address,
    /// Attempts before this one.
    pub attempts: u32,
    /// When it expires.
    pub expires: Timestamp,
    /// The sender has heard of the delay.
    pub delay_reported: bool,
}
