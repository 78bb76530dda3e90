//! `tartan check`, `tartan journal`, `tartan status` and what is said where space is low, on a system of one process.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testkit::trial::Trial;
use testkit::{imap, smtp};

const MESSAGE: &[u8] = b"Message-ID: <one@client.test>\r\nSubject: one\r\n\r\nHello\r\n";

fn tartan(config: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tartan"));
    command.arg("--config").arg(config).args(args).output().expect("it starts")
}

/// What a command that ends with `status` prints, and what it complains of.
fn told(status: i32, config: &Path, args: &[&str]) -> (String, String) {
    let output = tartan(config, args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{args:?}: {out}{err}");
    (out, err)
}

fn journals(data: &Path) -> Vec<String> {
    ["spool", "mailstore", "directory"].map(|store| data.join(store).display().to_string()).to_vec()
}

fn on_all<'a>(command: &'a [&'a str], journals: &'a [String]) -> Vec<&'a str> {
    command.iter().copied().chain(journals.iter().map(String::as_str)).collect()
}

/// Behind the head of the segment and the frame with which a term begins, in the head of the first frame with records.
const IN_THE_SECOND_FRAME: u64 = 40 + 48 + 20;

/// A trial with a message delivered.
fn delivered(data: &Path) -> Trial {
    let trial = Trial::start(data);
    let account = &trial.contract.accounts[1];
    let mut client = smtp::Client::smtp(&trial.address("mx")).expect("connected");
    let replies = client.send("a@client.test", &[&account.address], MESSAGE).expect("answered");
    assert!(replies[0].is_accepted(), "{replies:?}");
    delivery_waited(&trial);
    trial
}

/// Waits until the queue is empty.
fn delivery_waited(trial: &Trial) {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !trial.tartan(&["spool", "list"]).contains("the queue is empty") {
        assert!(std::time::Instant::now() < patience, "it is never delivered");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn flip(file: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).expect("the file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("read");
    file.write_all_at(&[byte[0] ^ 1], offset).expect("written");
}

fn first_segment(data: &Path, store: &str) -> PathBuf {
    data.join(store).join("journal/00000000000000000001.seg")
}

#[test]
fn a_sound_system_is_said_to_be_so_while_it_runs_and_when_it_is_stopped() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut trial = delivered(&data);
    let config = trial.contract.config.clone();
    let journals = journals(&data);
    for running in [true, false] {
        if !running {
            assert!(trial.terminate());
        }
        let (out, _) = told(0, &config, &["check"]);
        for store in ["directory: ", "spool: ", "mailstore: "] {
            let line = out.lines().find(|line| line.starts_with(store)).unwrap_or_else(|| panic!("{out}"));
            assert!(line.ends_with("all is well"), "{line}");
        }
        let (out, _) = told(0, &config, &on_all(&["journal", "verify"], &journals));
        assert_eq!(out.matches("all is as it was written").count(), 3, "{out}");
        let (out, _) = told(0, &config, &on_all(&["journal", "stat"], &journals));
        assert_eq!(out.matches("state records of kind").count().min(9), 9, "{out}");
        let (_, err) = told(i32::from(running), &config, &["check", "--repair"]);
        assert_eq!(err.contains("stop it first"), running, "{err}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&told(0, &config, &["check", "--json"]).0).expect("JSON");
    assert_eq!(json[1]["store"], "spool");
    assert_eq!(json[1]["findings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn damage_is_named_with_its_place_and_does_not_hide_that_the_rest_is_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut trial = delivered(&data);
    assert!(trial.terminate());
    let config = trial.contract.config.clone();
    flip(&first_segment(&data, "spool"), IN_THE_SECOND_FRAME);
    let journals = journals(&data);
    let (out, err) = told(1, &config, &on_all(&["journal", "verify"], &journals));
    assert!(out.contains("state damaged in") && out.contains("00000000000000000001.seg at byte"), "{out}");
    assert_eq!(out.matches("all is as it was written").count(), 2, "{out}");
    assert!(err.contains("spool/journal: damaged"), "{err}");
    let (out, err) = told(1, &config, &["check"]);
    assert!(out.contains("spool: journal: state damaged in"), "{out}");
    assert!(
        out.lines().any(|line| line.starts_with("mailstore: ") && line.ends_with("all is well")),
        "{out}"
    );
    assert!(err.contains("not as it should be: spool"), "{err}");

    let saved = dir.path().join("saved");
    let (from, into) = (data.join("spool").display().to_string(), saved.display().to_string());
    let (out, _) = told(1, &config, &["journal", "salvage", &from, &into]);
    assert!(out.contains("are lost"), "{out}");
    told(0, &config, &["journal", "verify", &into]);
    let (_, err) = told(1, &config, &["journal", "salvage", &from, &into]);
    assert!(err.contains(&into), "{err}");
}

#[test]
fn a_view_that_differs_from_its_journal_is_found_and_made_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut trial = delivered(&data);
    assert!(trial.terminate());
    let config = trial.contract.config.clone();
    // The view of a twin: by its numbers it is not ahead of the journal, and it says something else.
    let other = dir.path().join("other");
    let mut twin = delivered(&other);
    assert!(twin.terminate());
    let view = data.join("spool/view");
    std::fs::remove_dir_all(&view).expect("removed");
    std::fs::rename(other.join("spool/view"), &view).expect("moved");
    let (out, _) = told(1, &config, &["check"]);
    assert!(out.contains("spool: view: message"), "{out}");
    let (out, _) = told(0, &config, &["check", "--repair"]);
    assert!(out.contains("the view was made again and is sound"), "{out}");
    told(0, &config, &["check"]);
}

#[test]
fn where_space_is_low_no_mail_is_taken_and_it_is_said_everywhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut trial = delivered(&data);
    assert!(trial.terminate());
    let config = trial.contract.config.clone();
    let usual = std::fs::read_to_string(&config).expect("read");
    let low = usual.replace("space_low = \"16 MiB\"", "space_low = \"1000000 GiB\"");
    assert_ne!(low, usual);
    std::fs::write(&config, low).expect("written");
    trial.restart();
    let account = trial.contract.accounts[1].clone();
    let mut client = smtp::Client::smtp(&trial.address("mx")).expect("connected");
    for _ in 0..2 {
        let replies = client.send("a@client.test", &[&account.address], MESSAGE).expect("answered");
        assert!(format!("{replies:?}").contains("452"), "{replies:?}");
    }
    let mut lmtp = smtp::Client::lmtp(&trial.address("lmtp")).expect("connected");
    let replies = lmtp.send("a@client.test", &[&account.address], MESSAGE).expect("answered");
    assert!(format!("{replies:?}").contains("452"), "{replies:?}");
    let mut user = imap::Client::login(&trial, &account).expect("logged in");
    let answer = user.append("INBOX", MESSAGE).expect("answered");
    assert!(format!("{answer:?}").contains("NO"), "{answer:?}");
    user.ok("SELECT INBOX").expect("what is there can be read");
    user.ok("STORE 1 +FLAGS (\\Deleted)").expect("room can be made");
    user.ok("EXPUNGE").expect("room can be made");
    let status = trial.tartan(&["status"]);
    assert!(status.contains("ALERT: little space is left for the spool: no mail is taken"), "{status}");
    assert!(trial.terminate(), "{}", trial.log());
    std::fs::write(&config, usual).expect("written");
    trial.restart();
    let mut client = smtp::Client::smtp(&trial.address("mx")).expect("connected");
    let replies = client.send("a@client.test", &[&account.address], MESSAGE).expect("answered");
    assert!(replies[0].is_accepted(), "{replies:?}");
}
