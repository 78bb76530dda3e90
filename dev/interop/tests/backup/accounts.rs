//! An account, a mailbox, or a copy beside what is there: brought back into a system that goes on.

use crate::command::{json, number};
use interop::{first, trial};
use std::collections::BTreeSet;
use std::path::Path;
use testkit::trial::Account;
use testkit::{Trial, imap};

const DATE: &str = "03-Feb-2021 04:05:06 +0000";
const MAILBOXES: [&str; 3] = ["INBOX", "Archive", "Projects/North"];

/// What IMAP shows of a message that must come back as it was.
type Shown = BTreeSet<String>;

fn client(trial: &Trial, account: &Account) -> imap::Client {
    imap::Client::login(trial, account).expect("a login")
}

/// Two messages in each mailbox, with flags, a keyword and a date of their own.
fn fill(client: &mut imap::Client) {
    client.ok("CREATE Projects/North").expect("it can be made");
    for mailbox in MAILBOXES {
        for number in 1..=2 {
            let message = format!("Subject: {mailbox} {number}\r\n\r\ntext of {number} in {mailbox}\r\n");
            let into = format!("{mailbox} (\\Seen \\Flagged later{number}) \"{DATE}\"");
            let answer = client.append(&into, message.as_bytes()).expect("it is read");
            assert!(answer.tagged.starts_with("OK"), "{answer:?}");
        }
    }
}

/// What is in a mailbox, without uids and sequence numbers; nothing where there is no such mailbox.
fn shown(client: &mut imap::Client, mailbox: &str) -> Shown {
    if client.ok(&format!("EXAMINE \"{mailbox}\"")).is_err() {
        return Shown::new();
    }
    let responses = client.ok("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])").unwrap_or_default();
    let texts = responses.iter().map(|response| String::from_utf8_lossy(response).replace(" \\Recent", ""));
    let fetched = texts.filter_map(|text| Some(text.split_once("FETCH ")?.1.to_owned()));
    let shown: Shown = fetched.collect();
    assert!(shown.iter().all(|text| text.contains(&DATE[1..]) && text.contains("\\Flagged")), "{shown:?}");
    shown
}

fn all_shown(client: &mut imap::Client) -> Vec<Shown> {
    MAILBOXES.iter().map(|mailbox| shown(client, mailbox)).collect()
}

fn expunge(client: &mut imap::Client, mailbox: &str, which: &str) {
    client.ok(&format!("SELECT {mailbox}")).expect("it is there");
    client.ok(&format!("STORE {which} +FLAGS.SILENT (\\Deleted)")).expect("they are there");
    client.ok("EXPUNGE").expect("it is done");
}

/// Brings back; how many messages came.
fn bring(trial: &Trial, backup: &Path, words: &str) -> u64 {
    let words = format!("restore-backup {} --account alice {words}", backup.display());
    number(&json(trial, &words), "restored")
}

#[test]
fn an_account_gets_back_what_it_lost_and_once_only() {
    let (mut trial, folder) = trial();
    let backup = folder.path().join("backup");
    let alice = first(&trial);
    let mut imap = client(&trial, &alice);
    fill(&mut imap);
    let before = all_shown(&mut imap);
    assert!(before.iter().all(|mailbox| mailbox.len() == 2), "{before:?}");
    json(&trial, &format!("backup {}", backup.display()));

    expunge(&mut imap, "INBOX", "1");
    expunge(&mut imap, "Archive", "1:2");
    imap.ok("UNSELECT").expect("it is done");
    imap.ok("DELETE Projects/North").expect("it is done");
    assert_eq!(bring(&trial, &backup, ""), 5);
    assert_eq!(all_shown(&mut imap), before);
    assert_eq!(bring(&trial, &backup, ""), 0);
    assert_eq!(all_shown(&mut imap), before);

    // The same where nothing runs.
    expunge(&mut imap, "INBOX", "1:2");
    assert!(trial.terminate());
    assert_eq!(bring(&trial, &backup, ""), 2);
    trial.restart();
    assert_eq!(all_shown(&mut client(&trial, &alice)), before);
    assert_eq!(std::fs::read_dir(&backup).expect("it is there").count(), 4, "something stays behind");
}

#[test]
fn one_mailbox_comes_back_where_it_was_or_beside_what_is_there() {
    let (trial, folder) = trial();
    let backup = folder.path().join("backup");
    let mut imap = client(&trial, &first(&trial));
    fill(&mut imap);
    let before = all_shown(&mut imap);
    json(&trial, &format!("backup {}", backup.display()));

    MAILBOXES.iter().for_each(|mailbox| expunge(&mut imap, mailbox, "1:2"));
    assert_eq!(bring(&trial, &backup, "--mailbox Projects"), 2);
    assert_eq!(all_shown(&mut imap), [Shown::new(), Shown::new(), before[2].clone()]);
    assert_eq!(bring(&trial, &backup, "--mailbox inbox --into Found"), 2);
    assert_eq!(shown(&mut imap, "Found/INBOX"), before[0]);
    assert_eq!(shown(&mut imap, "INBOX"), Shown::new());
    assert_eq!(bring(&trial, &backup, "--mailbox inbox --into Found"), 0);
    assert_eq!(bring(&trial, &backup, "--into Found"), 2);
    assert_eq!(shown(&mut imap, "Found/Archive"), before[1]);
}
