//! What goes out of sight is kept for its retention, and then it is gone for good.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use disk::{Crash, Disk, FaultDisk};
use mailstore::{FlagChange, Flags, Mailstore, MailstoreError, MailstoreSettings, SystemFlag};
use support::{Bench, alice, flags, message, path, request, uid, uids};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn large() -> String {
    format!("Message-ID: <large@x>\r\nSubject: l\r\n\r\n{}", "x".repeat(limits::BODY_MEMORY_BYTES_MAX))
}

fn files(disk: &FaultDisk) -> usize {
    disk.list(Path::new("m/bodies")).unwrap().len()
}

#[tokio::test]
async fn an_expunged_message_is_kept_until_its_retention_is_over() {
    let mut bench = Bench::new().await;
    bench.append_to(bench.inbox, &large(), Flags::EMPTY).await;
    bench.append("kept").await;
    let body = bench.store.snapshot(bench.inbox).await.unwrap().row(1).unwrap().body;
    bench.delete(bench.inbox, [1]).await;
    let nothing = bench.store.purge(DAY).await.unwrap();
    assert_eq!(nothing, mailstore::Purged::default());
    assert_eq!((bench.store.message_id_find("large@x").await.unwrap().len(), files(&bench.disk)), (1, 1));

    let purged = bench.store.purge(Duration::ZERO).await.unwrap();
    assert_eq!((purged.messages, purged.bodies), (1, 1));
    assert!(bench.store.message_id_find("large@x").await.unwrap().is_empty());
    assert!(matches!(bench.store.body(body).await, Err(MailstoreError::BodyUnknown)));
    assert_eq!(files(&bench.disk), 0);
    bench.crash(Crash::Power);
    assert_eq!(bench.uids(bench.inbox).await, [2]);
    assert_eq!(bench.append("next").await.uid(), uid(3));
    bench.check();
}

#[tokio::test]
async fn a_body_stays_as_long_as_a_copy_uses_it() {
    let bench = Bench::new().await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    bench.append("one").await;
    bench.store.copy(bench.inbox, uids([1]), other).await.unwrap();
    bench.delete(bench.inbox, [1]).await;
    let purged = bench.store.purge(Duration::ZERO).await.unwrap();
    assert_eq!((purged.messages, purged.bodies), (1, 0));
    let body = bench.store.snapshot(other).await.unwrap().row(1).unwrap().body;
    assert_eq!(bench.store.body(body).await.unwrap().read_all().unwrap(), message("one").as_bytes());
    bench.delete(other, [1]).await;
    let purged = bench.store.purge(Duration::ZERO).await.unwrap();
    assert_eq!((purged.messages, purged.bodies), (1, 1));
    assert!(purged.index_rows >= 2, "its message id and its conversation lead nowhere: {purged}");
    bench.check();
}

#[tokio::test]
async fn a_deleted_mailbox_goes_with_all_that_is_in_it() {
    let mut bench = Bench::new().await;
    let short = bench.store.mailbox_create(&path(&["Short"]), None).await.unwrap();
    bench.append_to(short, &message("one"), flags(&[SystemFlag::Seen])).await;
    bench.append_to(short, &message("two"), Flags::EMPTY).await;
    bench.delete(short, [1]).await;
    bench.store.mailbox_delete(&path(&["Short"])).await.unwrap();
    let kept = bench.store.purge(DAY).await.unwrap();
    assert_eq!((kept.mailboxes, kept.messages), (0, 0));
    let purged = bench.store.purge(Duration::ZERO).await.unwrap();
    assert_eq!((purged.mailboxes, purged.messages, purged.bodies), (1, 2, 2));
    assert!(bench.store.message_id_find("two@x").await.unwrap().is_empty());
    bench.check();
    let modseq = bench.modseq(bench.inbox).await;
    bench.reopen();
    bench.check();
    let again = bench.store.mailbox_create(&path(&["Short"]), None).await.unwrap();
    assert!(again != short && bench.modseq(again).await > modseq);
}

#[tokio::test]
async fn a_mailbox_forgets_old_changes_and_says_from_where_on_it_knows_them() {
    let mut bench = Bench::new().await;
    bench.append("one").await;
    bench.append("two").await;
    bench.append("three").await;
    let early = bench.modseq(bench.inbox).await;
    bench.delete(bench.inbox, [1]).await;
    for change in [FlagChange::Add, FlagChange::Remove].into_iter().cycle().take(2_000) {
        let seen = flags(&[SystemFlag::Seen]);
        bench.store.store(bench.inbox, uids([2]), change(seen), None).await.unwrap();
    }
    let late = bench.modseq(bench.inbox).await;
    bench.delete(bench.inbox, [2]).await;
    let last = bench.modseq(bench.inbox).await;
    assert!(bench.store.purge(DAY).await.unwrap().changes > 900);
    bench.reopen();
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    assert_eq!(snapshot.changes_since(early).vanished, None, "further back than is known");
    assert_eq!(snapshot.changes_since(late).vanished, Some(uids([2])));
    assert_eq!((snapshot.modseq(), snapshot.uid_next()), (last, uid(4)));
    assert_eq!(bench.store.purge(DAY).await.unwrap().changes, 0);
    bench.check();
}

#[tokio::test]
async fn a_reply_to_what_is_gone_begins_a_conversation() {
    let bench = Bench::new().await;
    let thread = bench.append("one").await.thread_id();
    let reply = "Subject: Re: one\r\nIn-Reply-To: <one@x>\r\n\r\nyes\r\n";
    let joined = bench.append_to(bench.inbox, reply, Flags::EMPTY).await;
    assert_eq!(joined.thread_id(), thread);
    bench.delete(bench.inbox, [1]).await;
    bench.store.purge(Duration::ZERO).await.unwrap();
    let later = bench.append_to(bench.inbox, reply, Flags::EMPTY).await;
    assert_eq!(later.thread_id(), thread, "as long as another message leads to it");
    bench.delete(bench.inbox, [2, 3]).await;
    bench.store.purge(Duration::ZERO).await.unwrap();
    assert_ne!(bench.append_to(bench.inbox, reply, Flags::EMPTY).await.thread_id(), thread);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_purges_by_itself_and_ends_in_the_midst_of_it() {
    let disk = FaultDisk::new();
    let often = Some(Duration::from_millis(1));
    let settings =
        MailstoreSettings { purge_interval: often, retention: Duration::ZERO, ..support::settings() };
    let store = Mailstore::open(settings, Arc::new(disk.clone())).unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    store.append(request(inbox, &large(), flags(&[SystemFlag::Deleted]))).await.unwrap();
    assert_eq!(files(&disk), 1);
    store.expunge(inbox, None).await.unwrap();
    while files(&disk) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    store.append(request(inbox, &message("one"), flags(&[SystemFlag::Deleted]))).await.unwrap();
    store.expunge(inbox, None).await.unwrap();
    tokio::task::spawn_blocking(move || store.stop()).await.unwrap().unwrap();
}
