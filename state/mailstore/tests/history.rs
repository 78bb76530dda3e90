//! Random histories against a model, with purges, compaction, restarts and crashes in between: what was acknowledged is
//! there, what was taken away does not come back, uids and modseqs only grow, and the view that was maintained is the one
//! that the rest of the journal gives.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use disk::{Crash, Disk, FaultDisk, RealDisk};
use journal::CompactionSettings;
use mailstore::{
    CheckOptions, FlagChange, Flags, Keyword, MailboxId, Mailstore, MailstoreError, MailstoreSettings,
    SystemFlag, UidSet, ViewKind,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{alice, message, path, request, uid};

/// Names that the history plays with.
const NAMES: [&[&str]; 6] = [&["INBOX"], &["a"], &["a", "b"], &["a", "b", "c"], &["x"], &["INBOX", "y"]];

#[derive(Debug, Clone)]
enum Step {
    Append(usize, u8),
    Store(usize, u64, u8, u8),
    Copy(usize, u64, usize),
    Move(usize, u64, usize),
    Expunge(usize, Option<u64>),
    Create(usize),
    Delete(usize),
    Rename(usize, usize),
    Claim(usize),
    AppendLarge(usize),
    Subscribe(usize, bool),
    /// What is out of sight goes for good.
    Purge,
    /// Segments of which less than this many tenths are needed.
    Compact(u8),
    Reopen,
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    prop_oneof![
        6 => (name(), any::<u8>()).prop_map(|(at, flags)| Step::Append(at, flags)),
        3 => (name(), any::<u64>(), any::<u8>(), 0u8..3).prop_map(|(at, set, flags, how)| Step::Store(at, set, flags, how)),
        2 => (name(), any::<u64>(), name()).prop_map(|(from, set, to)| Step::Copy(from, set, to)),
        2 => (name(), any::<u64>(), name()).prop_map(|(from, set, to)| Step::Move(from, set, to)),
        2 => (name(), any::<Option<u64>>()).prop_map(|(at, set)| Step::Expunge(at, set)),
        3 => name().prop_map(Step::Create),
        1 => name().prop_map(Step::Delete),
        1 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Claim),
        1 => name().prop_map(Step::AppendLarge),
        1 => (name(), any::<bool>()).prop_map(|(at, subscribed)| Step::Subscribe(at, subscribed)),
        2 => Just(Step::Purge),
        3 => prop_oneof![Just(5), Just(9), Just(11), Just(11)].prop_map(Step::Compact),
        1 => Just(Step::Reopen),
        1 => any::<u64>().prop_map(Step::Crash),
    ]
}

type Name = Vec<&'static str>;

/// A mailbox as it should be.
#[derive(Debug, Clone, Default)]
struct Mail {
    /// Flags and subject.
    rows: BTreeMap<u32, (Flags, String)>,
    uid_last: u32,
    modseq: u64,
}

#[derive(Default)]
struct Model {
    /// Names, and the mailbox of each.
    names: BTreeMap<Name, Option<MailboxId>>,
    mail: BTreeMap<MailboxId, Mail>,
    subscribed: BTreeSet<Name>,
    appended: u32,
}

impl Model {
    fn mailbox(&self, at: usize) -> Option<MailboxId> {
        self.names.get(NAMES[at]).copied().flatten()
    }

    fn below(&self, name: &[&str]) -> Vec<Name> {
        self.names
            .keys()
            .filter(|other| other.len() > name.len() && other.starts_with(name))
            .cloned()
            .collect()
    }

