//! All names and mailboxes of the store, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use address::{AccountName, Domain};
use compact_str::CompactString;
use journal::{Decoder, KeyRange, Order, StoreError, ViewRead};

use crate::codec::{Coded, decoded};
use crate::compaction::{Key, Stated};
use crate::entry::{Entry, MailboxRow, NameKind, NameRow};
use crate::id::NameId;
use crate::rows;
use crate::{MailboxEntry, MailboxId, MailboxPath};

/// The name that stands first in a list.
const INBOX: &str = "INBOX";

/// Names as a tree, mailboxes by id, subscriptions by account. Changed by records alone.
#[derive(Debug, Default)]
pub(crate) struct Namespace {
    names: HashMap<NameId, NameRow>,
    children: BTreeMap<(NameId, NameKind, CompactString), NameId>,
    /// Mailboxes that have not been deleted.
    mailboxes: HashMap<MailboxId, MailboxRow>,
    name_of: HashMap<MailboxId, NameId>,
    subscriptions: HashMap<NameId, BTreeSet<MailboxPath>>,
    /// How many components there are below an account or a domain.
    counts: HashMap<NameId, usize>,
}

/// How far the names below a name reach.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Below {
    /// How many there are.
    pub(crate) names: usize,
    /// Levels.
    pub(crate) depth: usize,
    /// Bytes of the longest, with its separators.
    pub(crate) bytes: usize,
}

impl Namespace {
    pub(crate) fn load(view: &dyn ViewRead) -> Result<Self, StoreError> {
        let mut namespace = Self::default();
        for row in view.scan(rows::NAMES, KeyRange::all(), Order::Forward)? {
            namespace.name_put(decoded(&row?.1)?);
        }
        namespace.recount();
        for row in view.scan(rows::MAILBOXES, KeyRange::all(), Order::Forward)? {
            namespace.mailbox_set(decoded(&row?.1)?);
        }
        for row in view.scan(rows::SUBSCRIPTIONS, KeyRange::all(), Order::Forward)? {
            let key = row?.0;
            let mut decoder = Decoder::new(&key);
            let (owner, path) = (NameId::take(&mut decoder)?, MailboxPath::take(&mut decoder)?);
            namespace.subscriptions.entry(owner).or_default().insert(path);
        }
        Ok(namespace)
    }

    /// Takes in what a record says of names; others say nothing.
    pub(crate) fn absorb(&mut self, entry: &Entry) {
        match entry {
            Entry::NameRow(row) => self.name_set(row.clone()),
            Entry::NameRemoved(removed) => {
                self.count_change(self.counted_under(removed.id), -1);
                self.name_take(removed.id);
            }
            Entry::SubscriptionSet(set) => self.subscription_set(&set.owner, &set.path, set.subscribed),
            _ => {}
        }
        if let Some(mailbox) = entry.mailbox() {
            self.mailbox_set(mailbox.clone());
        }
    }

    /// Takes in a record in a replay, where names above or below others may be missing or be those of another time. To be
    /// followed by [`Namespace::recount`].
    pub(crate) fn absorb_uncounted(&mut self, entry: &Entry) {
        match entry {
            Entry::NameRow(row) => self.name_put(row.clone()),
            Entry::NameRemoved(removed) => self.name_take(removed.id),
            Entry::SubscriptionSet(set) => self.subscription_set(&set.owner, &set.path, set.subscribed),
            Entry::Restated(restated) => restated.things.iter().for_each(|thing| self.stated_put(thing)),
            Entry::Removed(removed) => removed.keys.iter().for_each(|key| self.key_take(key)),
            _ => {}
        }
        if let Some(mailbox) = entry.mailbox() {
            self.mailbox_set(mailbox.clone());
        }
    }

    fn stated_put(&mut self, thing: &Stated) {
        match thing {
            Stated::Name(row) => self.name_put(row.clone()),
            Stated::Mailbox(row, _) => self.mailbox_set(row.clone()),
            Stated::Subscription(owner, path) => self.subscription_set(owner, path, true),
            _ => {}
        }
    }

