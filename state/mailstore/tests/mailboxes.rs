//! Names: what CREATE, DELETE, RENAME and SUBSCRIBE do (RFC 3501 6.3).

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::sync::Arc;

use disk::FaultDisk;
use mailstore::{MailboxPath, Mailstore, MailstoreError, MailstoreSettings, SpecialUse};
use support::{Bench, alice, path};

fn names(bench: &Bench) -> Vec<String> {
    let entries = bench.store.mailbox_list(&alice());
    let name = |entry: &mailstore::MailboxEntry| {
        let mark = if entry.id.is_none() { " (no mailbox)" } else { "" };
        format!("{}{mark}", entry.path.components().join("/"))
    };
    entries.iter().map(name).collect()
}

#[tokio::test]
async fn a_new_account_has_its_mailboxes_and_is_subscribed_to_them() {
    let store = Mailstore::open(MailstoreSettings::in_memory("m"), Arc::new(FaultDisk::new())).unwrap();
    let inbox = store.account_ensure(&alice()).await.unwrap();
    assert_eq!(store.account_ensure(&alice()).await.unwrap(), inbox, "a second time changes nothing");
    let entries = store.mailbox_list(&alice());
    assert!(entries[0].path.is_inbox() && !entries[0].has_children);
    let uses: Vec<_> = entries.iter().filter_map(|entry| entry.special_use).collect();
    let expected =
        [SpecialUse::Archive, SpecialUse::Drafts, SpecialUse::Junk, SpecialUse::Sent, SpecialUse::Trash];
    assert_eq!(uses, expected);
    assert!(entries.iter().all(|entry| entry.subscribed));
    assert!(store.differences().unwrap().is_empty());
}

#[tokio::test]
async fn create_makes_the_levels_above_as_names_without_mailbox() {
    let bench = Bench::new().await;
    bench.store.mailbox_create(&path(&["a", "b", "c"]), None).await.unwrap();
    assert_eq!(names(&bench), ["INBOX", "a (no mailbox)", "a/b (no mailbox)", "a/b/c"]);
    bench.store.mailbox_create(&path(&["a"]), None).await.unwrap();
    assert_eq!(names(&bench), ["INBOX", "a", "a/b (no mailbox)", "a/b/c"]);
    let again = bench.store.mailbox_create(&path(&["a"]), None).await;
    assert!(matches!(again, Err(MailstoreError::MailboxExists)));
    bench.check();
}

#[tokio::test]
async fn delete_leaves_the_name_while_there_are_names_below() {
    let mut bench = Bench::new().await;
    let parent = bench.store.mailbox_create(&path(&["a"]), None).await.unwrap();
    bench.store.mailbox_create(&path(&["a", "b"]), None).await.unwrap();
    let changed = bench.store.changed(parent).unwrap();
    let handle = bench.store.mailbox(parent).unwrap();
    bench.store.mailbox_delete(&path(&["a"])).await.unwrap();
    assert!(handle.is_deleted() && changed.has_changed().unwrap());
    assert_eq!(names(&bench), ["INBOX", "a (no mailbox)", "a/b"]);
    let again = bench.store.mailbox_delete(&path(&["a"])).await;
    assert!(matches!(again, Err(MailstoreError::HasChildren)));
    bench.store.mailbox_delete(&path(&["a", "b"])).await.unwrap();
    bench.store.mailbox_delete(&path(&["a"])).await.unwrap();
    assert_eq!(names(&bench), ["INBOX"]);
    bench.reopen();
    assert_eq!(names(&bench), ["INBOX"]);
    assert!(matches!(bench.store.snapshot(parent).await, Err(MailstoreError::MailboxUnknown)));
    bench.check();
}

#[tokio::test]
async fn the_inbox_cannot_be_deleted() {
    let bench = Bench::new().await;
    let refused = bench.store.mailbox_delete(&MailboxPath::inbox(&alice())).await;
    assert!(matches!(refused, Err(MailstoreError::InboxPermanent)));
}

