//! CREATE, DELETE, RENAME, SUBSCRIBE, and the mailboxes of a new account.
//!
//! All that can fail comes before the first record: a command of several records is staged whole or not at all.

use compact_str::CompactString;
use journal::Staged;

use crate::command::{AccountEnsure, MailboxCreate, MailboxDelete, MailboxRename, Subscribe};
use crate::entry::{
    MailboxCreated, MailboxDeleted, MailboxRow, NameKind, NameRemoved, NameRow, SubscriptionSet,
};
use crate::id::NameId;
use crate::{MailboxId, MailboxPath, MailstoreError, UidValidity};

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
        let mut wanted = vec![(inbox.clone(), None)];
        for mailbox in &ensure.mailboxes {
            let path = MailboxPath::personal(&ensure.account, &mailbox.components)?;
            wanted.push((path, mailbox.special_use));
        }
        let uid_validities = self.uid_validities(ensure.now, wanted.len())?;
        for ((path, special_use), uid_validity) in wanted.into_iter().zip(uid_validities) {
            if self.mailbox_at(&path).is_none() {
                let create = MailboxCreate { path: path.clone(), special_use, now: ensure.now };
                self.mailbox_make(&create, uid_validity, staged);
            }
            let account = ensure.account.clone();
            self.subscription_set(&Subscribe { account, path, subscribed: true }, staged);
        }
        self.mailbox_at(&inbox).ok_or(MailstoreError::MailboxUnknown)
    }

    pub(super) fn mailbox_create(
        &mut self,
        create: &MailboxCreate,
        staged: &mut Staged,
    ) -> Result<MailboxId, MailstoreError> {
        if self.mailbox_at(&create.path).is_some() {
            return Err(MailstoreError::MailboxExists);
        }
        self.names_fit(&create.path, create.path.components(), 0)?;
        let uid_validity = self.uid_validity_next(create.now)?;
        Ok(self.mailbox_make(create, uid_validity, staged))
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
            return self.inbox_rename(&row, rename, staged);
        }
        let below = self.names.below(row.id);
        if !to.fits_with(&below) {
            return Err(MailstoreError::NameTooLong);
        }
        let (text, above) = to.components().split_last().ok_or(MailstoreError::NameInvalid)?;
        let joining = if from.owner() == to.owner() { 0 } else { 1 + below.names };
        self.names_fit(to, above, joining)?;
        let parent = self.name_ensure(to, above, staged);
        let modseq = self.modseq_next();
        self.commit(NameRow { parent, text: text.clone(), modseq, ..row }, staged);
        Ok(())
    }

    /// The inbox stays what it is, and its messages move to a new mailbox (RFC 3501 6.3.5).
    fn inbox_rename(
        &mut self,
        inbox: &NameRow,
        rename: &MailboxRename,
        staged: &mut Staged,
    ) -> Result<(), MailstoreError> {
        let from = inbox.mailbox.ok_or(MailstoreError::NotSelectable)?;
        self.names_fit(&rename.to, rename.to.components(), 0)?;
        let uid_validity = self.uid_validity_next(rename.now)?;
        let messages = self.messages_saved(from, None, rename.now)?;
        let create = MailboxCreate { path: rename.to.clone(), special_use: None, now: rename.now };
        let to = self.mailbox_make(&create, uid_validity, staged);
        if !messages.is_empty() {
            self.messages_move(from, to, messages, staged)?;
        }
        Ok(())
    }

    pub(super) fn subscribe(
        &mut self,
        subscribe: &Subscribe,
        staged: &mut Staged,
    ) -> Result<(), MailstoreError> {
        let account = self.names.account(&subscribe.account);
        let count = account.map_or(0, |account| self.names.subscriptions(account).count());
        let known = account.is_some_and(|account| self.names.subscribed(account, &subscribe.path));
        if subscribe.subscribed && !known && count >= limits::SUBSCRIPTIONS_PER_ACCOUNT_MAX {
            return Err(MailstoreError::SubscriptionsTooMany);
        }
        self.subscription_set(subscribe, staged);
        Ok(())
    }

    fn subscription_set(&mut self, subscribe: &Subscribe, staged: &mut Staged) {
        let inbox = MailboxPath::inbox(&subscribe.account);
        let owner = self.name_ensure(&inbox, &[], staged);
        if self.names.subscribed(owner, &subscribe.path) != subscribe.subscribed {
            let (path, subscribed) = (subscribe.path.clone(), subscribe.subscribed);
            self.commit(SubscriptionSet { owner, path, subscribed }, staged);
        }
    }

    /// Makes a mailbox, and what is missing of its name.
    fn mailbox_make(
        &mut self,
        create: &MailboxCreate,
        uid_validity: UidValidity,
        staged: &mut Staged,
    ) -> MailboxId {
        let name = self.name_ensure(&create.path, create.path.components(), staged);
        let id = MailboxId(self.fresh.short(|id| self.names.mailbox(MailboxId(id)).is_some()));
        let modseq = self.modseq_next();
        let MailboxCreate { special_use, now: created, .. } = *create;
        let mailbox = MailboxRow { id, uid_validity, special_use, created, modseq, deleted: None };
        self.commit(MailboxCreated { mailbox }, staged);
        if let Some(row) = self.names.name(name).cloned() {
            self.commit(NameRow { mailbox: Some(id), modseq, ..row }, staged);
        }
        id
    }

    /// Whether there is room for the names that are missing of `components` below the domain and owner of `path`, and
    /// for `joining` others.
    fn names_fit(
        &self,
        path: &MailboxPath,
        components: &[CompactString],
        joining: usize,
    ) -> Result<(), MailstoreError> {
        let root = self.names.root(path.domain(), path.owner());
        let has = root.map_or(0, |root| self.names.count(root));
        let missing = components.len() - self.names.depth_known(path, components);
        match has + missing + joining > limits::MAILBOXES_PER_ACCOUNT_MAX {
            true => Err(MailstoreError::MailboxesTooMany),
            false => Ok(()),
        }
    }

    fn uid_validity_next(&self, now: i64) -> Result<UidValidity, MailstoreError> {
        self.uid_validities(now, 1)?.next().ok_or(MailstoreError::UidsExhausted)
    }

    /// The time where it can be, so that it is above any that a lost store gave out (RFC 3501 2.3.1.1); `count` of
    /// them, each larger than the one before.
    fn uid_validities(
        &self,
        now: i64,
        count: usize,
    ) -> Result<impl Iterator<Item = UidValidity> + use<>, MailstoreError> {
        let now = u32::try_from(now).unwrap_or(0);
        let first = self.marks.uid_validity.checked_add(1).map(|next| next.max(now));
        let end = first.zip(u32::try_from(count).ok()).and_then(|(first, count)| first.checked_add(count));
        let (first, end) = first.zip(end).ok_or(MailstoreError::UidsExhausted)?;
        Ok((first..end).filter_map(UidValidity::new))
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
    ) -> NameId {
        let domain = path.domain().as_str();
        let mut at = self.child_ensure(NameId::ROOT, NameKind::Domain, domain, staged);
        if let Some(owner) = path.owner() {
            at = self.child_ensure(at, NameKind::Owner, owner, staged);
        }
        for component in components {
            at = self.child_ensure(at, NameKind::Component, component, staged);
        }
        at
    }

    fn child_ensure(&mut self, parent: NameId, kind: NameKind, text: &str, staged: &mut Staged) -> NameId {
        if let Some(child) = self.names.child(parent, kind, text) {
            return child;
        }
        let id = NameId(self.fresh.short(|id| self.names.name(NameId(id)).is_some()));
        let modseq = self.modseq_next();
        self.commit(NameRow { id, parent, kind, text: text.into(), mailbox: None, modseq }, staged);
        id
    }
}
