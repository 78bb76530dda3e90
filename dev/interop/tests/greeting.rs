//! The greeting of a trial, followed as a newcomer would: its commands work as printed.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use testkit::program::eventually;
use testkit::trial::binary;

/// A trial that is killed when the test ends, however it does.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_commands_of_the_greeting_work_as_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    let child = Command::new(binary())
        .args(["trial", "--port-base", "0", "--data"])
        .arg(dir.path().join("it's data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut started = Started(child);
    let greeting = greeting(&mut started.0);
    let commands: Vec<String> = greeting.replace("\\\n    ", "").lines().filter_map(command).collect();
    assert_eq!(commands.len(), 3, "{greeting}");
    let (sent, said) = shell(&commands[0]);
    assert!(sent, "{}: {said}", commands[0]);
    eventually(Duration::from_secs(20), "the message can be read", || {
        let (worked, text) = shell(&commands[1]);
        (worked && text.contains("Subject: A first message") && text.contains("It works.")).then_some(())
    });
    let (worked, list) = shell(&commands[2]);
    assert!(worked && list == "the queue is empty\n", "{list}");
}

/// What it prints, up to the last line.
fn greeting(child: &mut Child) -> String {
    let stdout = child.stdout.as_mut().expect("it is piped");
    let mut greeting = String::new();
    while !greeting.contains("\ndata  ") {
        let mut some = [0; 4096];
        let count = stdout.read(&mut some).expect("it can be read");
        assert!(count > 0, "it ended: {greeting}");
        greeting.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    greeting
}

/// The lines of the greeting that are commands stand two blanks in.
fn command(line: &str) -> Option<String> {
    let line = line.strip_prefix("  ")?;
    let is_command =
        line.starts_with("printf ") || line.starts_with("curl ") || line.contains(" spool list ");
    is_command.then(|| line.to_owned())
}

/// Whether a command succeeds, and what it prints.
fn shell(command: &str) -> (bool, String) {
    let output = Command::new("sh").args(["-c", command]).output().expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