#[tokio::test]
async fn a_mailbox_made_again_has_another_uid_validity_and_id() {
    let bench = Bench::new().await;
    let first = bench.store.mailbox_create(&path(&["a"]), None).await.unwrap();
    let before = bench.store.status(first).await.unwrap().uid_validity;
    bench.store.mailbox_delete(&path(&["a"])).await.unwrap();
    let second = bench.store.mailbox_create(&path(&["a"]), None).await.unwrap();
    assert_ne!(first, second);
    assert!(bench.store.status(second).await.unwrap().uid_validity > before);
}

#[tokio::test]
async fn rename_takes_the_subtree_along_in_one_record() {
    let bench = Bench::new().await;
    let leaf = bench.store.mailbox_create(&path(&["a", "b", "c"]), None).await.unwrap();
    bench.append_to(leaf, &support::message("one"), mailstore::Flags::EMPTY).await;
    let before = bench.disk.operations();
    bench.store.mailbox_rename(&path(&["a"]), &path(&["z"])).await.unwrap();
    assert!(bench.disk.operations() - before <= 3, "one write and one sync");
    assert_eq!(names(&bench), ["INBOX", "z (no mailbox)", "z/b (no mailbox)", "z/b/c"]);
    assert_eq!(bench.store.mailbox_path(leaf), Some(path(&["z", "b", "c"])));
    assert_eq!(bench.uids(leaf).await, [1]);
    bench.check();
}

#[tokio::test]
async fn rename_makes_the_levels_above_and_refuses_what_cannot_be() {
    let bench = Bench::new().await;
    bench.store.mailbox_create(&path(&["a"]), None).await.unwrap();
    bench.store.mailbox_create(&path(&["b"]), None).await.unwrap();
    let rename = async |from: &[&str], to: &[&str]| bench.store.mailbox_rename(&path(from), &path(to)).await;
    assert!(matches!(rename(&["a"], &["b"]).await, Err(MailstoreError::MailboxExists)));
    assert!(matches!(rename(&["a"], &["a", "x"]).await, Err(MailstoreError::RenameImpossible)));
    assert!(matches!(rename(&["none"], &["c"]).await, Err(MailstoreError::MailboxUnknown)));
    rename(&["a"], &["x", "y"]).await.unwrap();
    assert_eq!(names(&bench), ["INBOX", "b", "x (no mailbox)", "x/y"]);
    bench.check();
}

#[tokio::test]
async fn renaming_the_inbox_moves_its_messages_and_leaves_it_empty() {
    let mut bench = Bench::new().await;
    let modseq = bench.append("one").await.modseq();
    let before = bench.store.status(bench.inbox).await.unwrap();
    let handle = bench.store.mailbox(bench.inbox).unwrap();
    bench.store.mailbox_create(&path(&["INBOX", "child"]), None).await.unwrap();
    let operations = bench.disk.operations();
    bench.store.mailbox_rename(&path(&["INBOX"]), &path(&["INBOX", "old"])).await.unwrap();
    assert!(bench.disk.operations() - operations <= 3, "one write and one sync");
    let changes = handle.snapshot().await.unwrap();
    assert_eq!(
        changes.changes_since(modseq).vanished,
        Some(support::uids([1])),
        "who has it selected is told"
    );
    bench.append("two").await;
    bench.reopen();
    assert_eq!(names(&bench), ["INBOX", "INBOX/child", "INBOX/old"]);
    let inbox = bench.store.mailbox_find(&path(&["inbox"])).unwrap().id.unwrap();
    assert_eq!(inbox, bench.inbox);
    let old = bench.store.mailbox_find(&path(&["INBOX", "old"])).unwrap().id.unwrap();
    assert_eq!((bench.uids(inbox).await, bench.uids(old).await), (vec![2], vec![1]));
    let status = (bench.store.status(inbox).await.unwrap(), bench.store.status(old).await.unwrap());
    assert_eq!(status.0.uid_validity, before.uid_validity);
    assert_ne!(status.0.uid_validity, status.1.uid_validity);
    bench.check();
}

#[tokio::test]
async fn a_subscription_outlives_its_mailbox() {
    let mut bench = Bench::new().await;
    bench.store.mailbox_create(&path(&["a"]), None).await.unwrap();
    bench.store.subscribe(&alice(), &path(&["a"])).await.unwrap();
    bench.store.subscribe(&alice(), &path(&["never", "there"])).await.unwrap();
    bench.store.unsubscribe(&alice(), &path(&["INBOX"])).await.unwrap();
    bench.store.mailbox_delete(&path(&["a"])).await.unwrap();
    bench.reopen();
    assert_eq!(bench.store.subscriptions(&alice()), [path(&["a"]), path(&["never", "there"])]);
    bench.check();
}

