//! `check`: whether what a store shows is what its journal says, and whether all of it can be read.
//!
//! A check goes through everything, names what it finds and stops at nothing. It changes nothing in a store that is in use;
//! of one that is not, it can have the view made again ([`check_directory`]). What the journal itself has lost nothing here
//! brings back.

mod messages;
mod report;
mod view;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use disk::Disk;
use journal::{FjallView, KeyRange, MemoryView, Order, View, ViewRead};

use crate::rows::{self, TABLES};
use crate::{BodyId, Mailstore, MailstoreError, MailstoreSettings, ViewKind};
pub use report::{CheckReport, Finding, FindingKind};
pub use view::Difference;
pub(crate) use view::differences;

/// How thorough a check is, and how much it holds others up.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Whether each message is scanned again and compared with what IMAP is shown of it.
    pub rendered: bool,
    /// A pause after each mebibyte read.
    pub pause: Duration,
}

/// Bytes read between two pauses.
const PACE_BYTES: usize = 1024 * 1024;

/// Lets others have their turn.
pub(crate) struct Pace {
    pause: Duration,
    read: Cell<usize>,
}

impl Pace {
    fn new(options: &CheckOptions) -> Self {
        Self { pause: options.pause, read: Cell::new(0) }
    }

    fn read(&self, bytes: usize) {
        let read = self.read.get() + bytes;
        self.read.set(read % PACE_BYTES);
        if read >= PACE_BYTES && !self.pause.is_zero() {
            thread::sleep(self.pause);
        }
    }
}

impl Mailstore {
    /// Checks the whole store, which may be in use. Blocks, and takes as long as reading the journal does.
    pub fn check(&self, options: &CheckOptions) -> Result<CheckReport, MailstoreError> {
        let pace = Pace::new(options);
        let mut report = CheckReport::default();
        self.journal_check(&mut report)?;
        let (maintained, differences) = self.compared(&pace)?;
        differences.iter().for_each(|difference| report.difference(difference));
        messages::check(&self.inner, &*maintained, options.rendered, &pace, &mut report)?;
        Ok(report)
    }

    /// Replays the whole journal and compares the outcome with the view as it is now. Blocks.
    pub fn differences(&self) -> Result<Vec<Difference>, MailstoreError> {
        self.compared(&Pace::new(&CheckOptions::default())).map(|(_, differences)| differences)
    }

    /// How many messages share a body, expunged ones included; a large copy that is under way counts too.
    pub fn body_references(&self, body: BodyId) -> Result<usize, MailstoreError> {
        let mut references = 0;
        for table in [rows::REFERENCES, rows::TRANSFER_REFERENCES] {
            let range = KeyRange::prefix(&rows::body_key(body));
            let rows = self.inner.shared.view.scan(table, range, Order::Forward)?;
            references += rows.collect::<Result<Vec<_>, _>>()?.len();
        }
        Ok(references)
    }

    fn journal_check(&self, report: &mut CheckReport) -> Result<(), MailstoreError> {
        for damage in self.inner.local.verify()? {
            report.add(Finding::new(FindingKind::Journal, damage.to_string()));
        }
        Ok(())
    }

    /// The view as it is now, and in what it differs from one made again. Compaction waits meanwhile: what it says again
    /// after this point is not yet in the view that is compared.
    fn compared(&self, pace: &Pace) -> Result<(Box<dyn ViewRead>, Vec<Difference>), MailstoreError> {
        let _pin = self.inner.local.pin();
        let maintained = self.inner.shared.view.snapshot();
        let rebuilt = Scratch::new(self.inner.scratch.clone())?;
        view::rebuild(&*self.inner.journal, &*rebuilt.view, maintained.applied_lsn(), pace)?;
        let differences = differences(&*maintained, &*rebuilt.view)?;
        Ok((maintained, differences))
    }
}

/// Checks a store that nobody uses. With `repair`, a view that differs from its journal is made again; what is found then is
/// what was found before, and [`CheckReport::repaired`] says that the view is sound now. Blocks.
pub fn check_directory(
    settings: MailstoreSettings,
    disk: Arc<dyn Disk>,
    options: &CheckOptions,
    repair: bool,
) -> Result<CheckReport, MailstoreError> {
    let settings = MailstoreSettings { purge_interval: None, compaction: None, ..settings };
    let store = Mailstore::open(settings.clone(), disk.clone())?;
    let mut report = store.check(options)?;
    store.stop()?;
    if repair && report.is_view_unsound() {
        store.inner.shared.view.clear()?;
        store.inner.shared.view.sync()?;
        drop(store);
        let store = Mailstore::open(settings, disk)?;
        report.repaired = store.differences()?.is_empty();
        store.stop()?;
    }
    Ok(report)
}

/// A view that is made for a check and removed after it.
struct Scratch {
    view: Box<dyn View>,
    dir: Option<PathBuf>,
}

impl Scratch {
    /// On disk where the other one is, since a large store would not fit in memory.
    fn new(dir: Option<PathBuf>) -> Result<Self, MailstoreError> {
        let view: Box<dyn View> = match &dir {
            None => Box::new(MemoryView::new(&TABLES)),
            Some(dir) => {
                remove(dir);
                Box::new(FjallView::open(dir, &TABLES)?)
            }
        };
        Ok(Self { view, dir })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.view = Box::new(MemoryView::new(&[]));
        self.dir.iter().for_each(|dir| remove(dir));
    }
}

/// What cannot be removed now is removed by the next check.
fn remove(dir: &std::path::Path) {
    let _ = std::fs::remove_dir_all(dir);
}

/// Where the view of a check of a store is made; in memory if that has its view there too.
pub(crate) fn scratch_dir(settings: &MailstoreSettings) -> Option<PathBuf> {
    (settings.view == ViewKind::Disk).then(|| settings.dir.join("view.check"))
}

#[cfg(test)]
mod tests {
    use address::AccountName;
    use disk::RealDisk;
    use journal::ViewBatch;

    use super::*;

    #[tokio::test]
    async fn a_view_that_differs_is_named_and_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let settings =
            MailstoreSettings { account_mailboxes: Vec::new(), ..MailstoreSettings::new(dir.path()) };
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let store = Mailstore::open(settings.clone(), disk.clone()).unwrap();
        let alice = AccountName::parse("alice@example.org").unwrap();
        let inbox = store.account_ensure(&alice).await.unwrap();
        store.stop().unwrap();
        let view = store.inner.shared.view.clone();
        let first = view.scan(rows::SUBSCRIPTIONS, KeyRange::all(), Order::Forward).unwrap().next();
        let mut batch = ViewBatch::new();
        batch.remove(rows::SUBSCRIPTIONS, first.unwrap().unwrap().0);
        view.apply(view.applied_lsn(), batch).unwrap();
        drop((view, store));

        let options = CheckOptions::default();
        let found = check_directory(settings.clone(), disk.clone(), &options, false).unwrap();
        assert!(matches!(&found.findings[..], [finding] if finding.kind == FindingKind::View), "{found}");
        let mended = check_directory(settings.clone(), disk.clone(), &options, true).unwrap();
        assert!(mended.repaired && !mended.is_sound(), "{mended}");
        assert!(!dir.path().join("view.check").exists());
        let store = Mailstore::open(settings, disk).unwrap();
        assert_eq!(store.subscriptions(&alice).len(), 1);
        assert!(store.status(inbox).await.is_ok());
    }
}
