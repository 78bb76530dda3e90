//! Messages: what APPEND, STORE, COPY, MOVE and EXPUNGE do, as a session sees it.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::sync::Arc;

use disk::{Body, FaultDisk};
use mailstore::{
    FlagChange, Flags, Keyword, Mailstore, MailstoreError, MailstoreSettings, ModSeq, RecentClaim,
    SystemFlag, Uid, UidSet,
};
use support::{Bench, flags, message, path, request, settings, uid, uids};

#[tokio::test]
async fn a_message_comes_back_as_it_came() {
    let bench = Bench::new().await;
    let text = message("hello");
    let seen = flags(&[SystemFlag::Seen]);
    let appended = bench.append_to(bench.inbox, &text, seen.clone()).await;
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    let row = snapshot.find(appended.uid()).unwrap();
    assert_eq!((row.seqno, row.flags, row.size), (1, &seen, text.len() as u64));
    assert_eq!(row.internal_date, 1_700_000_000);
    assert_eq!(bench.store.body(row.body).await.unwrap().read_all().unwrap(), text.as_bytes());
    let rendered = bench.store.rendered(row.body).await.unwrap();
    assert_eq!(*rendered, message::scan(text.as_bytes()).rendered);
    assert_eq!(bench.store.structure(row.body).await.unwrap().octets(), text.len() as u64);
    assert_eq!(appended.uid_validity(), snapshot.uid_validity());
    assert_eq!(appended.modseq(), snapshot.modseq());
}

#[tokio::test]
async fn what_fetch_shows_is_the_same_after_a_restart() {
    let mut bench = Bench::new().await;
    bench.append("one").await;
    bench.append("two").await;
    let before = bench.store.snapshot(bench.inbox).await.unwrap();
    bench.reopen();
    let after = bench.store.snapshot(bench.inbox).await.unwrap();
    assert_eq!(format!("{:?}", rows(&before)), format!("{:?}", rows(&after)));
    let bodies: Vec<_> = after.rows().map(|row| row.body).collect();
    let rendered = bench.store.rendered_many(&bodies).await.unwrap();
    assert_eq!(*rendered[1], message::scan(message("two").as_bytes()).rendered);
}

#[tokio::test]
async fn many_bodies_come_in_the_order_asked_for_and_one_unknown_fails_all() {
    let mut bench = Bench::new().await;
    for name in ["one", "two", "three"] {
        bench.append(name).await;
    }
    bench.reopen();
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    let mut asked: Vec<_> = snapshot.rows().map(|row| row.body).collect();
    asked.reverse();
    let many = bench.store.body_many(&asked).await.unwrap();
    for ((structure, body), name) in many.iter().zip(["three", "two", "one"]) {
        assert_eq!(body.read_all().unwrap(), message(name).as_bytes());
        assert_eq!(structure.octets(), body.len());
    }
    let other = Bench::new().await;
    for number in 0..9 {
        other.append(&number.to_string()).await;
    }
    let elsewhere = other.store.snapshot(other.inbox).await.unwrap();
    asked.extend(elsewhere.row(9).map(|row| row.body));
    assert!(matches!(bench.store.body_many(&asked).await, Err(MailstoreError::BodyUnknown)));
}

fn rows(snapshot: &mailstore::MailboxSnapshot) -> Vec<mailstore::MessageRow<'_>> {
    snapshot.rows().collect()
}

#[tokio::test]
async fn a_large_message_is_a_file_and_comes_back() {
    let mut bench = Bench::new().await;
    let text = format!("Subject: large\r\n\r\n{}", "0123456789abcdef".repeat(128 * 1024));
    let appended = bench.append_to(bench.inbox, &text, Flags::EMPTY).await;
    bench.crash(disk::Crash::Power);
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    let row = snapshot.find(appended.uid()).unwrap();
    let body = bench.store.body(row.body).await.unwrap();
    assert!(body.is_file());
    assert_eq!(body.read_all().unwrap(), text.as_bytes());
    bench.check();
}

