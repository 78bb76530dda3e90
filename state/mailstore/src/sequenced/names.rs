//! CREATE, DELETE, RENAME, SUBSCRIBE, and the mailboxes of a new account.

use compact_str::CompactString;
use journal::Staged;

use crate::command::{AccountEnsure, MailboxCreate, MailboxDelete, MailboxRename, Subscribe};
use crate::entry::{MailboxDeleted, MailboxRow, NameKind, NameRemoved, NameRow, SubscriptionSet};
use crate::fresh;
use crate::id::NameId;
use crate::{MailboxId, MailboxPath, MailstoreError, SpecialUse, UidValidity};

use super::Sequenced;

impl Sequenced {
    pub(super) fn account_ensure(
        &mut self,
        ensure: &AccountEnsure,
        staged: &mut Staged,
    ) -> Result<MailboxId, MailstoreError> {
        let inbox = MailboxPath::inbox(&ensure.account);
        if let Some(mailbox) = self.mailbox_at(&inbox) {
            return Ok(mailbox);
        }
        let paths = ensure.mailboxes.iter().map(|mailbox| {
            Ok((MailboxPath::personal(&ensure.account, &mailbox.components)?, mailbox.special_use))
        });
        let paths: Vec<_> = paths.collect::<Result<_, MailstoreError>>()?;
        let mailbox = self.mailbox_open(&inbox, None, ensure, staged)?;
        for (path, special_use) in paths.iter().filter(|(path, _)| !path.is_inbox()) {
            self.mailbox_open(path, *special_use, ensure, staged)?;
        }
        Ok(mailbox)
    }

    /// Makes one mailbox of a new account, and subscribes the account to it.
    fn mailbox_open(
        &mut self,
        path: &MailboxPath,
        special_use: Option<SpecialUse>,
        ensure: &AccountEnsure,
        staged: &mut Staged,
    ) -> Result<MailboxId, MailstoreError> {
        let create = MailboxCreate { path: path.clone(), special_use, now: ensure.now };
        let mailbox = match self.mailbox_at(path) {
            Some(mailbox) => mailbox,
            None => self.mailbox_create(&create, staged)?,
        };
        let subscribe = Subscribe { account: ensure.account.clone(), path: path.clone(), subscribed: true };
        self.subscribe(&subscribe, staged)?;
        Ok(mailbox)
    }

    pub(super) fn mailbox_create(
        &mut self,
        create: &MailboxCreate,
        staged: &mut Staged,
    ) -> Result<MailboxId, MailstoreError> {
        if self.mailbox_at(&create.path).is_some() {
            return Err(MailstoreError::MailboxExists);
        }
        let name = self.name_ensure(&create.path, create.path.components(), staged)?;
        self.mailbox_attach(name, create.special_use, create.now, staged)
    }

    /// The mailbox goes out of sight with all that is in it. Its name stays, without a mailbox, as long as there are
    /// names below it (RFC 3501 6.3.4).
    pub(super) fn mailbox_delete(
        &mut self,
        delete: &MailboxDelete,
        staged: &mut Staged,
    ) -> Result<(), MailstoreError> {
        if delete.path.is_inbox() {
            return Err(MailstoreError::InboxPermanent);
        }
        let row = self.name_at(&delete.path)?;
        let has_children = self.names.has_children(row.id);
        let modseq = self.modseq_next();
        match row.mailbox.and_then(|mailbox| self.names.mailbox(mailbox)).cloned() {
            None if has_children => return Err(MailstoreError::HasChildren),
            None => {}
            Some(mailbox) => {
                let deleted = Some(MailboxDeleted { at: delete.now, path: delete.path.clone() });
                self.commit(MailboxRow { deleted, modseq, ..mailbox }, staged);
            }
        }
        match has_children {
            true => self.commit(NameRow { mailbox: None, modseq, ..row }, staged),
            false => self.commit(NameRemoved { id: row.id, modseq }, staged),
        }
        Ok(())
    }

    /// One record for the name, whatever is below it; before it those for levels of the hierarchy that are missing.
    pub(super) fn mailbox_rename(
        &mut self,
        rename: &MailboxRename,
        staged: &mut Staged,
    ) -> Result<(), MailstoreError> {
        let (from, to) = (&rename.from, &rename.to);
        let row = self.name_at(from)?;
        if self.names.find(to).is_some() {
            return Err(MailstoreError::MailboxExists);
        }
        if from.domain() != to.domain() || (to.is_below(from) && !from.is_inbox()) {
            return Err(MailstoreError::RenameImpossible);
        }
        if from.is_inbox() {
            return self.inbox_rename(row, rename, staged);
        }
        let (text, above) = to.components().split_last().ok_or(MailstoreError::NameInvalid)?;
        let parent = self.name_ensure(to, above, staged)?;
        let modseq = self.modseq_next();
        self.commit(NameRow { parent, text: text.clone(), modseq, ..row }, staged);
        Ok(())
    }