    fn key_take(&mut self, key: &Key) {
        match key {
            Key::Name(id) => self.name_take(*id),
            Key::Mailbox(id) => drop(self.mailboxes.remove(id)),
            Key::Subscription(owner, path) => self.subscription_set(owner, path, false),
            _ => {}
        }
    }

    /// Counts all names anew.
    pub(crate) fn recount(&mut self) {
        self.counts.clear();
        for id in self.names.keys().copied().collect::<Vec<_>>() {
            self.count_change(self.counted_under(id), 1);
        }
    }

    fn name_set(&mut self, row: NameRow) {
        let id = row.id;
        let before = self.counted_under(id);
        self.name_put(row);
        let after = self.counted_under(id);
        if before != after {
            let names = 1 + self.below(id).names as isize;
            self.count_change(before, -names);
            self.count_change(after, names);
        }
    }

    /// The account or domain that counts a component as its own.
    fn counted_under(&self, id: NameId) -> Option<NameId> {
        self.owner_of(id).filter(|owner| *owner != id)
    }

    fn count_change(&mut self, owner: Option<NameId>, change: isize) {
        let Some(owner) = owner else { return };
        let count = self.counts.entry(owner).or_default();
        *count = count.saturating_add_signed(change);
    }

    fn name_put(&mut self, row: NameRow) {
        self.name_take(row.id);
        self.children.insert((row.parent, row.kind, row.text.clone()), row.id);
        if let Some(mailbox) = row.mailbox {
            self.name_of.insert(mailbox, row.id);
        }
        self.names.insert(row.id, row);
    }

    fn name_take(&mut self, id: NameId) {
        let Some(row) = self.names.remove(&id) else { return };
        let key = (row.parent, row.kind, row.text);
        if self.children.get(&key) == Some(&id) {
            self.children.remove(&key);
        }
        if let Some(mailbox) = row.mailbox.filter(|mailbox| self.name_of.get(mailbox) == Some(&id)) {
            self.name_of.remove(&mailbox);
        }
    }

    fn mailbox_set(&mut self, row: MailboxRow) {
        match row.deleted {
            None => drop(self.mailboxes.insert(row.id, row)),
            Some(_) => drop(self.mailboxes.remove(&row.id)),
        }
    }

    fn subscription_set(&mut self, owner: &NameId, path: &MailboxPath, subscribed: bool) {
        let paths = self.subscriptions.entry(*owner).or_default();
        match subscribed {
            true => paths.insert(path.clone()),
            false => paths.remove(path),
        };
    }
}

/// Questions.
impl Namespace {
    pub(crate) fn name(&self, id: NameId) -> Option<&NameRow> {
        self.names.get(&id)
    }

    pub(crate) fn child(&self, parent: NameId, kind: NameKind, text: &str) -> Option<NameId> {
        self.children.get(&(parent, kind, text.into())).copied()
    }

    pub(crate) fn mailbox(&self, id: MailboxId) -> Option<&MailboxRow> {
        self.mailboxes.get(&id)
    }

    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = &MailboxRow> {
        self.mailboxes.values()
    }

    pub(crate) fn name_of(&self, mailbox: MailboxId) -> Option<NameId> {
        self.name_of.get(&mailbox).copied()
    }

    /// The name of a domain or, with an owner, of an account.
    pub(crate) fn root(&self, domain: &Domain, owner: Option<&str>) -> Option<NameId> {
        let domain = self.child(NameId::ROOT, NameKind::Domain, domain.as_str())?;
        match owner {
            Some(owner) => self.child(domain, NameKind::Owner, owner),
            None => Some(domain),
        }
    }

    pub(crate) fn account(&self, account: &AccountName) -> Option<NameId> {
        self.root(account.domain(), Some(account.name()))
    }

    pub(crate) fn find(&self, path: &MailboxPath) -> Option<NameId> {
        let root = self.root(path.domain(), path.owner())?;
        path.components().iter().try_fold(root, |at, text| self.child(at, NameKind::Component, text))
    }