    fn add_above(&mut self, name: &[&'static str]) {
        for len in 1..name.len() {
            self.names.entry(name[..len].to_vec()).or_default();
        }
    }

    /// Which messages a bit mask picks.
    fn picked(&self, mailbox: MailboxId, set: u64) -> UidSet {
        let uids = self.mail[&mailbox].rows.keys();
        uids.enumerate().filter(|(at, _)| set >> (at % 64) & 1 == 1).map(|(_, number)| uid(*number)).collect()
    }

    fn arrive(&mut self, mailbox: MailboxId, rows: Vec<(Flags, String)>) {
        let mail = self.mail.get_mut(&mailbox).unwrap();
        for row in rows {
            mail.uid_last += 1;
            mail.rows.insert(mail.uid_last, row);
        }
    }

    fn rows(&self, mailbox: MailboxId, uids: &UidSet) -> Vec<(Flags, String)> {
        uids.iter().map(|uid| self.mail[&mailbox].rows[&uid.number()].clone()).collect()
    }
}

fn flags(bits: u8) -> Flags {
    let all = [SystemFlag::Seen, SystemFlag::Deleted, SystemFlag::Flagged];
    let system = all.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, flag)| flag);
    let keywords = ["k1", "k2"].into_iter().enumerate().filter(|(at, _)| bits >> (at + 3) & 1 == 1);
    Flags::new(system, keywords.map(|(_, text)| Keyword::parse(text).unwrap())).unwrap()
}

/// Subjects of messages that are in files of their own begin with it.
const LARGE: &str = "large";

/// The message with this subject.
fn text(subject: &str) -> String {
    let mut text = message(subject);
    if subject.starts_with(LARGE) {
        text.push_str(&"xxxxxxx\r\n".repeat(limits::BODY_MEMORY_BYTES_MAX / 8));
    }
    text
}

/// A store under test and its model.
struct History {
    settings: MailstoreSettings,
    disk: Arc<dyn Disk>,
    fault: Option<FaultDisk>,
    store: Mailstore,
    model: Model,
    /// Segments that are gone.
    compacted: usize,
}

