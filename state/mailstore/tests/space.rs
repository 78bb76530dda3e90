//! A disk that fills up: what grows is refused and leaves nothing, the rest goes on, and all is as before when there is room.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use disk::{Disk, FaultDisk};
use mailstore::{FlagChange, Flags, Mailstore, MailstoreSettings, SystemFlag};
use support::{Bench, alice, flags, message, path, request, uids};

async fn bench(space_low_bytes: u64) -> Bench {
    let disk = FaultDisk::new();
    let settings = MailstoreSettings { reserve_bytes: 64 * 1024, space_low_bytes, ..support::settings() };
    let store = Mailstore::open(settings, Arc::new(disk.clone())).unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    let bench = Bench { disk, store, inbox };
    bench.append("one").await;
    bench.append("two").await;
    bench
}

fn large() -> String {
    format!("Subject: l\r\n\r\n{}", "x".repeat(limits::BODY_MEMORY_BYTES_MAX))
}

fn body_files(bench: &Bench) -> usize {
    bench.disk.list(Path::new("m/bodies")).unwrap().len()
}

/// Appends until it works, or is refused, as asked; the store looks at the disk once in a while.
async fn until(bench: &Bench, refused: bool) {
    loop {
        match bench.store.append(request(bench.inbox, &message("more"), Flags::EMPTY)).await {
            Err(error) if refused => {
                assert!(error.is_no_space(), "{error}");
                assert_eq!(error.fault(), telemetry::Fault::Temporary);
                return;
            }
            Err(error) => assert!(error.is_no_space(), "{error}"),
            Ok(_) if !refused => return,
            Ok(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn while_space_is_low_mail_is_refused_and_taking_away_goes_on() {
    let bench = bench(512 * 1024).await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    bench.disk.capacity_set(bench.disk.used_bytes() + 400 * 1024);
    until(&bench, true).await;
    assert!(bench.store.copy(bench.inbox, uids([1]), other).await.unwrap_err().is_no_space());
    assert!(bench.store.mailbox_create(&path(&["new"]), None).await.unwrap_err().is_no_space());
    assert!(bench.store.append(request(other, &large(), Flags::EMPTY)).await.unwrap_err().is_no_space());
    assert_eq!(body_files(&bench), 0);

    let deleted = FlagChange::Add(flags(&[SystemFlag::Deleted]));
    bench.store.store(bench.inbox, uids([1]), deleted, None).await.unwrap();
    assert_eq!(bench.store.expunge(bench.inbox, None).await.unwrap().uids, uids([1]));
    bench.store.move_messages(bench.inbox, uids([2]), other).await.unwrap();
    bench.store.mailbox_delete(&path(&["other"])).await.unwrap();
    assert_eq!(bench.store.purge(Duration::ZERO).await.unwrap().messages, 2);
    bench.check();

    bench.disk.heal();
    until(&bench, false).await;
    bench.check();
}

#[tokio::test]
async fn a_large_message_that_finds_no_room_leaves_no_file() {
    let bench = bench(0).await;
    bench.disk.capacity_set(bench.disk.used_bytes() + 100 * 1024);
    let refused = bench.store.append(request(bench.inbox, &large(), Flags::EMPTY)).await.unwrap_err();
    assert!(refused.is_no_space(), "{refused}");
    assert_eq!(body_files(&bench), 0);
    bench.disk.heal();
    until(&bench, false).await;
    bench.check();
}

#[tokio::test]
async fn a_frame_that_is_refused_leaves_neither_a_trace_nor_a_file() {
    let bench = bench(0).await;
    let before = bench.store.status(bench.inbox).await.unwrap();
    // Room for the body's file, none for its record.
    let mut refused = 0;
    for room in (0..40).map(|step| limits::BODY_MEMORY_BYTES_MAX as u64 + step * 40) {
        bench.disk.capacity_set(bench.disk.used_bytes() + room);
        let appended = bench.store.append(request(bench.inbox, &large(), Flags::EMPTY)).await;
        let Err(error) = appended else { break };
        assert!(error.is_no_space(), "{error}");
        refused += 1;
        assert_eq!(body_files(&bench), 0, "{room}");
        assert_eq!(bench.store.status(bench.inbox).await.unwrap(), before);
    }
    assert!(refused > 0);
    bench.disk.heal();
    until(&bench, false).await;
    bench.check();
}
