//! The handle by which everyone uses the store.

use std::sync::Arc;

use address::AccountName;
use disk::{Body, Disk};
use message::{Rendered, Structure};
use tokio::sync::watch;

use crate::{
    AppendRequest, Appended, BodyId, CopyOutcome, ExpungeOutcome, FlagChange, Mailbox, MailboxEntry,
    MailboxId, MailboxPath, MailboxSnapshot, MailboxStatus, MailstoreError, MailstoreSettings, ModSeq,
    RecentClaim, SpecialUse, StoreOutcome, UidSet,
};

/// A mail store: one partition, that is one journal with its view. Cheap to clone.
#[derive(Clone)]
pub struct Mailstore {}

impl Mailstore {
    /// Opens the store, making it if there is none, and replays what the view has not seen. Blocks.
    pub fn open(settings: MailstoreSettings, disk: Arc<dyn Disk>) -> Result<Self, MailstoreError> {
        let _ = (settings, disk);
        unimplemented!("open")
    }

    /// Answers what waits and closes the journal. Later calls fail. Blocks.
    pub fn stop(&self) -> Result<(), MailstoreError> {
        unimplemented!("stop")
    }

    /// Makes the inbox of an account, and the mailboxes of the settings, if the account has no inbox; gives the inbox.
    pub async fn account_ensure(&self, account: &AccountName) -> Result<MailboxId, MailstoreError> {
        let _ = account;
        unimplemented!("account_ensure")
    }

    /// Makes a mailbox, and the levels of the hierarchy above it (RFC 3501 6.3.3). A name without a mailbox gets one.
    pub async fn mailbox_create(
        &self,
        path: &MailboxPath,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailstoreError> {
        let _ = (path, special_use);
        unimplemented!("mailbox_create")
    }

    /// Takes a mailbox out of sight; its name stays while there are names below it (RFC 3501 6.3.4).
    pub async fn mailbox_delete(&self, path: &MailboxPath) -> Result<(), MailstoreError> {
        let _ = path;
        unimplemented!("mailbox_delete")
    }

    /// Renames a mailbox and all below it. Of the inbox, the messages go to the new name and the names below it stay
    /// (RFC 3501 6.3.5).
    pub async fn mailbox_rename(&self, from: &MailboxPath, to: &MailboxPath) -> Result<(), MailstoreError> {
        let _ = (from, to);
        unimplemented!("mailbox_rename")
    }

    /// The entry of a name; none when there is no such name.
    pub fn mailbox_find(&self, path: &MailboxPath) -> Option<MailboxEntry> {
        let _ = path;
        unimplemented!("mailbox_find")
    }

    /// The name that a mailbox has now; none when it has been deleted.
    pub fn mailbox_path(&self, mailbox: MailboxId) -> Option<MailboxPath> {
        let _ = mailbox;
        unimplemented!("mailbox_path")
    }

    /// All names of an account, parents before children, the inbox first.
    pub fn mailbox_list(&self, account: &AccountName) -> Vec<MailboxEntry> {
        let _ = account;
        unimplemented!("mailbox_list")
    }

    /// Adds a name to what an account has subscribed to; it need not exist (RFC 3501 6.3.6).
    pub async fn subscribe(&self, account: &AccountName, path: &MailboxPath) -> Result<(), MailstoreError> {
        let _ = (account, path);
        unimplemented!("subscribe")
    }

    /// Takes a name out of what an account has subscribed to.
    pub async fn unsubscribe(&self, account: &AccountName, path: &MailboxPath) -> Result<(), MailstoreError> {
        let _ = (account, path);
        unimplemented!("unsubscribe")
    }

    /// What an account has subscribed to, whether it exists or not.
    pub fn subscriptions(&self, account: &AccountName) -> Vec<MailboxPath> {
        let _ = account;
        unimplemented!("subscriptions")
    }

    /// A handle to one mailbox, whose `snapshot` needs no look-up. What a session keeps of the mailbox it has selected.
    pub fn mailbox(&self, mailbox: MailboxId) -> Result<Mailbox, MailstoreError> {
        let _ = mailbox;
        unimplemented!("mailbox")
    }

    /// The numbers of a mailbox; does not open it.
    pub async fn status(&self, mailbox: MailboxId) -> Result<MailboxStatus, MailstoreError> {
        self.mailbox(mailbox)?.status().await
    }

    /// The messages of a mailbox as they are now.
    pub async fn snapshot(&self, mailbox: MailboxId) -> Result<Arc<MailboxSnapshot>, MailstoreError> {
        self.mailbox(mailbox)?.snapshot().await
    }

    /// The modseq of a mailbox as it grows. The snapshot taken after a change has been seen shows it.
    pub fn changed(&self, mailbox: MailboxId) -> Result<watch::Receiver<ModSeq>, MailstoreError> {
        Ok(self.mailbox(mailbox)?.changed())
    }

    /// Claims the messages that no session has been told of as recent (RFC 3501 2.3.2). SELECT does, EXAMINE does not.
    pub fn recent_claim(&self, mailbox: MailboxId) -> Result<RecentClaim, MailstoreError> {
        Ok(self.mailbox(mailbox)?.recent_claim())
    }

    /// Stores a message. The body is scanned, hashed and compressed here, before it waits for the journal.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, MailstoreError> {
        let _ = request;
        unimplemented!("append")
    }

    /// Changes flags; with `unchanged_since`, only of messages not changed after that (RFC 7162 3.1.3).
    pub async fn store(
        &self,
        mailbox: MailboxId,
        uids: UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<StoreOutcome, MailstoreError> {
        let _ = (mailbox, uids, change, unchanged_since);
        unimplemented!("store")
    }

    /// Copies messages, all or none (RFC 3501 6.4.7). Uids without a message are passed over.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<CopyOutcome, MailstoreError> {
        let _ = (from, uids, to);
        unimplemented!("copy")
    }

    /// Moves messages; each is in one of the two mailboxes at any time (RFC 6851 3.3). Uids without a message are
    /// passed over.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<CopyOutcome, MailstoreError> {
        let _ = (from, uids, to);
        unimplemented!("move_messages")
    }

    /// Takes messages with `\Deleted` out of sight: all of them, or those among `uids` (UID EXPUNGE, RFC 4315 2.1).
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<UidSet>,
    ) -> Result<ExpungeOutcome, MailstoreError> {
        let _ = (mailbox, uids);
        unimplemented!("expunge")
    }

    /// What IMAP clients ask for most of a message, as it goes on the wire.
    pub async fn rendered(&self, body: BodyId) -> Result<Arc<Rendered>, MailstoreError> {
        let _ = body;
        unimplemented!("rendered")
    }

    /// The same of several messages, in the order asked for; cheaper than one at a time where they are not in memory.
    pub async fn rendered_many(&self, bodies: &[BodyId]) -> Result<Vec<Arc<Rendered>>, MailstoreError> {
        let _ = bodies;
        unimplemented!("rendered_many")
    }

    /// Where the parts of a message are.
    pub async fn structure(&self, body: BodyId) -> Result<Arc<Structure>, MailstoreError> {
        let _ = body;
        unimplemented!("structure")
    }

    /// The message itself; a large one is a file that is read as it is sent.
    pub async fn body(&self, body: BodyId) -> Result<Body, MailstoreError> {
        let _ = body;
        unimplemented!("body")
    }
}
