//! Reading names, mailboxes and messages.

use std::sync::Arc;

use address::AccountName;
use disk::Body;
use message::{Rendered, Structure};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::mailstore::Inner;
use crate::presentation::Presented;
use crate::{
    BodyId, Mailbox, MailboxEntry, MailboxId, MailboxPath, MailboxSnapshot, MailboxStatus, Mailstore,
    MailstoreError, ModSeq, RecentClaim,
};

/// Names.
impl Mailstore {
    /// The entry of a name, as its owner sees it; none when there is no such name.
    pub fn mailbox_find(&self, path: &MailboxPath) -> Option<MailboxEntry> {
        self.inner.shared.names(|names| {
            let owner = names.root(path.domain(), path.owner());
            names.entry(names.find(path)?, path.clone(), owner)
        })
    }

    /// The name that a mailbox has now; none when it has been deleted.
    pub fn mailbox_path(&self, mailbox: MailboxId) -> Option<MailboxPath> {
        self.inner.shared.names(|names| names.path_of(names.name_of(mailbox)?))
    }

    /// All names of an account, parents before children, the inbox first.
    pub fn mailbox_list(&self, account: &AccountName) -> Vec<MailboxEntry> {
        self.inner.shared.names(|names| names.list(account))
    }

    /// What an account has subscribed to, whether it exists or not.
    pub fn subscriptions(&self, account: &AccountName) -> Vec<MailboxPath> {
        self.inner.shared.names(|names| {
            let account = names.account(account);
            account.map(|account| names.subscriptions(account).cloned().collect()).unwrap_or_default()
        })
    }
}

/// Mailboxes.
impl Mailstore {
    /// A handle to one mailbox, whose `snapshot` needs no look-up. What a session keeps of the mailbox it has selected.
    pub fn mailbox(&self, mailbox: MailboxId) -> Result<Mailbox, MailstoreError> {
        let slot = self.inner.shared.slot(mailbox).ok_or(MailstoreError::MailboxUnknown)?;
        Ok(Mailbox::new(slot, self.inner.shared.clone()))
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
}

/// Messages.
impl Mailstore {
    /// What IMAP clients ask for most of a message, as it goes on the wire.
    pub async fn rendered(&self, body: BodyId) -> Result<Arc<Rendered>, MailstoreError> {
        self.presented(body).await.map(|presented| presented.rendered)
    }

    /// The same of several messages, in the order asked for; cheaper than one at a time where they are not in memory.
    pub async fn rendered_many(&self, bodies: &[BodyId]) -> Result<Vec<Arc<Rendered>>, MailstoreError> {
        let cached: Option<Vec<_>> = bodies.iter().map(|body| self.inner.bodies.cached(*body)).collect();
        let presented = match cached {
            Some(presented) => presented,
            None => {
                let bodies = bodies.to_vec();
                self.blocking(move |inner| bodies.iter().map(|body| inner.presented(*body)).collect()).await?
            }
        };
        Ok(presented.into_iter().map(|presented| presented.rendered).collect())
    }

    /// Where the parts of a message are.
    pub async fn structure(&self, body: BodyId) -> Result<Arc<Structure>, MailstoreError> {
        self.presented(body).await.map(|presented| presented.structure)
    }

    /// The message itself; a large one is a file that is read as it is sent.
    pub async fn body(&self, body: BodyId) -> Result<Body, MailstoreError> {
        self.blocking(move |inner| inner.bodies.body(body)).await
    }

    /// Several messages with where their parts are, in the order asked for; much cheaper than one at a time. They are
    /// all in memory at once, but for large ones, so the caller asks for no more than fit.
    pub async fn body_many(&self, bodies: &[BodyId]) -> Result<Vec<(Arc<Structure>, Body)>, MailstoreError> {
        let bodies = bodies.to_vec();
        let read = |inner: &Inner, body| Ok((inner.presented(body)?.structure, inner.bodies.body(body)?));
        self.blocking(move |inner| bodies.iter().map(|body| read(inner, *body)).collect()).await
    }

    async fn presented(&self, body: BodyId) -> Result<Presented, MailstoreError> {
        match self.inner.bodies.cached(body) {
            Some(presented) => Ok(presented),
            None => self.blocking(move |inner| inner.bodies.presented(body)).await,
        }
    }

    /// Runs what reads or writes files where it does not hold up other tasks.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, MailstoreError> + Send + 'static,
    ) -> Result<T, MailstoreError> {
        let inner = self.inner.clone();
        spawn_blocking(move || work(&inner)).await.map_err(|_| MailstoreError::TaskDied)?
    }
}

impl Inner {
    pub(crate) fn presented(&self, body: BodyId) -> Result<Presented, MailstoreError> {
        self.bodies.cached(body).map_or_else(|| self.bodies.presented(body), Ok)
    }
}