    /// The mailbox takes its messages to the new name; the inbox gets a new one (RFC 3501 6.3.5).
    fn inbox_rename(
        &mut self,
        inbox: NameRow,
        rename: &MailboxRename,
        staged: &mut Staged,
    ) -> Result<(), MailstoreError> {
        let mailbox = inbox.mailbox.ok_or(MailstoreError::NotSelectable)?;
        let name = self.name_ensure(&rename.to, rename.to.components(), staged)?;
        let row = self.names.name(name).cloned().ok_or(MailstoreError::MailboxUnknown)?;
        let modseq = self.modseq_next();
        self.commit(NameRow { mailbox: Some(mailbox), modseq, ..row }, staged);
        self.mailbox_attach(inbox.id, None, rename.now, staged)?;
        Ok(())
    }

    pub(super) fn subscribe(
        &mut self,
        subscribe: &Subscribe,
        staged: &mut Staged,
    ) -> Result<(), MailstoreError> {
        let inbox = MailboxPath::inbox(&subscribe.account);
        let owner = self.name_ensure(&inbox, &[], staged)?;
        if self.names.subscribed(owner, &subscribe.path) != subscribe.subscribed {
            let (path, subscribed) = (subscribe.path.clone(), subscribe.subscribed);
            self.commit(SubscriptionSet { owner, path, subscribed }, staged);
        }
        Ok(())
    }

    /// Gives a name a new mailbox.
    fn mailbox_attach(
        &mut self,
        name: NameId,
        special_use: Option<SpecialUse>,
        now: i64,
        staged: &mut Staged,
    ) -> Result<MailboxId, MailstoreError> {
        let row = self.names.name(name).cloned().ok_or(MailstoreError::MailboxUnknown)?;
        let id = MailboxId(fresh::short(|id| self.names.mailbox(MailboxId(id)).is_some())?);
        let uid_validity = self.uid_validity_next(now)?;
        let modseq = self.modseq_next();
        let mailbox = MailboxRow { id, uid_validity, special_use, created: now, modseq, deleted: None };
        self.commit(mailbox, staged);
        self.commit(NameRow { mailbox: Some(id), modseq, ..row }, staged);
        Ok(id)
    }

    /// The time where it can be, so that it is above any that a lost store gave out (RFC 3501 2.3.1.1).
    fn uid_validity_next(&self, now: i64) -> Result<UidValidity, MailstoreError> {
        let now = u32::try_from(now).unwrap_or(0);
        let next = self.marks.uid_validity.checked_add(1).map(|next| next.max(now));
        next.and_then(UidValidity::new).ok_or(MailstoreError::UidsExhausted)
    }

    fn mailbox_at(&self, path: &MailboxPath) -> Option<MailboxId> {
        self.names.find(path).and_then(|name| self.names.name(name)).and_then(|row| row.mailbox)
    }

    fn name_at(&self, path: &MailboxPath) -> Result<NameRow, MailstoreError> {
        let name = self.names.find(path).and_then(|name| self.names.name(name));
        name.cloned().ok_or(MailstoreError::MailboxUnknown)
    }

    /// The name with `components` below the domain and owner of `path`; what is missing of it is made.
    fn name_ensure(
        &mut self,
        path: &MailboxPath,
        components: &[CompactString],
        staged: &mut Staged,
    ) -> Result<NameId, MailstoreError> {
        let domain = path.domain().as_str();
        let mut at = self.child_ensure(NameId::ROOT, NameKind::Domain, domain, staged)?;
        if let Some(owner) = path.owner() {
            at = self.child_ensure(at, NameKind::Owner, owner, staged)?;
        }
        for component in components {
            at = self.child_ensure(at, NameKind::Component, component, staged)?;
        }
        Ok(at)
    }

    fn child_ensure(
        &mut self,
        parent: NameId,
        kind: NameKind,
        text: &str,
        staged: &mut Staged,
    ) -> Result<NameId, MailstoreError> {
        if let Some(child) = self.names.child(parent, kind, text) {
            return Ok(child);
        }
        let id = NameId(fresh::short(|id| self.names.name(NameId(id)).is_some())?);
        let modseq = self.modseq_next();
        self.commit(NameRow { id, parent, kind, text: text.into(), mailbox: None, modseq }, staged);
        Ok(id)
    }
}