    /// The account or domain that a name belongs to.
    pub(crate) fn owner_of(&self, id: NameId) -> Option<NameId> {
        let mut row = self.name(id)?;
        while row.kind == NameKind::Component {
            row = self.name(row.parent)?;
        }
        Some(row.id)
    }

    pub(crate) fn path_of(&self, id: NameId) -> Option<MailboxPath> {
        let mut row = self.name(id)?;
        let mut components = Vec::new();
        while row.kind == NameKind::Component {
            components.push(row.text.clone());
            row = self.name(row.parent)?;
        }
        components.reverse();
        let owner = (row.kind == NameKind::Owner).then(|| row.text.clone());
        let domain = if owner.is_some() { self.name(row.parent)? } else { row };
        Some(MailboxPath::from_parts(Domain::parse(&domain.text).ok()?, owner, components))
    }

    /// How many names there are below an account or a domain.
    pub(crate) fn count(&self, owner: NameId) -> usize {
        self.counts.get(&owner).copied().unwrap_or_default()
    }

    /// How many of `components`, from the first on, there are below the domain and owner of `path`.
    pub(crate) fn depth_known(&self, path: &MailboxPath, components: &[CompactString]) -> usize {
        let mut at = self.root(path.domain(), path.owner());
        let known = components.iter().take_while(|text| {
            at = at.and_then(|at| self.child(at, NameKind::Component, text));
            at.is_some()
        });
        known.count()
    }

    pub(crate) fn below(&self, id: NameId) -> Below {
        let mut below = Below::default();
        let mut waiting = vec![(id, 0, 0)];
        while let Some((id, depth, bytes)) = waiting.pop() {
            below.depth = below.depth.max(depth);
            below.bytes = below.bytes.max(bytes);
            for child in self.children_of(id) {
                below.names += 1;
                let length = self.name(child).map_or(0, |row| row.text.len() + 1);
                waiting.push((child, depth + 1, bytes + length));
            }
        }
        below
    }

    pub(crate) fn has_children(&self, id: NameId) -> bool {
        self.children_of(id).next().is_some()
    }

    /// The components below a name, sorted.
    fn children_of(&self, id: NameId) -> impl Iterator<Item = NameId> + '_ {
        let from = (id, NameKind::Component, CompactString::default());
        let range = (Bound::Included(from), Bound::Unbounded);
        self.children.range(range).take_while(move |(key, _)| key.0 == id).map(|(_, child)| *child)
    }

    /// The entry of a name, as `account` sees it.
    pub(crate) fn entry(
        &self,
        id: NameId,
        path: MailboxPath,
        account: Option<NameId>,
    ) -> Option<MailboxEntry> {
        let mailbox = self.name(id)?.mailbox;
        Some(MailboxEntry {
            id: mailbox,
            special_use: mailbox.and_then(|mailbox| self.mailbox(mailbox)).and_then(|row| row.special_use),
            has_children: self.has_children(id),
            subscribed: account.is_some_and(|account| self.subscribed(account, &path)),
            path,
        })
    }

    /// All names of an account, parents before children, the inbox first.
    pub(crate) fn list(&self, account: &AccountName) -> Vec<MailboxEntry> {
        let Some(root) = self.account(account) else { return Vec::new() };
        let mut waiting: Vec<NameId> = self.children_of(root).collect();
        waiting.sort_by_key(|id| self.name(*id).is_none_or(|row| row.text != INBOX));
        waiting.reverse();
        let mut entries = Vec::new();
        while let Some(id) = waiting.pop() {
            entries.extend(self.path_of(id).and_then(|path| self.entry(id, path, Some(root))));
            let at = waiting.len();
            waiting.extend(self.children_of(id));
            waiting[at..].reverse();
        }
        entries
    }

    pub(crate) fn subscriptions(&self, account: NameId) -> impl Iterator<Item = &MailboxPath> + '_ {
        self.subscriptions.get(&account).into_iter().flatten()
    }

    pub(crate) fn subscribed(&self, account: NameId, path: &MailboxPath) -> bool {
        self.subscriptions.get(&account).is_some_and(|paths| paths.contains(path))
    }
}