#[tokio::test]
async fn a_large_message_that_was_refused_leaves_no_file() {
    let bench = Bench::new().await;
    let old = bench.store.mailbox_create(&path(&["old"]), None).await.unwrap();
    bench.store.mailbox_delete(&path(&["old"])).await.unwrap();
    let body = Body::from_bytes(vec![b'x'; 2 * 1024 * 1024]);
    let request = mailstore::AppendRequest { body, ..request(old, "", Flags::EMPTY) };
    let refused = bench.store.append(request).await;
    assert!(matches!(refused, Err(MailstoreError::MailboxUnknown)));
    let left = || disk::Disk::list(&bench.disk, "m/bodies".as_ref()).unwrap().len();
    for _ in 0..500 {
        // It is removed by a thread that holds up nobody.
        if left() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(left(), 0);
}

#[tokio::test]
async fn store_says_what_changed_what_was_modified_and_what_is_missing() {
    let bench = Bench::new().await;
    bench.append("one").await;
    let second = bench.append("two").await;
    let third = bench.append("three").await;
    let add = FlagChange::Add(flags(&[SystemFlag::Seen]));
    let asked = uids([1, 2, 3, 9]);
    let outcome = bench.store.store(bench.inbox, asked, add.clone(), Some(second.modseq())).await.unwrap();
    assert_eq!((outcome.changed, outcome.modified, outcome.missing), (uids([1, 2]), uids([3]), uids([9])));
    assert!(outcome.modseq > third.modseq());
    let again = bench.store.store(bench.inbox, uids([1, 2]), add, None).await.unwrap();
    assert_eq!((again.changed, again.modseq), (UidSet::new(), ModSeq::default()), "nothing to change");
    let status = bench.store.status(bench.inbox).await.unwrap();
    assert_eq!((status.messages, status.unseen), (3, 1));
}

#[tokio::test]
async fn keywords_are_stored_and_counted() {
    let bench = Bench::new().await;
    bench.append("one").await;
    let keyword = |n: usize| Keyword::parse(&format!("k{n}")).unwrap();
    let many = Flags::new([], (0..limits::KEYWORDS_PER_MESSAGE_MAX).map(keyword)).unwrap();
    bench.store.store(bench.inbox, uids([1]), FlagChange::Add(many), None).await.unwrap();
    let one_more = Flags::new([], [Keyword::parse("more").unwrap()]).unwrap();
    let refused = bench.store.store(bench.inbox, uids([1]), FlagChange::Add(one_more), None).await;
    assert!(matches!(refused, Err(MailstoreError::KeywordsTooMany)));
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    assert!(snapshot.find(uid(1)).unwrap().flags.has_keyword("K99"));
}

#[tokio::test]
async fn a_copy_shares_the_body_and_keeps_the_email_id() {
    let bench = Bench::new().await;
    let original = bench.append("one").await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    let outcome = bench.store.copy(bench.inbox, uids([1, 7]), other).await.unwrap();
    assert_eq!((outcome.source, outcome.destination), (uids([1]), uids([1])));
    let copies = bench.store.snapshot(other).await.unwrap();
    let copy = copies.find(uid(1)).unwrap();
    assert_eq!((copy.email_id, copy.thread_id), (original.email_id(), original.thread_id()));
    assert_eq!(bench.store.body_references(copy.body).unwrap(), 2);
    bench.check();
}

#[tokio::test]
async fn a_move_takes_the_message_and_leaves_nothing_to_restore() {
    let bench = Bench::new().await;
    let original = bench.append("one").await;
    bench.append("two").await;
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    let outcome = bench.store.move_messages(bench.inbox, uids([1]), other).await.unwrap();
    assert_eq!((outcome.source, outcome.destination), (uids([1]), uids([1])));
    assert_eq!(bench.uids(bench.inbox).await, [2]);
    let moved = bench.store.snapshot(other).await.unwrap();
    let row = moved.find(uid(1)).unwrap();
    assert_eq!(row.email_id, original.email_id());
    assert_eq!(bench.store.body_references(row.body).unwrap(), 1);
    bench.check();
}

#[tokio::test]
async fn a_move_within_a_mailbox_gives_new_uids() {
    let bench = Bench::new().await;
    bench.append("one").await;
    bench.append("two").await;
    let before = bench.modseq(bench.inbox).await;
    let outcome = bench.store.move_messages(bench.inbox, uids([1]), bench.inbox).await.unwrap();
    assert_eq!(outcome.destination, uids([3]));
    let snapshot = bench.store.snapshot(bench.inbox).await.unwrap();
    let changes = snapshot.changes_since(before);
    assert_eq!(changes.vanished, Some(uids([1])));
    assert_eq!(changes.changed.iter().map(|row| row.uid).collect::<Vec<_>>(), [uid(3)]);
    assert_eq!(snapshot.len(), 2);
    bench.check();
}

#[tokio::test]
async fn expunge_takes_only_what_is_deleted_and_asked_for() {
    let bench = Bench::new().await;
    for subject in ["one", "two", "three"] {
        bench.append(subject).await;
    }
    let deleted = FlagChange::Add(flags(&[SystemFlag::Deleted]));
    bench.store.store(bench.inbox, uids([1, 3]), deleted, None).await.unwrap();
    let outcome = bench.store.expunge(bench.inbox, Some(uids([2, 3]))).await.unwrap();
    assert_eq!(outcome.uids, uids([3]));
    assert_eq!(bench.uids(bench.inbox).await, [1, 2]);
    assert_eq!(bench.store.expunge(bench.inbox, None).await.unwrap().uids, uids([1]));
    let status = bench.store.status(bench.inbox).await.unwrap();
    assert_eq!((status.messages, status.deleted, status.uid_next), (1, 0, uid(4)));
    bench.check();
}

#[tokio::test]
async fn an_earlier_snapshot_stays_as_it_was() {
    let bench = Bench::new().await;
    bench.append("one").await;
    let before = bench.store.snapshot(bench.inbox).await.unwrap();
    bench.append("two").await;
    bench.delete(bench.inbox, [1]).await;
    assert_eq!(before.rows().map(|row| row.uid).collect::<Vec<_>>(), [uid(1)]);
    assert_eq!(bench.uids(bench.inbox).await, [2]);
}

#[tokio::test]
async fn a_change_that_was_announced_is_in_the_snapshot() {
    let bench = Bench::new().await;
    let mut changed = bench.store.changed(bench.inbox).unwrap();
    let appended = bench.append("one").await;
    changed.changed().await.unwrap();
    assert_eq!(*changed.borrow_and_update(), appended.modseq());
    assert_eq!(bench.store.snapshot(bench.inbox).await.unwrap().modseq(), appended.modseq());
}

#[tokio::test]
async fn messages_are_recent_for_one_session() {
    let mut bench = Bench::new().await;
    bench.append("one").await;
    assert_eq!(bench.store.status(bench.inbox).await.unwrap().recent, 1);
    let first = bench.store.recent_claim(bench.inbox).unwrap();
    assert_eq!(first, RecentClaim { from: uid(1), until: uid(2) });
    let second = bench.store.recent_claim(bench.inbox).unwrap();
    assert!(!second.contains(uid(1)) && !second.contains(uid(2)));
    bench.append("two").await;
    bench.reopen();
    assert_eq!(bench.store.status(bench.inbox).await.unwrap().recent, 1, "the claim went with the append");
    assert!(bench.store.recent_claim(bench.inbox).unwrap().contains(uid(2)));
}

#[tokio::test]
async fn answers_are_one_conversation_and_other_subjects_and_accounts_are_not() {
    let bench = Bench::new().await;
    let text = |id: &str, refs: &str, subject: &str| {
        format!("Message-ID: <{id}@x>\r\nReferences: {refs}\r\nSubject: {subject}\r\n\r\n.\r\n")
    };
    let append = async |text: String| bench.append_to(bench.inbox, &text, Flags::EMPTY).await.thread_id();
    let first = append(text("a", "", "Lunch")).await;
    assert_eq!(append(text("b", "<a@x>", "Re: lunch")).await, first);
    assert_eq!(append(text("c", "<lost@x> <b@x>", "RE: Lunch")).await, first);
    assert_ne!(append(text("d", "<a@x>", "Dinner")).await, first);
    let bob = address::AccountName::parse("bob@example.org").unwrap();
    let other = bench.store.account_ensure(&bob).await.unwrap();
    let elsewhere = bench.append_to(other, &text("e", "<a@x>", "Re: Lunch"), Flags::EMPTY).await;
    assert_ne!(elsewhere.thread_id(), first);
}

#[tokio::test]
async fn a_thread_is_found_within_one_frame_of_the_journal() {
    let bench = Bench::new().await;
    let texts = ["<a@x>", "<b@x>"]
        .map(|id| format!("Message-ID: {id}\r\nReferences: <a@x>\r\nSubject: s\r\n\r\n.\r\n"));
    let appends = texts.map(|text| bench.store.append(request(bench.inbox, &text, Flags::EMPTY)));
    let [first, second] = appends;
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().thread_id(), second.unwrap().thread_id());
}

