//! Backups of a real system: taken under load, brought back whole or by account and mailbox, and refused where they would do
//! harm.

mod accounts;
mod command;
mod load;

use command::{fails, files, json, number, started_anew};
use interop::settings::{self, COMPACTING};
use interop::{first, metrics, second, trial};
use load::{Known, Load, append_uid};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use testkit::{Trial, imap, program, proof};

/// Acknowledged messages that make a load.
const LOADED: usize = 250;
const WAIT: Duration = Duration::from_secs(60);

#[test]
fn what_was_acknowledged_before_a_backup_under_load_is_there_after_the_loss_of_everything() {
    let (mut trial, folder) = trial();
    settings::set(&mut trial, &COMPACTING);
    let backup = folder.path().join("backup");
    let (before, after) = backed_up_and_killed_under_load(&trial, &backup);
    trial.kill();
    let passwords = fs::read(trial.contract.data.join("trial.json")).expect("a trial has it");
    let compactions = trial.log().matches("compaction store=").count();
    fs::remove_dir_all(&trial.contract.data).expect("it can be removed");

    let again = started_anew(&backup, &folder.path().join("new"), &passwords);
    drain(&again);
    let found = found(&again);
    let lost: Vec<_> =
        before.held.difference(&after.going).filter(|serial| !found.contains(serial)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), before.held.len());
    let back: Vec<_> = before.gone.intersection(&found).collect();
    assert!(back.is_empty(), "expunged before the backup, and there again: {back:?}");
    assert!(
        !before.gone.is_empty() && compactions > 0,
        "that was no load: {compactions} compactions, {before:?}"
    );
    let mut client = imap::Client::login(&again, &second(&again)).expect("a login");
    let uid = append_uid(&client.append("Archive", &proof::message(0, 100)).expect("it is taken"));
    assert!(uid > after.uid_max, "uid {uid} is given again: {} was given before the end", after.uid_max);
}

/// What was known when a backup under load began, and in the end.
fn backed_up_and_killed_under_load(trial: &Trial, backup: &Path) -> (Known, Known) {
    let load = Load::default();
    let before = std::thread::scope(|scope| {
        scope.spawn(|| load.smtp(trial));
        scope.spawn(|| load.lmtp(trial));
        scope.spawn(|| load.imap(trial));
        let loaded = || {
            let known = load.known();
            (known.held.len() >= LOADED && !known.gone.is_empty()).then_some(())
        };
        program::eventually(WAIT, "a load", loaded);
        json(trial, &format!("backup {}", backup.display()));
        let before = load.known();
        let taken = json(trial, &format!("backup {} --keep 1", backup.display()));
        assert_eq!(number(&taken, "generations_removed"), 1, "{taken}");
        let pid = trial.pid().to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().expect("kill runs").success());
        before
    });
    (before, load.known())
}

/// What was in the queue is on its way again: it has a minute to arrive.
fn drain(trial: &Trial) {
    let is_empty = || metrics::sum(trial, "tartan_spool_messages", &[]) < 0.5;
    program::eventually(WAIT, "an empty queue", || is_empty().then_some(()));
}

/// The serial numbers of all messages, each of which must be whole.
fn found(trial: &Trial) -> BTreeSet<u64> {
    let places = [(first(trial), "INBOX"), (second(trial), "Archive")];
    let messages = places.iter().flat_map(|(account, mailbox)| {
        let mut client = imap::Client::login(trial, account).expect("a login");
        client.ok(&format!("EXAMINE {mailbox}")).expect("the mailbox is there");
        client.messages().expect("all can be read")
    });
    let serial =
        |message: Vec<u8>| proof::check(&message).expect("only proofs were sent").expect("it is whole");
    messages.map(serial).collect()
}

/// A system with some small messages, and its backup.
fn filled(count: u64, size: usize) -> (Trial, TempDir, PathBuf) {
    let (mut trial, folder) = trial();
    settings::set(&mut trial, &[("mailstore", "segment_size", "\"64 KiB\"")]);
    let mut client = imap::Client::login(&trial, &first(&trial)).expect("a login");
    for serial in 1..=count {
        append_uid(&client.append("INBOX", &proof::message(serial, size)).expect("it is taken"));
    }
    let backup = folder.path().join("backup");
    (trial, folder, backup)
}

#[test]
fn a_second_backup_costs_what_is_new_and_one_flipped_byte_is_named() {
    let (mut trial, _folder, backup) = filled(60, 20_000);
    let words = format!("backup {}", backup.display());
    let whole = json(&trial, &words);
    assert_eq!(number(&whole, "bytes"), number(&whole, "bytes_copied"));
    let mut client = imap::Client::login(&trial, &first(&trial)).expect("a login");
    append_uid(&client.append("INBOX", &proof::message(61, 500)).expect("it is taken"));
    let second = json(&trial, &words);
    assert!(number(&second, "bytes_copied") * 5 < number(&second, "bytes"), "{second}");
    assert!(number(&second, "files_copied") < 10, "{second}");

    // No server is needed to look at it, and none to take another.
    assert!(trial.terminate());
    let third = json(&trial, &words);
    assert!(number(&third, "bytes_copied") * 5 < number(&third, "bytes"), "{third}");
    assert_eq!(json(&trial, &format!("{words} --list")).as_array().map(Vec::len), Some(3));
    assert_eq!(json(&trial, &format!("{words} --verify"))["findings"].as_array().map(Vec::len), Some(0));

    let pooled = files(&backup.join("files/mailstore/journal"));
    let largest =
        pooled.iter().max_by_key(|path| path.metadata().expect("it is there").len()).expect("a segment");
    let mut bytes = fs::read(largest).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest, bytes).expect("it can be written");
    let said = fails(&trial.contract.config, &format!("{words} --verify"), 1);
    let name = largest.file_stem().expect("a name").to_string_lossy();
    assert!(said.contains(&*name), "{name}: {said}");
}

