//! What a backup copies is a store.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use disk::{Disk, FaultDisk, OpenMode};
use journal::{CompactionSettings, StoreBackup};
use mailstore::{EmailId, Flags, Mailstore};
use support::{Bench, message, path, request, settings};

/// Copies what a backup names to another disk.
fn copy(backup: &StoreBackup, from: &FaultDisk) -> FaultDisk {
    let to = FaultDisk::new();
    for file in backup.files() {
        let path = Path::new("m").join(&file.name);
        let mut bytes = vec![0; file.bytes as usize];
        from.open(&path, OpenMode::Read).unwrap().read_at(&mut bytes, 0).unwrap();
        to.create_dir(path.parent().unwrap()).unwrap();
        to.open(&path, OpenMode::Create).unwrap().write_at(&bytes, 0).unwrap();
    }
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_while_the_store_goes_on_has_what_there_was_at_its_beginning() {
    let bench = Bench::new().await;
    let large = format!("Subject: l\r\n\r\n{}", "x".repeat(limits::BODY_MEMORY_BYTES_MAX));
    bench.append("one").await;
    bench.append_to(bench.inbox, &large, Flags::EMPTY).await;
    let backup = bench.store.backup_begin().unwrap();
    bench.append("later").await;
    bench.delete(bench.inbox, [2]).await;
    assert_eq!(bench.store.purge(Duration::ZERO).await.unwrap().bodies, 1);
    let compacting = tokio::task::block_in_place(|| bench.store.compact(CompactionSettings::eager()));
    assert!(compacting.unwrap().is_pinned);

    let copied = Mailstore::open(settings(), Arc::new(copy(&backup, &bench.disk))).unwrap();
    let snapshot = copied.snapshot(bench.inbox).await.unwrap();
    let bodies: Vec<_> = snapshot.rows().map(|row| row.body).collect();
    assert_eq!(copied.body(bodies[0]).await.unwrap().read_all().unwrap(), message("one").as_bytes());
    assert_eq!(copied.body(bodies[1]).await.unwrap().read_all().unwrap(), large.as_bytes());
    assert_eq!((bodies.len(), copied.differences().unwrap().len()), (2, 0));

    let files = || bench.disk.list(Path::new("m/bodies")).unwrap().len();
    assert_eq!(files(), 1);
    drop(backup);
    assert_eq!(files(), 0, "what was purged meanwhile goes when the backup is done");
}

#[tokio::test]
async fn a_restored_message_keeps_its_id() {
    let bench = Bench::new().await;
    let first = bench.append("one").await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    let email_id: EmailId = first.email_id();
    let again = request(other, &message("one"), Flags::EMPTY);
    let restored = bench.store.append_restored(again, email_id).await.unwrap();
    assert_eq!((restored.email_id(), restored.thread_id()), (email_id, first.thread_id()));
    bench.check();
}

#[tokio::test]
async fn a_store_that_was_brought_back_gives_out_no_number_again() {
    let mut bench = Bench::new().await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    bench.append("one").await;
    let backup = bench.store.backup_begin().unwrap();
    let brought_back = copy(&backup, &bench.disk);
    drop(backup);
    let given = bench.append("two").await;
    let also = bench.append_to(other, &message("three"), Flags::EMPTY).await;

    brought_back.open(Path::new("m/RESTORED"), OpenMode::Create).unwrap();
    bench.store = Mailstore::open(settings(), Arc::new(brought_back.clone())).unwrap();
    bench.disk = brought_back;
    assert!(!bench.disk.list(Path::new("m")).unwrap().contains(&"RESTORED".to_owned()));
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    assert_eq!(snapshot.changes_since(given.modseq()).vanished, None, "who knows a later state compares all");
    assert_eq!((snapshot.len(), snapshot.modseq() > also.modseq()), (1, true));
    let next = bench.append("four").await;
    assert!(next.uid() > given.uid() && next.modseq() > also.modseq());
    assert!(bench.append_to(other, &message("five"), Flags::EMPTY).await.uid() > also.uid());
    bench.check();
    let before = bench.store.status(bench.inbox).await.unwrap();
    bench.reopen();
    assert_eq!(bench.store.status(bench.inbox).await.unwrap(), before, "once is enough");
    bench.check();
}
