//! The journal makes room, and nobody notices.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use disk::{Crash, Disk, FaultDisk, OpenMode};
use journal::{CompactionReport, CompactionSettings};
use mailstore::{FlagChange, Flags, Mailstore, MailstoreSettings, SystemFlag};
use support::{Bench, alice, flags, message, path, request, uids};

/// Every segment but the last qualifies.
fn all() -> CompactionSettings {
    CompactionSettings { live_share_max: 2.0, ..CompactionSettings::eager() }
}

fn settings() -> MailstoreSettings {
    MailstoreSettings { segment_bytes: 4 * 1024, ..support::settings() }
}

async fn bench() -> Bench {
    let disk = FaultDisk::new();
    let store = Mailstore::open(settings(), Arc::new(disk.clone())).unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    Bench { disk, store, inbox }
}

fn compact(bench: &Bench, settings: CompactionSettings) -> CompactionReport {
    tokio::task::block_in_place(|| bench.store.compact(settings)).unwrap()
}

fn segments(disk: &FaultDisk) -> Vec<PathBuf> {
    let names = disk.list(Path::new("m/journal")).unwrap();
    let names = names.into_iter().filter(|name| name.ends_with(".seg"));
    names.map(|name| Path::new("m/journal").join(name)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_of_purged_messages_makes_room() {
    let mut bench = bench().await;
    for number in 0..200 {
        bench.append(&format!("s{number}")).await;
    }
    let before = segments(&bench.disk).len();
    bench.delete(bench.inbox, (1..=200).filter(|uid| uid % 20 != 0)).await;
    bench.store.purge(Duration::ZERO).await.unwrap();
    let report = compact(&bench, CompactionSettings::default());
    assert!(report.compacted > before / 2 && report.freed_bytes > 2 * report.written_bytes, "{report}");
    assert!(segments(&bench.disk).len() < before / 2);
    bench.check();
    bench.crash(Crash::Power);
    assert_eq!(bench.uids(bench.inbox).await, (1..=10).map(|n| n * 20).collect::<Vec<_>>());
    let row = bench.store.snapshot(bench.inbox).await.unwrap().find(support::uid(40)).unwrap().body;
    assert_eq!(bench.store.body(row).await.unwrap().read_all().unwrap(), message("s39").as_bytes());
    bench.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_goes_back_though_every_record_that_gave_it_is_gone() {
    let mut bench = bench().await;
    let short = bench.store.mailbox_create(&path(&["Short"]), None).await.unwrap();
    let validity = bench.store.status(short).await.unwrap().uid_validity;
    for number in 0..20 {
        bench.append(&format!("s{number}")).await;
        bench.append_to(short, &message(&format!("t{number}")), Flags::EMPTY).await;
    }
    bench.delete(bench.inbox, 1..=20).await;
    bench.store.mailbox_delete(&path(&["Short"])).await.unwrap();
    bench.store.purge(Duration::ZERO).await.unwrap();
    // A change that says nothing of the numbers, to have a last segment that does not.
    for name in ["x", "y"].into_iter().cycle().take(200) {
        bench.store.subscribe(&alice(), &path(&[name])).await.unwrap();
        bench.store.unsubscribe(&alice(), &path(&[name])).await.unwrap();
    }
    let before = bench.store.status(bench.inbox).await.unwrap();
    for _ in 0..3 {
        assert!(compact(&bench, all()).stuck.is_empty());
        bench.check();
    }
    bench.crash(Crash::Power);
    assert_eq!(bench.store.status(bench.inbox).await.unwrap(), before);
    let next = bench.append("next").await;
    assert!(next.uid() == before.uid_next && next.modseq() > before.highest_modseq);
    let again = bench.store.mailbox_create(&path(&["Short"]), None).await.unwrap();
    assert!(bench.store.status(again).await.unwrap().uid_validity > validity);
    bench.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flag_changes_that_newer_ones_have_overtaken_are_not_said_again() {
    let bench = bench().await;
    for number in 0..20 {
        bench.append(&format!("s{number}")).await;
    }
    for change in [FlagChange::Add, FlagChange::Remove].into_iter().cycle().take(400) {
        let seen = flags(&[SystemFlag::Seen]);
        bench.store.store(bench.inbox, uids(1..=20), change(seen), None).await.unwrap();
    }
    let report = compact(&bench, all());
    assert!(report.written_bytes < report.freed_bytes, "{report}");
    bench.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_message_came_from_and_went_is_told_as_before() {
    let mut bench = bench().await;
    let kept = bench.store.mailbox_create(&path(&["Kept"]), None).await.unwrap();
    for subject in ["one", "two", "three"] {
        bench.append(subject).await;
    }
    bench.store.copy(bench.inbox, uids([1]), kept).await.unwrap();
    bench.store.move_messages(bench.inbox, uids([2]), kept).await.unwrap();
    bench.delete(bench.inbox, [1]).await;
    for number in 0..30 {
        bench.append(&format!("s{number}")).await;
    }
    let before = located(&bench).await;
    assert_eq!(before.len(), 4);
    for _ in 0..2 {
        assert!(compact(&bench, all()).compacted > 0);
        assert_eq!(located(&bench).await, before);
    }
    bench.crash(Crash::Power);
    assert_eq!(located(&bench).await, before);
}

/// All places of three messages, with the records that say so.
async fn located(bench: &Bench) -> Vec<mailstore::Located> {
    let mut located = Vec::new();
    for message_id in ["one@x", "two@x", "three@x"] {
        located.extend(bench.store.message_id_find(message_id).await.unwrap());
    }
    located
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_with_a_damaged_body_stays_and_others_go() {
    let bench = bench().await;
    for number in 0..60 {
        bench.append(&format!("s{number}")).await;
    }
    let segment = segments(&bench.disk).into_iter().min().unwrap();
    let file = bench.disk.open(&segment, OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let needle = b"Subject: s3\r";
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bench.disk.damage(&segment, at as u64);
    let report = compact(&bench, all());
    assert!(report.compacted > 0 && report.stuck.len() == 1, "{report}");
    assert!(segments(&bench.disk).contains(&segment));
    bench.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_notice_nothing_of_a_compactor_at_work() {
    let disk = FaultDisk::new();
    let eager = CompactionSettings {
        round_interval: Duration::from_millis(1),
        live_share_max: 2.0,
        ..CompactionSettings::eager()
    };
    let store =
        Mailstore::open(MailstoreSettings { compaction: Some(eager), ..settings() }, Arc::new(disk.clone()))
            .unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2).map(|_| tokio::spawn(read(store.clone(), inbox, done.clone()))).collect();
    for number in 0..300 {
        store.append(request(inbox, &message(&format!("s{number}")), Flags::EMPTY)).await.unwrap();
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(store.status(inbox).await.unwrap().messages, 300);
    assert!(tokio::task::block_in_place(|| store.differences()).unwrap().is_empty());
    tokio::task::block_in_place(|| store.stop()).unwrap();
    let names = disk.list(Path::new("m/journal")).unwrap();
    assert!(names.iter().any(|name| name.ends_with(".gap")), "the compactor was at work");
}

/// Reads every message again and again; gives how many it read.
async fn read(store: Mailstore, inbox: mailstore::MailboxId, done: Arc<AtomicBool>) -> usize {
    let mut read = 0;
    while !done.load(Ordering::Acquire) {
        let snapshot = store.snapshot(inbox).await.unwrap();
        for row in snapshot.rows() {
            let body = store.body(row.body).await.unwrap().read_all().unwrap();
            assert_eq!(body, message(&format!("s{}", row.uid.number() - 1)).as_bytes());
            read += 1;
        }
    }
    read
}
