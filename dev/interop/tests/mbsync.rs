//! mbsync keeps a Maildir and an account the same: 1,000 messages with flags, both ways, and a second run
//! that changes nothing.

use interop::{first, trial, write};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use testkit::trial::Account;
use testkit::{Trial, imap, program, proof};

const MESSAGES: u64 = 1_000;

fn configuration(folder: &Path, trial: &Trial, account: &Account) -> String {
    let base = folder.display();
    fs::create_dir_all(folder.join("mail")).expect("a folder");
    let text = format!(
        "IMAPAccount trial\nHost localhost\nPort {port}\nUser {login}\nPass {password}\nSSLType IMAPS\n\
         CertificateFile {certificate}\nAuthMechs LOGIN\n\nIMAPStore far\nAccount trial\n\n\
         MaildirStore near\nPath {base}/mail/\nInbox {base}/mail/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n",
        port = trial.listener("imaps").port,
        login = account.login,
        password = account.password,
        certificate = trial.contract.certificate.display(),
    );
    write(folder, "mbsyncrc", &text)
}

fn mbsync(configuration: &str) -> String {
    let output =
        program::output(Command::new("mbsync").args(["--config", configuration, "--verbose", "--all"]), b"");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{printed}");
    printed
}

/// Serial number and flags of each message in the Maildir, flags as the letters of its file name.
fn near(folder: &Path) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    for part in ["cur", "new"] {
        for entry in fs::read_dir(folder.join("mail/INBOX").join(part)).expect("a Maildir").flatten() {
            let bytes = fs::read(entry.path()).expect("a message");
            let bytes = String::from_utf8(bytes).expect("ASCII").replace("\r\n", "\n").replace('\n', "\r\n");
            let serial = proof::check(bytes.as_bytes()).expect("a proof").expect("a whole message");
            let name = entry.file_name().into_string().expect("ASCII");
            let flags = name.rsplit_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default();
            assert!(found.insert(serial, flags).is_none(), "message {serial} is there twice");
        }
    }
    found
}

/// UID, flags and modification of each message on the server, as FETCH prints them, without \Recent.
fn far(trial: &Trial, account: &Account) -> Vec<String> {
    let mut client = imap::Client::login(trial, account).expect("a login");
    client.ok("EXAMINE INBOX").expect("INBOX");
    let responses = client.ok("UID FETCH 1:* (UID FLAGS)").expect("flags");
    let text = |response: &Vec<u8>| {
        String::from_utf8_lossy(response).replace(" \\Recent", "").replace("\\Recent", "")
    };
    responses.iter().map(text).filter(|line| line.contains("FETCH")).collect()
}

fn fill(trial: &Trial, account: &Account) {
    let mut client = imap::Client::login(trial, account).expect("a login");
    for serial in 0..MESSAGES {
        let flags = match serial % 4 {
            0 => "(\\Seen)",
            1 => "(\\Flagged \\Answered)",
            2 => "(\\Draft)",
            _ => "()",
        };
        let answer =
            client.append(&format!("INBOX {flags}"), &proof::message(serial, 1_500)).expect("an answer");
        assert!(answer.tagged.starts_with("OK"), "{}", answer.tagged);
    }
}

#[test]
fn a_two_way_sync_of_1000_messages_with_flags_is_whole_and_the_second_changes_nothing() {
    let (trial, folder) = trial();
    let account = first(&trial);
    fill(&trial, &account);
    let configuration = configuration(folder.path(), &trial, &account);
    mbsync(&configuration);
    let copied = near(folder.path());
    assert_eq!(copied.len() as u64, MESSAGES);
    assert_eq!([&copied[&0], &copied[&1], &copied[&2], &copied[&3]], ["S", "FR", "D", ""]);

    // The other way: one message flagged, one deleted and one new in the Maildir.
    let seen = rename_flags(folder.path(), 3, "S");
    remove(folder.path(), 5);
    fs::write(folder.path().join("mail/INBOX/new/9.near"), to_lf(&proof::message(MESSAGES, 700)))
        .expect("a new message");
    mbsync(&configuration);
    let after = near(folder.path());
    assert_eq!(after.len() as u64, MESSAGES, "one removed, one added");
    assert!(seen && after[&3] == "S" && !after.contains_key(&5));
    let server = far(&trial, &account);
    assert_eq!(server.len() as u64, MESSAGES);

    let printed = mbsync(&configuration);
    assert_eq!(near(folder.path()), after, "the second run changed the Maildir: {printed}");
    assert_eq!(far(&trial, &account), server, "the second run changed the server: {printed}");
}

fn path_of(folder: &Path, serial: u64) -> std::path::PathBuf {
    let marker = format!("X-Proof: {serial} ");
    ["cur", "new"]
        .iter()
        .flat_map(|part| fs::read_dir(folder.join("mail/INBOX").join(part)).expect("a Maildir").flatten())
        .map(|entry| entry.path())
        .find(|path| interop::contains(&fs::read(path).expect("a message"), &marker))
        .expect("the message is in the Maildir")
}

fn rename_flags(folder: &Path, serial: u64, flags: &str) -> bool {
    let old = path_of(folder, serial);
    let name = old.file_name().and_then(|name| name.to_str()).expect("ASCII");
    let base = name.split_once(":2,").map_or(name, |(base, _)| base);
    fs::rename(&old, folder.join("mail/INBOX/cur").join(format!("{base}:2,{flags}"))).is_ok()
}

fn remove(folder: &Path, serial: u64) {
    fs::remove_file(path_of(folder, serial)).expect("the message can be removed");
}

fn to_lf(message: &[u8]) -> Vec<u8> {
    message.iter().copied().filter(|byte| *byte != b'\r').collect()
}
