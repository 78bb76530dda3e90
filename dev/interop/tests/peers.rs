//! The servers that Tartan is compared with: that each starts, takes mail in, shows it, and ends.

use std::time::Duration;
use tempfile::TempDir;
use testkit::peer::{self, Cyrus, Dovecot, Next, Postfix, Settings, Store};
use testkit::process::{Tree, runs};
use testkit::program::eventually;
use testkit::trial::Account;
use testkit::{imap, proof, smtp};

const LIMIT: Duration = Duration::from_secs(20);

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// One message by LMTP, refused for a stranger, and one by APPEND, both read back whole.
fn takes_and_shows(imap: &str, lmtp: &str, account: &Account) {
    let mut client = smtp::Client::lmtp(lmtp).expect("a session");
    let replies =
        client.send("sender@client.test", &[&account.address], &proof::message(1, 500)).expect("replies");
    assert!(replies[0].is_accepted(), "{replies:?}");
    client.command("MAIL FROM:<sender@client.test>").expect("a reply");
    let stranger = client.command(&format!("RCPT TO:<stranger@{}>", peer::DOMAIN)).expect("a reply");
    assert_eq!(stranger.code, 550, "{stranger:?}");
    let mut client = imap::Client::login_plain(imap, account).expect("a login");
    client.append("INBOX", &proof::message(2, 500)).expect("an answer");
    client.ok("SELECT INBOX").expect("the inbox is there");
    let messages = client.messages().expect("its messages");
    let serials: Vec<_> = messages.iter().map(|message| proof::check(message)).collect();
    assert_eq!(serials, [Some(Ok(1)), Some(Ok(2))]);
    let wrong = Account { password: "wrong".to_owned(), ..account.clone() };
    assert!(imap::Client::login_plain(imap, &wrong).is_err(), "a wrong password is refused");
}

fn ends<T>(tree: Tree, server: T) {
    let pids = tree.pids();
    drop(server);
    assert!(!pids.iter().any(|pid| runs(*pid)), "all of {pids:?} have ended");
}

#[test]
fn dovecot_takes_and_shows_mail_in_both_of_its_stores() {
    for store in [Store::Maildir, Store::Mdbox] {
        let (folder, accounts) = (folder(), peer::accounts(1_000));
        let dovecot = Dovecot::start(folder.path(), store, &accounts);
        takes_and_shows(&dovecot.imap.to_string(), &dovecot.lmtp.to_string(), &accounts[999]);
        ends(dovecot.tree(), dovecot);
    }
}

#[test]
fn cyrus_takes_and_shows_mail() {
    let (folder, accounts) = (folder(), peer::accounts(1_000));
    let cyrus = Cyrus::start(folder.path(), &accounts);
    takes_and_shows(&cyrus.imap.to_string(), &cyrus.lmtp.to_string(), &accounts[999]);
    ends(cyrus.tree(), cyrus);
}

/// Says XCLIENT, DSN, and a message for the Maildir and for a domain that goes nowhere.
fn hand_over(postfix: &Postfix) {
    let mut client = smtp::Client::smtp(&postfix.smtp.to_string()).expect("a session");
    let offer = client.command("EHLO client.test").expect("a reply").text;
    assert!(offer.contains("DSN") && offer.contains("XCLIENT"), "{offer}");
    let to = ["anyone@local.test", "gone@gone.test"];
    let replies = client.send("sender@local.test", &to, &proof::message(3, 500)).expect("a reply");
    assert!(replies[0].is_accepted(), "{replies:?}");
}

#[test]
fn postfix_delivers_to_its_maildir_and_bounces_what_has_an_error() {
    let folder = folder();
    let settings = Settings::default().domain("local.test", Next::Maildir);
    let postfix =
        settings.domain("gone.test", Next::Bounce("5.1.2 no such place".to_owned())).start(folder.path());
    hand_over(&postfix);
    postfix.logged("status=bounced (no such place)", LIMIT);
    let messages = eventually(LIMIT, "the message and its report", || {
        Some(postfix.maildir()).filter(|messages| messages.len() == 2)
    });
    assert!(messages.iter().any(|message| proof::check(message) == Some(Ok(3))), "the message is whole");
    ends(postfix.tree(), postfix);
}