impl History {
    async fn begin(settings: MailstoreSettings, disk: Arc<dyn Disk>, fault: Option<FaultDisk>) -> Self {
        let store = Mailstore::open(settings.clone(), disk.clone()).unwrap();
        let inbox = store.account_ensure(&alice()).await.unwrap();
        let mut model = Model::default();
        model.names.insert(vec!["INBOX"], Some(inbox));
        model.mail.insert(inbox, Mail::default());
        model.subscribed.insert(vec!["INBOX"]);
        Self { settings, disk, fault, store, model, compacted: 0 }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Append(at, bits) => self.append(*at, *bits, "s").await,
            Step::AppendLarge(at) => self.append(*at, 0, LARGE).await,
            Step::Subscribe(at, subscribed) => self.subscribe(*at, *subscribed).await,
            Step::Purge => self.purge().await,
            Step::Compact(tenths) => self.compact(*tenths),
            Step::Store(at, set, bits, how) => self.flag(*at, *set, *bits, *how).await,
            Step::Copy(from, set, to) => self.copy(*from, *set, *to).await,
            Step::Move(from, set, to) => self.move_messages(*from, *set, *to).await,
            Step::Expunge(at, set) => self.expunge(*at, *set).await,
            Step::Create(at) => self.create(*at).await,
            Step::Delete(at) => self.delete(*at).await,
            Step::Rename(from, to) => self.rename(*from, *to).await,
            Step::Claim(at) => self.claim(*at),
            Step::Reopen => self.reopen(),
            Step::Crash(seed) => self.crash(*seed),
        }
    }

    async fn append(&mut self, at: usize, bits: u8, prefix: &str) {
        let Some(mailbox) = self.model.mailbox(at) else { return };
        self.model.appended += 1;
        let subject = format!("{prefix}{}", self.model.appended);
        let appended = self.store.append(request(mailbox, &text(&subject), flags(bits))).await.unwrap();
        self.model.arrive(mailbox, vec![(flags(bits), subject)]);
        assert_eq!(appended.uid().number(), self.model.mail[&mailbox].uid_last);
    }

    async fn flag(&mut self, at: usize, set: u64, bits: u8, how: u8) {
        let Some(mailbox) = self.model.mailbox(at) else { return };
        let uids = self.model.picked(mailbox, set);
        let change = [FlagChange::Add, FlagChange::Remove, FlagChange::Replace][how as usize](flags(bits));
        let outcome = self.store.store(mailbox, uids.clone(), change.clone(), None).await.unwrap();
        let mut changed = UidSet::new();
        for uid in uids.iter() {
            let row = self.model.mail.get_mut(&mailbox).unwrap().rows.get_mut(&uid.number()).unwrap();
            let after = row.0.changed(&change).unwrap();
            if after != row.0 {
                changed.insert(uid);
            }
            row.0 = after;
        }
        assert_eq!(outcome.changed, changed);
    }

    async fn copy(&mut self, from: usize, set: u64, to: usize) {
        let (Some(from), Some(to)) = (self.model.mailbox(from), self.model.mailbox(to)) else { return };
        let uids = self.model.picked(from, set);
        let outcome = self.store.copy(from, uids.clone(), to).await.unwrap();
        let rows = self.model.rows(from, &uids);
        self.model.arrive(to, rows);
        assert_eq!((outcome.source, outcome.destination.len()), (uids.clone(), uids.len()));
    }

    async fn move_messages(&mut self, from: usize, set: u64, to: usize) {
        let (Some(from), Some(to)) = (self.model.mailbox(from), self.model.mailbox(to)) else { return };
        let uids = self.model.picked(from, set);
        self.store.move_messages(from, uids.clone(), to).await.unwrap();
        let rows = self.model.rows(from, &uids);
        let source = self.model.mail.get_mut(&from).unwrap();
        uids.iter().for_each(|uid| drop(source.rows.remove(&uid.number())));
        self.model.arrive(to, rows);
    }

    async fn expunge(&mut self, at: usize, set: Option<u64>) {
        let Some(mailbox) = self.model.mailbox(at) else { return };
        let asked = set.map(|set| self.model.picked(mailbox, set));
        let outcome = self.store.expunge(mailbox, asked.clone()).await.unwrap();
        let rows = &mut self.model.mail.get_mut(&mailbox).unwrap().rows;
        let before = rows.len();
        rows.retain(|number, (flags, _)| {
            let asked = asked.as_ref().is_none_or(|asked| asked.contains(uid(*number)));
            !(asked && flags.has(SystemFlag::Deleted))
        });
        assert_eq!(outcome.uids.len(), before - rows.len());
    }

    async fn create(&mut self, at: usize) {
        let created = self.store.mailbox_create(&path(NAMES[at]), None).await;
        if self.model.mailbox(at).is_some() {
            assert!(matches!(created, Err(MailstoreError::MailboxExists)));
            return;
        }
        let created = created.unwrap();
        self.model.add_above(NAMES[at]);
        self.model.names.insert(NAMES[at].to_vec(), Some(created));
        assert!(self.model.mail.insert(created, Mail::default()).is_none(), "a new id");
    }

    async fn delete(&mut self, at: usize) {
        let deleted = self.store.mailbox_delete(&path(NAMES[at])).await;
        let below = !self.model.below(NAMES[at]).is_empty();
        match self.model.names.get(NAMES[at]).copied() {
            _ if at == 0 => assert!(matches!(deleted, Err(MailstoreError::InboxPermanent))),
            None => assert!(matches!(deleted, Err(MailstoreError::MailboxUnknown))),
            Some(None) if below => assert!(matches!(deleted, Err(MailstoreError::HasChildren))),
            Some(mailbox) => {
                deleted.unwrap();
                mailbox.map(|mailbox| self.model.mail.remove(&mailbox));
                match below {
                    true => self.model.names.insert(NAMES[at].to_vec(), None),
                    false => self.model.names.remove(NAMES[at]),
                };
            }
        }
    }

    async fn rename(&mut self, from: usize, to: usize) {
        let renamed = self.store.mailbox_rename(&path(NAMES[from]), &path(NAMES[to])).await;
        let (from, to) = (NAMES[from], NAMES[to]);
        if !self.model.names.contains_key(from) {
            return assert!(matches!(renamed, Err(MailstoreError::MailboxUnknown)));
        }
        if self.model.names.contains_key(to) {
            return assert!(matches!(renamed, Err(MailstoreError::MailboxExists)));
        }
        if from == ["INBOX"] {
            return self.inbox_renamed(to);
        }
        if to.starts_with(from) {
            return assert!(matches!(renamed, Err(MailstoreError::RenameImpossible)));
        }
        renamed.unwrap();
        self.model.add_above(to);
        for name in self.model.below(from).into_iter().chain([from.to_vec()]) {
            let mailbox = self.model.names.remove(&name).unwrap();
            self.model.names.insert([to, &name[from.len()..]].concat(), mailbox);
        }
    }

    fn inbox_renamed(&mut self, to: &'static [&'static str]) {
        let mailbox = self.store.mailbox_find(&path(to)).unwrap().id.unwrap();
        self.model.add_above(to);
        self.model.names.insert(to.to_vec(), Some(mailbox));
        assert!(self.model.mail.insert(mailbox, Mail::default()).is_none(), "a new id");
        let inbox = self.model.mailbox(0).unwrap();
        let rows = std::mem::take(&mut self.model.mail.get_mut(&inbox).unwrap().rows);
        self.model.arrive(mailbox, rows.into_values().collect());
    }

    fn claim(&mut self, at: usize) {
        let Some(mailbox) = self.model.mailbox(at) else { return };
        let claim = self.store.recent_claim(mailbox).unwrap();
        assert_eq!(claim.until.number(), self.model.mail[&mailbox].uid_last + 1);
        assert!(self.store.recent_claim(mailbox).unwrap().from == claim.until);
    }

    async fn subscribe(&mut self, at: usize, subscribed: bool) {
        let name = NAMES[at].to_vec();
        match subscribed {
            true => {
                self.store.subscribe(&alice(), &path(&name)).await.unwrap();
                self.model.subscribed.insert(name);
            }
            false => {
                self.store.unsubscribe(&alice(), &path(&name)).await.unwrap();
                self.model.subscribed.remove(&name);
            }
        }
    }

    /// Afterwards there is nothing besides what users see.
    async fn purge(&mut self) {
        self.store.purge(Duration::ZERO).await.unwrap();
        let report = tokio::task::block_in_place(|| self.store.check(&CheckOptions::default())).unwrap();
        assert!(report.is_sound(), "{report}");
        let rows = || self.model.mail.values().flat_map(|mail| mail.rows.values());
        let bodies: BTreeSet<_> = rows().map(|(_, subject)| subject).collect();
        assert_eq!(report.messages, rows().count() as u64);
        assert_eq!(report.mailboxes, self.model.mail.len() as u64);
        assert_eq!(report.bodies, bodies.len() as u64);
        let large = bodies.iter().filter(|subject| subject.starts_with(LARGE)).count();
        let files = self.disk.list(&self.settings.dir.join("bodies")).unwrap();
        assert_eq!(files.len(), large);
    }

    fn compact(&mut self, tenths: u8) {
        let live_share_max = f64::from(tenths) / 10.0;
        let settings = CompactionSettings { live_share_max, ..CompactionSettings::eager() };
        let report = tokio::task::block_in_place(|| self.store.compact(settings)).unwrap();
        assert!(report.stuck.is_empty(), "{report}");
        self.compacted += report.compacted;
        let differences = self.store.differences().unwrap();
        assert!(differences.is_empty(), "{}", differences[0]);
    }

    /// Stops the store and lets go of its files, which an empty one takes the place of.
    fn close(&mut self) {
        self.store.stop().unwrap();
        self.store =
            Mailstore::open(MailstoreSettings::in_memory("elsewhere"), Arc::new(FaultDisk::new())).unwrap();
    }

    fn reopen(&mut self) {
        self.close();
        self.store = Mailstore::open(self.settings.clone(), self.disk.clone()).unwrap();
    }

    fn crash(&mut self, seed: u64) {
        let Some(fault) = &self.fault else { return self.view_lost() };
        fault.crash(match seed % 3 {
            0 => Crash::Power,
            1 => Crash::Process,
            _ => Crash::Torn(seed),
        });
        self.store = Mailstore::open(self.settings.clone(), self.disk.clone()).unwrap();
    }

    /// On a real disk, the view is deleted instead, and made again from the journal.
    fn view_lost(&mut self) {
        self.close();
        std::fs::remove_dir_all(self.settings.dir.join("view")).unwrap();
        self.store = Mailstore::open(self.settings.clone(), self.disk.clone()).unwrap();
    }

    /// What readers see is what the model says, and nothing went back.
    async fn agrees(&mut self) {
        let listed = self.store.mailbox_list(&alice());
        let listed: BTreeMap<Vec<String>, _> = listed
            .into_iter()
            .map(|entry| (entry.path.components().iter().map(|text| text.to_string()).collect(), entry.id))
            .collect();
        let expected: BTreeMap<Vec<String>, _> = self
            .model
            .names
            .iter()
            .map(|(name, id)| (name.iter().map(|text| text.to_string()).collect(), *id))
            .collect();
        assert_eq!(listed, expected);
        let subscriptions = self.store.subscriptions(&alice()).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(subscriptions, self.model.subscribed.iter().map(|name| path(name)).collect());
        for (mailbox, mail) in &mut self.model.mail {
            let snapshot = self.store.snapshot(*mailbox).await.unwrap();
            let rows: Vec<_> = snapshot.rows().map(|row| (row.uid.number(), row.flags.clone())).collect();
            let expected: Vec<_> = mail.rows.iter().map(|(uid, (flags, _))| (*uid, flags.clone())).collect();
            assert_eq!(rows, expected);
            let status = self.store.status(*mailbox).await.unwrap();
            let count = |wanted: fn(&Flags) -> bool| {
                mail.rows.values().filter(|(flags, _)| wanted(flags)).count() as u32
            };
            assert_eq!(status.messages, mail.rows.len() as u32);
            assert_eq!(status.unseen, count(|flags| !flags.has(SystemFlag::Seen)));
            assert_eq!(status.deleted, count(|flags| flags.has(SystemFlag::Deleted)));
            assert_eq!(status.uid_next.number(), mail.uid_last + 1, "no uid is reused");
            assert!(status.highest_modseq.number() >= mail.modseq, "no modseq goes back");
            mail.modseq = status.highest_modseq.number();
        }
    }

    async fn bodies_are_whole(&self) {
        for (mailbox, mail) in &self.model.mail {
            let snapshot = self.store.snapshot(*mailbox).await.unwrap();
            for (row, (_, subject)) in snapshot.rows().zip(mail.rows.values()) {
                let body = self.store.body(row.body).await.unwrap().read_all().unwrap();
                assert!(body == text(subject).as_bytes(), "{subject}");
            }
        }
    }

    async fn end(&mut self) {
        self.agrees().await;
        self.bodies_are_whole().await;
        let differences = self.store.differences().unwrap();
        assert!(differences.is_empty(), "{}", differences[0]);
        self.reopen();
        self.agrees().await;
    }
}

