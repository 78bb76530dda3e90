//! A handle to one mailbox.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{MailboxId, MailboxSnapshot, MailboxStatus, MailstoreError, ModSeq, RecentClaim};

/// One mailbox. Cheap to clone and to keep: it holds none of the messages in memory.
#[derive(Clone)]
pub struct Mailbox {}

impl Mailbox {
    /// The mailbox's id.
    pub fn id(&self) -> MailboxId {
        unimplemented!("id")
    }

    /// True once the mailbox has been deleted; `changed` wakes up for it.
    pub fn is_deleted(&self) -> bool {
        unimplemented!("is_deleted")
    }

    /// The messages as they are now. Takes no lock while the mailbox is in memory.
    pub async fn snapshot(&self) -> Result<Arc<MailboxSnapshot>, MailstoreError> {
        unimplemented!("snapshot")
    }

    /// The numbers of the mailbox; does not open it.
    pub async fn status(&self) -> Result<MailboxStatus, MailstoreError> {
        unimplemented!("status")
    }

    /// The modseq as it grows.
    pub fn changed(&self) -> watch::Receiver<ModSeq> {
        unimplemented!("changed")
    }

    /// Claims the messages that no session has been told of as recent (RFC 3501 2.3.2).
    pub fn recent_claim(&self) -> RecentClaim {
        unimplemented!("recent_claim")
    }
}
