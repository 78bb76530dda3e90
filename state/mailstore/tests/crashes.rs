//! Crashes and failing disks: what was acknowledged is there once and whole, and nothing goes back.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Crash, Disk, FaultDisk};
use mailstore::{Appended, FlagChange, Flags, MailboxId, Mailstore, MailstoreError, SystemFlag};
use support::{Bench, flags, message, path, request, settings, uid, uids};

#[tokio::test]
async fn uid_is_not_reused_after_expunge_and_crash() {
    for crash in [Crash::Power, Crash::Process, Crash::Torn(3)] {
        let mut bench = Bench::new().await;
        for subject in ["one", "two", "three"] {
            bench.append(subject).await;
        }
        bench.delete(bench.inbox, [2, 3]).await;
        let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
        bench.store.move_messages(bench.inbox, uids([1]), other).await.unwrap();
        bench.crash(crash);
        assert_eq!(bench.append("four").await.uid(), uid(4));
        bench.check();
    }
}

#[tokio::test]
async fn modseq_does_not_go_back_after_a_crash() {
    let mut bench = Bench::new().await;
    bench.append("one").await;
    bench.delete(bench.inbox, [1]).await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    bench.store.mailbox_delete(&path(&["other"])).await.unwrap();
    let before = bench.modseq(bench.inbox).await;
    bench.crash(Crash::Power);
    assert_eq!(bench.modseq(bench.inbox).await, before);
    assert!(bench.append("two").await.modseq() > before);
    assert!(matches!(bench.store.status(other).await, Err(MailstoreError::MailboxUnknown)));
}

#[tokio::test]
async fn the_difference_to_before_a_crash_is_known() {
    let mut bench = Bench::new().await;
    bench.append("one").await;
    let before = bench.append("two").await.modseq();
    bench.delete(bench.inbox, [1]).await;
    bench.crash(Crash::Power);
    bench.append("three").await;
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    let changes = snapshot.changes_since(before);
    assert_eq!(changes.vanished, Some(uids([1])));
    assert_eq!(changes.changed.iter().map(|row| row.uid).collect::<Vec<_>>(), [uid(3)]);
}