#[tokio::test]
async fn accounts_of_different_domains_have_different_mailboxes() {
    let bench = Bench::new().await;
    let elsewhere = address::AccountName::parse("alice@example.net").unwrap();
    let other = bench.store.account_ensure(&elsewhere).await.unwrap();
    assert_ne!(other, bench.inbox);
    bench.append_to(other, &support::message("one"), mailstore::Flags::EMPTY).await;
    assert_eq!(bench.uids(bench.inbox).await, Vec::<u32>::new());
    assert_eq!(bench.store.mailbox_list(&elsewhere).len(), 1);
}

#[tokio::test]
async fn rename_makes_no_name_deeper_or_longer_than_create_does() {
    let bench = Bench::new().await;
    let rename = async |from: &[&str], to: &[&str]| bench.store.mailbox_rename(&path(from), &path(to)).await;
    let deep = vec!["d"; limits::MAILBOX_DEPTH_MAX];
    bench.store.mailbox_create(&path(&deep), None).await.unwrap();
    assert!(matches!(rename(&["d"], &["x", "y"]).await, Err(MailstoreError::NameTooLong)));
    rename(&["d"], &["e"]).await.unwrap();
    let long = "n".repeat(limits::MAILBOX_NAME_BYTES_MAX / 2);
    bench.store.mailbox_create(&path(&["a", &long]), None).await.unwrap();
    assert!(matches!(rename(&["a"], &[&long]).await, Err(MailstoreError::NameTooLong)));
    rename(&["a"], &["b"]).await.unwrap();
    bench.check();
}

#[tokio::test]
async fn mailboxes_of_an_account_are_limited_and_room_comes_back() {
    let mut bench = Bench::new().await;
    let names_max = limits::MAILBOXES_PER_ACCOUNT_MAX;
    let create = async |bench: &Bench, name: &[&str]| bench.store.mailbox_create(&path(name), None).await;
    for number in 0..(names_max - 1) / 50 {
        let mut deep = vec!["d".to_owned(); 50];
        deep[0] = format!("d{number}");
        let deep: Vec<_> = deep.iter().map(String::as_str).collect();
        create(&bench, &deep).await.unwrap();
    }
    for number in 0..(names_max - 1) % 50 {
        create(&bench, &[&format!("s{number}")]).await.unwrap();
    }
    assert_eq!(bench.store.mailbox_list(&alice()).len(), names_max);
    assert!(matches!(create(&bench, &["more"]).await, Err(MailstoreError::MailboxesTooMany)));
    bench.reopen();
    let over = bench.store.mailbox_rename(&path(&["s0"]), &path(&["new", "s0"])).await;
    assert!(matches!(over, Err(MailstoreError::MailboxesTooMany)), "the level above would be one more");
    bench.store.mailbox_rename(&path(&["s0"]), &path(&["t0"])).await.unwrap();
    create(&bench, &["d0"]).await.expect("a name that is there needs no room");
    bench.store.mailbox_delete(&path(&["s1"])).await.unwrap();
    create(&bench, &["more"]).await.unwrap();
    let elsewhere = address::AccountName::parse("bob@example.org").unwrap();
    bench.store.account_ensure(&elsewhere).await.unwrap();
}

#[tokio::test]
async fn subscriptions_of_an_account_are_limited() {
    let bench = Bench::new().await;
    let name = |number: usize| path(&["s", &number.to_string()]);
    for number in 1..limits::SUBSCRIPTIONS_PER_ACCOUNT_MAX {
        bench.store.subscribe(&alice(), &name(number)).await.unwrap();
    }
    let over = bench.store.subscribe(&alice(), &name(0)).await;
    assert!(matches!(over, Err(MailstoreError::SubscriptionsTooMany)));
    bench.store.subscribe(&alice(), &name(1)).await.expect("it is there");
    bench.store.unsubscribe(&alice(), &name(1)).await.unwrap();
    bench.store.subscribe(&alice(), &name(0)).await.unwrap();
}
