//! The transcripts of SMTP and LMTP (`proto/smtp/transcripts`) played to a whole Tartan, to Postfix, Dovecot and Cyrus.
//!
//! A transcript that a server does not follow says so, and why, in a line of its head that is named for the server. Such
//! a line is checked, too: it may not stand there without need.

use interop::settings::set;
use interop::trial;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use testkit::peer::{Cyrus, Dovecot, Next, Settings, Store};
use testkit::transcript::{Server, Transcript};
use testkit::trial::Account;

/// The keys of a scene that any server can be asked to play.
const COMMON: [&str; 6] = ["flavour", "xclient", "trial", "postfix", "dovecot", "cyrus"];

/// Plays what speaks `flavour` to the server `name` at `address`, and tells of what is not as marked.
fn play(name: &str, flavour: &str, address: SocketAddr) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/smtp/transcripts");
    let (mut played, mut wrong) = (0, Vec::new());
    for transcript in Transcript::read_all(&folder) {
        let is_ours = transcript.value("ours-only").is_some();
        assert!(is_ours || transcript.asks_only(&COMMON), "{}: who can be in that scene?", transcript.name);
        if is_ours || transcript.value("flavour").unwrap_or("smtp") != flavour {
            continue;
        }
        played += 1;
        let marked = transcript.value(name);
        let patience = Duration::from_secs(if marked.is_some() { 1 } else { 20 });
        let foreign = name != "trial";
        let server = Server { address, certificate: None, implicit_tls: false, foreign, patience };
        match (transcript.play(&server), marked) {
            (Err(failure), None) => wrong.push(failure),
            (Ok(()), Some(reason)) => wrong.push(format!("{}.txt: not true: {reason}", transcript.name)),
            _ => {}
        }
    }
    assert!(played > 3, "only {played} transcripts are for {flavour}");
    assert!(wrong.is_empty(), "{name} ({flavour}):\n{}", wrong.join("\n"));
}

/// Who has an address at example.org, beside the two with an account, of all that the transcripts name.
const PEOPLE: [&str; 8] = ["a", "b", "c", "d", "ann", "user", "jürgen", "\"quoted local\""];

#[test]
fn a_whole_tartan_follows_the_transcripts() {
    let (mut trial, _folder) = trial();
    let size = ("limits", "message_size", "\"1000 B\"");
    let xclient = ("mx", "xclient", "[\"127.0.0.1\"]");
    set(
        &mut trial,
        &[("system", "hostname", "\"mx.example.org\""), size, ("mx", "recipients", "100"), xclient],
    );
    trial.tartan(&["domain", "add", "example.org"]);
    for name in ["one@example.org", "two@example.org"] {
        trial.tartan(&["account", "add", name, "--generate"]);
    }
    let alice = trial.contract.accounts[0].address.clone();
    for name in PEOPLE {
        trial.tartan(&["address", "add", &format!("{name}@example.org"), &alice]);
    }
    play("trial", "smtp", trial.address("mx").parse().expect("an address"));
    play("trial", "lmtp", trial.address("lmtp").parse().expect("an address"));
}

#[test]
fn postfix_follows_the_transcripts_of_smtp() {
    let folder = TempDir::new().expect("a temporary folder");
    let access = "inline:{ {unknown@example.org=550 5.1.1 unknown}, {later@example.org=451 4.4.3 away} }";
    let evil = "inline:{ {evil@client.example=550 5.7.1 not you} }";
    let postfix = Settings::default()
        .domain("example.org", Next::Discard)
        .set("mynetworks", "192.0.2.0/24")
        .set("smtpd_helo_required", "yes")
        .set("smtpd_delay_reject", "no")
        .set("smtpd_relay_restrictions", "reject_unauth_destination")
        .set("smtpd_error_sleep_time", "0")
        .set(
            "smtpd_recipient_restrictions",
            &format!("check_recipient_access {access}, reject_unauth_destination"),
        )
        .set("smtpd_sender_restrictions", &format!("check_sender_access {evil}"))
        .start(folder.path());
    play("postfix", "smtp", postfix.smtp);
}

fn people() -> Vec<Account> {
    let account = |name: &&str| Account {
        login: (*name).to_owned(),
        password: "secret".to_owned(),
        address: format!("{name}@example.org"),
    };
    ["one", "two"].iter().map(account).collect()
}

#[test]
fn dovecot_and_cyrus_follow_the_transcripts_of_lmtp() {
    let folders = [TempDir::new(), TempDir::new()].map(|folder| folder.expect("a temporary folder"));
    let dovecot = Dovecot::start(folders[0].path(), Store::Maildir, &people());
    play("dovecot", "lmtp", dovecot.lmtp);
    let cyrus = Cyrus::start(folders[1].path(), &people());
    play("cyrus", "lmtp", cyrus.lmtp);
}
