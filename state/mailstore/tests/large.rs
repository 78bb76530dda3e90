//! How long a large change makes others wait. Run with `--release -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a test, and a measurement")]

mod support;

use std::path::Path;
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

/// A store with `count` messages in the inbox, and another mailbox.
async fn filled(dir: &Path, count: u32) -> (Mailstore, MailboxId, MailboxId) {
    let store = Mailstore::open(MailstoreSettings::new(dir), Arc::new(RealDisk)).unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    let other = store.mailbox_create(&path(&["other"]), None).await.unwrap();
    store.append(request(inbox, &message("one"), Flags::EMPTY)).await.unwrap();
    let mut filled = 1;
    while filled < count {
        let more = filled.min(count - filled);
        store.copy(inbox, uids(1..=more), inbox).await.unwrap();
        filled += more;
    }
    (store, inbox, other)
}

/// Does `work` while mail is delivered to `mailbox`; says how long both took, and checks it.
async fn beside<T: Send + 'static>(
    store: &Mailstore,
    mailbox: MailboxId,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let begin = Instant::now();
    let working = tokio::spawn(async move { (work.await, begin.elapsed()) });
    let longest = longest(store, mailbox, || working.is_finished()).await;
    let (done, took) = working.await.unwrap();
    println!("done in {took:?}; the longest delivery meanwhile took {longest:?}");
    assert!(longest < Duration::from_millis(300), "{longest:?}");
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_copy_of_50_000_messages_holds_up_no_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let (store, inbox, other) = filled(dir.path(), 50_000).await;
    let copying = store.clone();
    let copy = async move { copying.copy(inbox, uids(1..=50_000), other).await };
    let copied = beside(&store, other, copy).await.unwrap();
    assert_eq!(copied.source.len(), 50_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_rename_of_an_inbox_of_10_000_messages_holds_up_no_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let count = limits::RENAME_MESSAGES_MAX as u32;
    let (store, inbox, other) = filled(dir.path(), count).await;
    let renaming = store.clone();
    let rename = async move { renaming.mailbox_rename(&path(&["INBOX"]), &path(&["old"])).await };
    beside(&store, other, rename).await.unwrap();
    assert_eq!(store.status(inbox).await.unwrap().messages, 0);
}
