//! Delivery into the mail store.

use address::{AccountName, Address, ReversePath};
use disk::Body;
use jiff::Timestamp;
use mailstore::{AppendRequest, Appended, Flags, MailboxId, MailboxPath, Mailstore, MailstoreError};

use crate::{Action, DeliverError, trace};

/// One copy of a message on its last step.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whose mail it is.
    pub account: AccountName,
    /// The address that it came to.
    pub recipient: Address,
    /// The detail of a plus-address.
    pub detail: Option<String>,
    /// Where its reports go.
    pub reverse_path: ReversePath,
    /// The message, `Received` fields on top.
    pub body: Body,
    /// When it came in; its internal date.
    pub arrival: Timestamp,
}

/// A message is in a mailbox, durably.
#[derive(Debug)]
#[must_use = "the sender waits for the reply that this allows"]
pub struct Delivered {
    appended: Appended,
    mailbox: MailboxPath,
}

impl Delivered {
    /// The mail store's proof.
    pub fn appended(&self) -> &Appended {
        &self.appended
    }

    /// The mailbox.
    pub fn mailbox(&self) -> &MailboxPath {
        &self.mailbox
    }
}

/// Delivers into a mail store. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    mailstore: Mailstore,
}

impl Deliverer {
    /// Delivers into `mailstore`.
    pub fn new(mailstore: Mailstore) -> Self {
        Self { mailstore }
    }

    /// Delivers one copy.
    pub async fn deliver(&self, delivery: Delivery) -> Result<Delivered, DeliverError> {
        let Delivery { account, recipient, detail, reverse_path, body, arrival } = delivery;
        let body = trace::traced(&body, &reverse_path, &recipient)?;
        let inbox = self.mailstore.account_ensure(&account).await?;
        let action = Action::for_detail(&account, detail.as_deref());
        if let Some((mailbox, id)) = self.file_into(&action) {
            match self.append(id, &body, arrival).await {
                Ok(appended) => return Ok(Delivered { appended, mailbox }),
                // Deleted since it was looked up: the inbox is still there.
                Err(MailstoreError::MailboxUnknown | MailstoreError::NotSelectable) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let appended = self.append(inbox, &body, arrival).await?;
        Ok(Delivered { appended, mailbox: MailboxPath::inbox(&account) })
    }

    /// The first mailbox of the action that is there. What a client keeps for itself (RFC 6154 2: drafts, what was
    /// sent, trash) is not for strangers to write to.
    fn file_into(&self, action: &Action) -> Option<(MailboxPath, MailboxId)> {
        let Action::FileInto(candidates) = action else { return None };
        let entries = candidates.iter().filter_map(|path| self.mailstore.mailbox_find(path));
        let open = entries.filter(|entry| entry.special_use.is_none());
        open.filter_map(|entry| Some((entry.path, entry.id?))).next()
    }

    async fn append(
        &self,
        mailbox: MailboxId,
        body: &Body,
        internal_date: Timestamp,
    ) -> Result<Appended, MailstoreError> {
        let request = AppendRequest { mailbox, body: body.clone(), flags: Flags::default(), internal_date };
        self.mailstore.append(request).await
    }
}