#[test]
fn a_backup_that_is_killed_is_no_generation_and_the_next_goes_on_with_its_files() {
    let (trial, folder, backup) = filled(24, 1_200_000);
    let words = format!("backup {}", backup.display());
    let mut killed = command::command(&trial.contract.config, &words);
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("tartan starts");
    program::eventually(WAIT, "files in the pool", || {
        (files(&backup.join("files/mailstore/bodies")).len() >= 4).then_some(())
    });
    killed.kill().expect("it can be killed");
    let ended = killed.wait().expect("it can be waited for");
    assert!(!ended.success(), "it was faster than the kill");
    assert_eq!(json(&trial, &format!("{words} --list")).as_array().map(Vec::len), Some(0));

    let taken = json(&trial, &words);
    assert!(number(&taken, "files_copied") + 4 <= number(&taken, "files"), "{taken}");
    json(&trial, &format!("{words} --verify"));
    let passwords = fs::read(trial.contract.data.join("trial.json")).expect("a trial has it");
    let before = found(&trial);
    drop(trial);
    let again = started_anew(&backup, &folder.path().join("new"), &passwords);
    assert_eq!(found(&again), before);
}

#[test]
fn a_message_that_is_damaged_in_the_backup_is_named_and_the_others_are_brought_back() {
    let (trial, _folder, backup) = filled(3, 1_200_000);
    json(&trial, &format!("backup {}", backup.display()));
    let mut client = imap::Client::login(&trial, &first(&trial)).expect("a login");
    for command in ["SELECT INBOX", "STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE"] {
        client.ok(command).expect("it is done");
    }
    let body = files(&backup.join("files/mailstore/bodies")).pop().expect("large messages are files");
    let mut bytes = fs::read(&body).expect("it can be read");
    bytes[2_000] ^= 1;
    fs::write(&body, bytes).expect("it can be written");
    let restore = format!("restore-backup {} --account alice", backup.display());
    let said = fails(&trial.contract.config, &restore, 1);
    assert!(said.contains("INBOX, uid ") && said.contains("2 were brought back"), "{said}");
    assert_eq!(found(&trial).len(), 2);
}

#[test]
fn what_would_do_harm_or_means_nothing_is_refused_in_words() {
    let (trial, folder, backup) = filled(2, 500);
    let (config, data) = (&trial.contract.config, trial.contract.data.display());
    let backup = backup.display();
    for inside in
        [format!("backup {data}"), format!("backup {data}/backup"), format!("backup {data}/spool/x")]
    {
        assert!(fails(config, &inside, 2).contains("data directory"), "{inside}");
    }
    let home = folder.path().join("home");
    fs::create_dir_all(home.join("incoming")).expect("it can be made");
    fs::write(home.join("letter"), "dear").expect("it can be written");
    let said = fails(config, &format!("backup {}", home.display()), 2);
    assert!(said.contains("letter") && home.join("letter").exists(), "{said}");

    assert!(fails(config, &format!("backup {backup} --verify"), 1).contains("no backup"));
    json(&trial, &format!("backup {backup}"));
    let restores: BTreeMap<&str, (&str, i32)> = BTreeMap::from([
        ("", ("--data", 2)),
        ("--account alice --data /tmp/x", ("cannot be used with", 2)),
        ("--mailbox INBOX --data /tmp/x", ("cannot be used with", 2)),
        ("--account nobody", ("nobody", 1)),
        ("--account alice --mailbox Nowhere", ("Nowhere", 1)),
        ("--account alice --generation 2020-01-01T00:00:00Z", ("2020-01-01T00:00:00Z", 1)),
        ("--store nonsense --data /tmp/tartan-nowhere", ("nonsense", 1)),
    ]);
    for (words, (expected, status)) in restores {
        let said = fails(config, &format!("restore-backup {backup} {words}"), status);
        assert!(said.contains(expected), "{words}: {said}");
    }
    let said = fails(config, &format!("restore-backup {backup} --data {data}"), 1);
    assert!(said.contains("runs"), "{said}");
}

#[test]
fn what_is_copied_and_what_is_brought_back_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (trial, folder, backup) = filled(2, 500);
    json(&trial, &format!("backup {}", backup.display()));
    let new = folder.path().join("new");
    json(&trial, &format!("restore-backup {} --data {}", backup.display(), new.display()));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for file in [files(&backup), files(&new)].concat() {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let folder = file.parent().expect("it is in a folder");
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    assert!(new.join("tls/key.pem").is_file());
}
