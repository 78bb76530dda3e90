//! A handle to one mailbox.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::load;
use crate::shared::Shared;
use crate::slot::{Pin, Slot};
use crate::{MailboxId, MailboxSnapshot, MailboxStatus, MailstoreError, ModSeq, RecentClaim, Uid};

/// One mailbox. Cheap to clone and to keep: it holds none of the messages in memory.
#[derive(Clone)]
pub struct Mailbox {
    slot: Arc<Slot>,
    shared: Arc<Shared>,
}

impl Mailbox {
    pub(crate) fn new(slot: Arc<Slot>, shared: Arc<Shared>) -> Self {
        Self { slot, shared }
    }

    /// The mailbox's id.
    pub fn id(&self) -> MailboxId {
        self.slot.id
    }

    /// True once the mailbox has been deleted; `changed` wakes up for it.
    pub fn is_deleted(&self) -> bool {
        self.slot.is_deleted()
    }

    /// The messages as they are now. Takes no lock while the mailbox is in memory.
    pub async fn snapshot(&self) -> Result<Arc<MailboxSnapshot>, MailstoreError> {
        match self.slot.published() {
            Some(snapshot) => {
                self.shared.used(&self.slot);
                Ok(snapshot)
            }
            None => self.load().await,
        }
    }

    /// The numbers of the mailbox; does not open it.
    pub async fn status(&self) -> Result<MailboxStatus, MailstoreError> {
        self.exists()?;
        let recent_from = self.slot.recent_from();
        if let Some(snapshot) = self.slot.published() {
            return Ok(snapshot.status(recent_from));
        }
        let counters = self.slot.counters();
        let recent = match recent_from {
            from if from >= counters.uid_next => 0,
            Uid::FIRST => counters.messages,
            from => self.messages_from(from).await?,
        };
        Ok(counters.status(self.slot.uid_validity, recent))
    }

    /// The modseq as it grows.
    pub fn changed(&self) -> watch::Receiver<ModSeq> {
        self.slot.changed()
    }

    /// Claims the messages that no session has been told of as recent (RFC 3501 2.3.2). The claim is kept in memory and
    /// goes to the journal with the next change of the mailbox: after a crash messages may be recent again.
    pub fn recent_claim(&self) -> RecentClaim {
        self.slot.recent_claim()
    }

    /// Keeps the messages in memory, once they are there.
    pub(crate) fn pin(&self) -> Pin {
        Pin::new(self.slot.clone())
    }

    /// Held for writing while messages of a large copy into this mailbox are being placed.
    pub(crate) fn placing(&self) -> Arc<tokio::sync::RwLock<()>> {
        self.slot.placing.clone()
    }

    fn exists(&self) -> Result<(), MailstoreError> {
        if self.is_deleted() { Err(MailstoreError::MailboxUnknown) } else { Ok(()) }
    }

    async fn messages_from(&self, uid: Uid) -> Result<u32, MailstoreError> {
        let (view, id) = (self.shared.view.clone(), self.slot.id);
        let counted = spawn_blocking(move || load::messages_from(&*view.snapshot(), id, uid));
        Ok(counted.await.map_err(|_| MailstoreError::TaskDied)??)
    }

    async fn load(&self) -> Result<Arc<MailboxSnapshot>, MailstoreError> {
        self.exists()?;
        let loading = self.slot.loading.clone().lock_owned().await;
        if let Some(snapshot) = self.slot.published() {
            return Ok(snapshot);
        }
        let this = self.clone();
        let loaded = spawn_blocking(move || {
            let _loading = loading;
            this.shared.slot_load(&this.slot)
        });
        loaded.await.map_err(|_| MailstoreError::TaskDied)?
    }
}