/// A journal of many small segments.
fn settings() -> MailstoreSettings {
    MailstoreSettings { segment_bytes: 2 * 1024, ..support::settings() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

#[test]
fn a_history_with_crashes_purges_and_compaction_is_what_was_acknowledged() {
    let config = ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() };
    let compacted = Cell::new(0);
    let run = TestRunner::new(config).run(&prop::collection::vec(step(), 1..160), |steps| {
        runtime().block_on(async {
            let disk = FaultDisk::new();
            let mut history = History::begin(settings(), Arc::new(disk.clone()), Some(disk)).await;
            for step in &steps {
                history.step(step).await;
                history.agrees().await;
            }
            history.end().await;
            compacted.set(compacted.get() + history.compacted);
        });
        Ok(())
    });
    run.unwrap();
    assert!(compacted.get() > 100, "compaction was put to the test: {} segments", compacted.get());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_view_made_again_from_the_journal_is_the_one_that_was_maintained(
        steps in prop::collection::vec(step(), 20..60),
    ) {
        runtime().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let settings =
                MailstoreSettings { dir: dir.path().join("m"), view: ViewKind::Disk, ..settings() };
            let mut history = History::begin(settings, Arc::new(RealDisk), None).await;
            // Opening a view on disk is slow where syncs are; the end does it often enough.
            for step in steps.iter().filter(|step| !matches!(step, Step::Reopen | Step::Crash(_))) {
                history.step(step).await;
            }
            history.end().await;
            history.view_lost();
            history.end().await;
        });
    }
}