#[tokio::test]
async fn snapshots_are_let_go_over_the_budget_and_come_back() {
    let small = MailstoreSettings { snapshot_bytes_max: 1, ..settings() };
    let store = Mailstore::open(small, Arc::new(FaultDisk::new())).unwrap();
    let inbox = store.account_ensure(&support::alice()).await.unwrap();
    for subject in ["one", "two", "three"] {
        store.append(request(inbox, &message(subject), Flags::EMPTY)).await.unwrap();
        let snapshot = store.snapshot(inbox).await.unwrap();
        assert_eq!(
            snapshot.rows().map(|row| row.uid).collect::<Vec<Uid>>(),
            snapshot.uids().iter().collect::<Vec<_>>()
        );
    }
    assert_eq!(store.snapshot(inbox).await.unwrap().len(), 3);
    assert!(store.differences().unwrap().is_empty());
}

/// Reads until the writers have gone; each snapshot is a whole state and none is older than the one before.
async fn watch(store: Mailstore, inbox: mailstore::MailboxId, count: u32) {
    let handle = store.mailbox(inbox).unwrap();
    let mut last = 0;
    while last < count {
        let snapshot = handle.snapshot().await.unwrap();
        assert!(snapshot.len() >= last, "a snapshot went back");
        assert_eq!(snapshot.rows().count() as u32, snapshot.len());
        assert_eq!(snapshot.uid_next().number(), snapshot.len() + 1);
        last = snapshot.len();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_whole_states_while_mailboxes_come_and_go() {
    let small = MailstoreSettings { snapshot_bytes_max: 1, ..settings() };
    let store = Mailstore::open(small, Arc::new(FaultDisk::new())).unwrap();
    let inbox = store.account_ensure(&support::alice()).await.unwrap();
    let readers: Vec<_> = (0..4).map(|_| tokio::spawn(watch(store.clone(), inbox, 400))).collect();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    let text = message(&format!("{writer}-{number}"));
                    store.append(request(inbox, &text, Flags::EMPTY)).await.unwrap();
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
    assert!(store.differences().unwrap().is_empty());
}

fn keyword(text: &str) -> Flags {
    Flags::new([], [Keyword::parse(text).unwrap()]).unwrap()
}

#[tokio::test]
async fn a_mailbox_has_a_limited_number_of_keywords() {
    let mut bench = Bench::new().await;
    bench.append("one").await;
    let add = async |bench: &Bench, text: &str| {
        let change = FlagChange::Replace(keyword(text));
        bench.store.store(bench.inbox, uids([1]), change, None).await
    };
    for number in 0..limits::KEYWORDS_PER_MAILBOX_MAX {
        add(&bench, &format!("k{number}")).await.unwrap();
    }
    bench.reopen();
    assert!(matches!(add(&bench, "more").await, Err(MailstoreError::KeywordsTooMany)));
    add(&bench, "K0").await.expect("the mailbox has it, in any case of its letters");
    let appended = bench.store.append(request(bench.inbox, &message("two"), keyword("more"))).await;
    assert!(matches!(appended, Err(MailstoreError::KeywordsTooMany)));
    let other = bench.store.mailbox_create(&path(&["other"]), None).await.unwrap();
    let appended = bench.append_to(other, &message("two"), keyword("more")).await;
    for copied in [
        bench.store.copy(other, uids([appended.uid().number()]), bench.inbox).await,
        bench.store.move_messages(other, uids([appended.uid().number()]), bench.inbox).await,
    ] {
        assert!(matches!(copied, Err(MailstoreError::KeywordsTooMany)));
    }
    bench.append("plain mail comes in").await;
    bench.check();
}
