//! A system whose queue is damaged on disk: it stays up, shows what it has, takes nothing, and says so.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use testkit::program::output;
use testkit::smtp;
use testkit::trial::{Trial, binary};

/// Behind the head of the segment, in that of its first frame.
const IN_THE_FIRST_FRAME: u64 = 60;

fn damage(segment: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(segment).expect("the segment");
    let mut byte = [0];
    file.read_exact_at(&mut byte, IN_THE_FIRST_FRAME).expect("read");
    file.write_all_at(&[byte[0] ^ 1], IN_THE_FIRST_FRAME).expect("written");
}

#[test]
fn a_damaged_queue_leaves_the_process_up_and_refusing() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let mut trial = Trial::start(&data);
    assert!(trial.terminate());
    damage(&data.join("spool/journal/00000000000000000001.seg"));
    trial.restart();
    let to = trial.contract.accounts[1].address.clone();
    for _ in 0..2 {
        let mut client = smtp::Client::smtp(&trial.address("mx")).expect("connected");
        let replies =
            client.send("a@client.test", &[&to], b"Subject: no\r\n\r\nHello\r\n").expect("answered");
        assert!(!replies[0].is_accepted(), "{replies:?}");
        assert!(format!("{replies:?}").contains("451"), "{replies:?}");
    }
    let status = trial.tartan(&["status"]);
    assert!(status.contains("spool failed: journal is read-only"), "{status}");
    let config = data.join("tartan.toml");
    let mut backup = Command::new(binary());
    backup.arg("backup").arg(dir.path().join("backup")).arg("--config").arg(config);
    let refused = output(&mut backup, b"");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("none given up, because the spool has failed: journal is read-only"), "{said}");
    assert!(trial.log().contains("read-only until an operator has decided"));
    assert!(trial.terminate(), "a stop ends well");
}
