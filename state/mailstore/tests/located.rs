//! Where a message is, found by its `Message-ID`.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use mailstore::{Arrival, Flags, Gone, Located};
use support::{Bench, path, uids};

async fn find(bench: &Bench, message_id: &str) -> Vec<Located> {
    bench.store.message_id_find(message_id).await.unwrap()
}

#[tokio::test]
async fn a_message_is_found_where_it_was_stored_with_and_without_brackets() {
    let bench = Bench::new().await;
    let appended = bench.append("one").await;
    bench.append("two").await;
    let found = find(&bench, "<one@x>").await;
    assert_eq!(found, find(&bench, "one@x").await);
    let [at] = &found[..] else { panic!("{found:?}") };
    assert_eq!((at.uid, at.email_id, at.arrival), (appended.uid(), appended.email_id(), Arrival::Appended));
    assert_eq!((at.path.clone(), at.gone), (Some(path(&["INBOX"])), None));
    assert!(find(&bench, "three@x").await.is_empty());
}

#[tokio::test]
async fn copies_moves_and_expunges_are_told_with_their_records() {
    let mut bench = Bench::new().await;
    let kept = bench.store.mailbox_create(&path(&["Kept"]), None).await.unwrap();
    bench.append("one").await;
    bench.store.copy(bench.inbox, uids([1]), kept).await.unwrap();
    bench.delete(bench.inbox, [1]).await;
    bench.append("two").await;
    bench.store.move_messages(bench.inbox, uids([2]), kept).await.unwrap();
    bench.check();
    bench.reopen();

    let one = find(&bench, "one@x").await;
    assert_eq!(one.iter().map(|at| at.arrival).collect::<Vec<_>>(), [Arrival::Appended, Arrival::Copied]);
    let Some(Gone::Expunged { record, .. }) = one[0].gone else { panic!("{one:?}") };
    assert!(one[0].record < one[1].record && one[1].record < record, "{one:?}");
    assert_eq!((one[1].gone, one[0].email_id), (None, one[1].email_id));

    let two = find(&bench, "two@x").await;
    let [two] = &two[..] else { panic!("{two:?}") };
    assert_eq!((two.arrival, two.path.clone()), (Arrival::Moved, Some(path(&["Kept"]))));
    assert_eq!(two.from, Some(path(&["INBOX"])));
}

#[tokio::test]
async fn a_message_of_a_deleted_mailbox_has_gone_with_it() {
    let bench = Bench::new().await;
    let short = bench.store.mailbox_create(&path(&["Short"]), None).await.unwrap();
    bench.append_to(short, &support::message("one"), Flags::EMPTY).await;
    bench.store.mailbox_delete(&path(&["Short"])).await.unwrap();
    let found = find(&bench, "one@x").await;
    assert!(matches!(found[0].gone, Some(Gone::MailboxDeleted { .. })), "{found:?}");
    assert_eq!(found[0].path, Some(path(&["Short"])));
}

#[tokio::test]
async fn a_reply_without_an_id_is_not_taken_for_what_it_answers() {
    let bench = Bench::new().await;
    bench.append("one").await;
    let reply = "Subject: Re: one\r\nIn-Reply-To: <one@x>\r\n\r\nyes\r\n";
    bench.append_to(bench.inbox, reply, Flags::EMPTY).await;
    assert_eq!(find(&bench, "one@x").await.len(), 1);
}
