//! How long a large COPY makes others wait. Run with `--release -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use disk::RealDisk;
use mailstore::{Flags, MailboxId, Mailstore, MailstoreSettings};
use support::{alice, message, path, request, uids};

/// The longest of the deliveries that go on until `done`.
async fn longest(store: &Mailstore, mailbox: MailboxId, done: impl Fn() -> bool) -> Duration {
    let mut longest = Duration::ZERO;
    while !done() {
        let begin = Instant::now();
        store.append(request(mailbox, &message("delivered"), Flags::EMPTY)).await.unwrap();
        longest = longest.max(begin.elapsed());
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_copy_of_50_000_messages_holds_up_no_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let store = Mailstore::open(MailstoreSettings::new(dir.path()), Arc::new(RealDisk)).unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    let other = store.mailbox_create(&path(&["other"]), None).await.unwrap();
    store.append(request(inbox, &message("one"), Flags::EMPTY)).await.unwrap();
    let mut count = 1;
    while count < 50_000 {
        let more = count.min(50_000 - count);
        store.copy(inbox, uids(1..=more), inbox).await.unwrap();
        count += more;
    }
    let copying = {
        let store = store.clone();
        let begin = Instant::now();
        tokio::spawn(async move {
            let copied = store.copy(inbox, uids(1..=count), other).await.unwrap();
            (copied, begin.elapsed())
        })
    };
    let longest = longest(&store, other, || copying.is_finished()).await;
    let (copied, took) = copying.await.unwrap();
    assert_eq!(copied.source.len(), 50_000);
    println!("copied in {took:?}; the longest delivery meanwhile took {longest:?}");
    assert!(longest < Duration::from_millis(300), "{longest:?}");
}
