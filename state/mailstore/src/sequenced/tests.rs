use std::sync::Arc;

use address::AccountName;
use disk::FaultDisk;

use crate::command::{Command, MailboxCreate};
use crate::{MailboxPath, Mailstore, MailstoreError, MailstoreSettings};

use super::*;

fn path(components: &[&str]) -> MailboxPath {
    MailboxPath::personal(&AccountName::parse("alice@example.org").unwrap(), components).unwrap()
}

fn create(components: &[&str], now: i64) -> Command {
    Command::MailboxCreate(MailboxCreate { path: path(components), special_use: None, now })
}

#[tokio::test]
async fn a_command_that_fails_leaves_nothing_of_it() {
    let store = Mailstore::open(MailstoreSettings::in_memory("m"), Arc::new(FaultDisk::new())).unwrap();
    store.submit(create(&["last"], i64::from(u32::MAX) - 1)).await.unwrap();
    let before = store.inner.journal.lsn_next();
    let refused = store.submit(create(&["a", "b"], 0)).await;
    assert!(matches!(refused, Err(MailstoreError::UidsExhausted)), "no uid validity is left");
    let ensured = store.account_ensure(&AccountName::parse("bob@example.org").unwrap()).await;
    assert!(matches!(ensured, Err(MailstoreError::UidsExhausted)));
    assert_eq!(store.inner.journal.lsn_next(), before);
    assert!(store.mailbox_find(&path(&["a"])).is_none());
}

#[tokio::test]
async fn a_deleted_mailbox_is_let_go_from_memory() {
    let settings = MailstoreSettings::in_memory("m");
    let disk = FaultDisk::new();
    let store = Mailstore::open(settings.clone(), Arc::new(disk.clone())).unwrap();
    store.mailbox_create(&path(&["a"]), None).await.unwrap();
    store.mailbox_delete(&path(&["a"])).await.unwrap();
    let view = store.inner.shared.view.snapshot();
    assert!(load::counters_all(&*view, &Namespace::load(&*view).unwrap()).unwrap().is_empty());
    let mut sequenced = Sequenced::new(store.inner.shared.clone(), Fresh::new().unwrap());
    for frame in store.inner.journal.read(Lsn::FIRST).unwrap() {
        for stored in &frame.unwrap().records {
            let mut batch = ViewBatch::new();
            sequenced.apply(stored.lsn(), &stored.record, &stored.place, &mut batch).unwrap();
        }
    }
    sequenced.publish();
    assert!(sequenced.counters.is_empty());
}