/// Appends until the disk fails; what was acknowledged, by uid.
async fn append_until_failure(store: Mailstore, inbox: MailboxId, writer: usize) -> Vec<(Appended, String)> {
    let mut acknowledged = Vec::new();
    for number in 0..40 {
        let text = message(&format!("w{writer}-{number}"));
        match store.append(request(inbox, &text, Flags::EMPTY)).await {
            Ok(appended) => acknowledged.push((appended, text)),
            Err(_) => break,
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_is_there_once_and_whole_after_a_crash_under_load() {
    for seed in 0..12 {
        let mut bench = Bench::new().await;
        bench.disk.fail_from(5 + seed * 7, io::ErrorKind::StorageFull);
        let writers: Vec<_> = (0..16)
            .map(|writer| tokio::spawn(append_until_failure(bench.store.clone(), bench.inbox, writer)))
            .collect();
        let mut acknowledged = BTreeMap::new();
        for writer in writers {
            for (appended, text) in writer.await.unwrap() {
                assert!(acknowledged.insert(appended.uid(), (appended, text)).is_none(), "a uid twice");
            }
        }
        bench.crash(Crash::Torn(seed));
        let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
        for (uid, (appended, text)) in &acknowledged {
            let row = snapshot.find(*uid).unwrap();
            assert_eq!((row.email_id, row.modseq), (appended.email_id(), appended.modseq()));
            assert_eq!(bench.store.body(row.body).await.unwrap().read_all().unwrap(), text.as_bytes());
        }
        let last = acknowledged.keys().next_back().copied();
        assert!(last < Some(bench.append("after").await.uid()));
        bench.check();
    }
}

/// Fills the inbox with a few messages more than one command may copy, by copying it onto itself.
async fn many(bench: &Bench) -> u32 {
    bench.append("one").await;
    let mut count = 1;
    while count <= limits::BULK_MESSAGES_MAX as u32 {
        bench.store.copy(bench.inbox, uids(1..=count), bench.inbox).await.unwrap();
        count *= 2;
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_copy_becomes_visible_at_once_behind_what_came_meanwhile() {
    let bench = Bench::new().await;
    let count = many(&bench).await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    let store = bench.store.clone();
    let inbox = bench.inbox;
    let copying = tokio::spawn(async move { store.copy(inbox, uids(1..=count), other).await });
    let mut lengths = Vec::new();
    while !copying.is_finished() {
        bench.append_to(other, &message("delivered"), Flags::EMPTY).await;
        lengths.push(bench.store.snapshot(other).await.unwrap().len());
    }
    let outcome = copying.await.unwrap().unwrap();
    assert_eq!((outcome.source.len(), outcome.destination.len()), (count as usize, count as usize));
    let first = outcome.destination.first().unwrap();
    assert_eq!(
        outcome.destination,
        mailstore::UidSet::range(first, outcome.destination.last().unwrap()),
        "one run"
    );
    let delivered = lengths.len() as u32;
    assert!(
        lengths.iter().all(|length| *length <= delivered || *length > count),
        "all or nothing: {lengths:?}"
    );
    assert_eq!(bench.store.status(other).await.unwrap().messages, count + delivered);
    bench.check();
}

#[tokio::test]
async fn a_large_copy_that_a_crash_cuts_short_leaves_nothing() {
    let mut cut_short = 0;
    for nth in 1..12 {
        let mut bench = Bench::new().await;
        let count = many(&bench).await;
        let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
        bench.disk.fail_from(nth, io::ErrorKind::Other);
        let copied = bench.store.copy(bench.inbox, uids(1..=count), other).await;
        bench.crash(Crash::Power);
        let messages = bench.store.status(other).await.unwrap().messages;
        assert!(messages == 0 || messages == count);
        assert!(copied.is_err() || messages == count);
        cut_short += u32::from(messages == 0);
        bench.check();
        let again = bench.store.copy(bench.inbox, uids(1..=count), other).await.unwrap();
        assert_eq!(again.destination.first().unwrap(), uid(messages + 1));
    }
    assert!(cut_short > 2);
}

#[tokio::test]
async fn large_stores_moves_and_expunges_are_whole() {
    let bench = Bench::new().await;
    let count = many(&bench).await;
    let deleted = FlagChange::Add(flags(&[SystemFlag::Deleted]));
    let stored = bench.store.store(bench.inbox, uids(1..=count + 5), deleted, None).await.unwrap();
    assert_eq!((stored.changed.len(), stored.missing), (count as usize, uids(count + 1..=count + 5)));
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    let moved = bench.store.move_messages(bench.inbox, uids(1..=count), other).await.unwrap();
    assert_eq!(moved.destination, uids(1..=count));
    assert_eq!(bench.store.status(bench.inbox).await.unwrap().messages, 0);
    let expunged = bench.store.expunge(other, None).await.unwrap();
    assert_eq!(expunged.uids, uids(1..=count));
    bench.check();
}

/// The first segment of the journal.
fn segment(disk: &FaultDisk) -> PathBuf {
    let names = disk.list(Path::new("m/journal")).unwrap();
    let first = names.into_iter().filter(|name| name.ends_with(".seg")).min().unwrap();
    Path::new("m/journal").join(first)
}

/// Where the frame begins that holds `text`.
fn frame_with(disk: &FaultDisk, text: &str) -> u64 {
    let file = disk.open(&segment(disk), disk::OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    bytes[..at].windows(4).rposition(|window| window == b"TFRM").unwrap() as u64
}

#[tokio::test]
async fn bodies_of_messages_behind_a_damage_are_left_alone() {
    let bench = Bench::new().await;
    bench.append("one").await;
    let large = format!("Subject: l\r\n\r\n{}", "x".repeat(limits::BODY_MEMORY_BYTES_MAX));
    bench.append_to(bench.inbox, &large, Flags::EMPTY).await;
    bench.store.stop().unwrap();
    drop(bench.store);
    let bodies = || bench.disk.list(Path::new("m/bodies")).unwrap().len();
    assert_eq!(bodies(), 1);
    bench.disk.damage(&segment(&bench.disk), frame_with(&bench.disk, "Subject: one") + 20);
    let store = Mailstore::open(settings(), Arc::new(bench.disk.clone())).unwrap();
    assert_eq!(store.snapshot(bench.inbox).await.unwrap().len(), 0, "it shows what stands before the damage");
    assert_eq!(bodies(), 1, "an operator may bring the message back");
}
