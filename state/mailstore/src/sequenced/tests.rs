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

/// A crash between a purge of messages and that of their bodies leaves bodies that nothing refers to, until the next purge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_nothing_refers_to_is_said_again_until_it_is_purged() {
    let settings = MailstoreSettings { segment_bytes: 2 * 1024, ..MailstoreSettings::in_memory("m") };
    let store = Mailstore::open(settings, Arc::new(FaultDisk::new())).unwrap();
    let inbox = store.account_ensure(&AccountName::parse("alice@example.org").unwrap()).await.unwrap();
    for number in 0..20 {
        let body = disk::Body::from_bytes(format!("Subject: s{number}\r\n\r\nbody\r\n").into_bytes());
        let internal_date = jiff::Timestamp::UNIX_EPOCH;
        let request =
            crate::AppendRequest { mailbox: inbox, body, flags: crate::Flags::EMPTY, internal_date };
        store.append(request).await.unwrap();
    }
    let row = store.snapshot(inbox).await.unwrap().rows().next().unwrap().message();
    let uids = crate::UidSet::range(row.uid, row.uid);
    let deleted = crate::FlagChange::Add([crate::SystemFlag::Deleted].into_iter().collect());
    store.store(inbox, uids, deleted, None).await.unwrap();
    store.expunge(inbox, None).await.unwrap();
    let (body, mailbox, uid) = (row.body, inbox, row.uid);
    let reference = compaction::ReferenceAt { body, mailbox, uid };
    let keys = vec![Key::Message(inbox, uid), Key::Reference(reference)];
    store.submit(Command::Purge(crate::command::Purge { keys, floor: None, until: i64::MAX })).await.unwrap();
    let every = journal::CompactionSettings { live_share_max: 2.0, ..journal::CompactionSettings::eager() };
    let report = tokio::task::block_in_place(|| store.compact(every)).unwrap();
    assert!(report.compacted > 0 && report.stuck.is_empty(), "{report}");
    let checked = tokio::task::block_in_place(|| store.check(&crate::CheckOptions::default())).unwrap();
    assert!(checked.is_sound(), "{checked}");
    assert!(store.body(body).await.is_ok());
    assert_eq!(store.purge(std::time::Duration::MAX).await.unwrap().bodies, 1);
}
