//! `tartan backup` and `tartan restore-backup`, as an administrator gives them.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testkit::{Trial, program};

/// A command that is not started yet. Words are separated by spaces.
pub fn command(config: &Path, words: &str) -> Command {
    let mut command = Command::new(testkit::trial::binary());
    command.args(words.split_whitespace()).arg("--config").arg(config);
    command
}

/// Runs one that must succeed, with `--json`; what it prints.
pub fn json(trial: &Trial, words: &str) -> Value {
    let printed = program::run(command(&trial.contract.config, words).arg("--json"), b"");
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{words}: {error}: {printed}"))
}

/// Runs one that must end with `status`; both of its outputs.
pub fn fails(config: &Path, words: &str, status: i32) -> String {
    let output = program::output(&mut command(config, words), b"");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(status), "{words}: {said}");
    said
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A number in what was printed as JSON.
pub fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Brings the whole of a backup back into `data`, and starts it there. What a trial keeps beside its state, its passwords, comes
/// from `passwords`.
pub fn started_anew(backup: &Path, data: &Path, passwords: &[u8]) -> Trial {
    let words = format!("restore-backup {} --data {}", backup.display(), data.display());
    program::run(&mut command(Path::new("/nonexistent"), &words), b"");
    // A trial's configuration names its data directory by ".".
    std::fs::copy(data.join("configuration/tartan.toml"), data.join("tartan.toml"))
        .expect("it is in the backup");
    std::fs::write(data.join("trial.json"), passwords).expect("it can be written");
    Trial::start(data)
}
