//! Programs that nobody here wrote, run to their end.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs a command with `input` on its standard input and returns what it printed; panics, with all of its
/// output, where it fails.
pub fn run(command: &mut Command, input: &[u8]) -> String {
    let output = output(command, input);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{printed}\n{error}", output.status);
    printed
}

/// Runs a command, whatever its end.
pub fn output(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: `make test` installs it"));
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that reads no input may close it early; its exit code is what counts.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the program can be waited for")
}

/// A Python script with its arguments, run by Debian's or any other Python 3.
pub fn python(script: &str, args: &[&str]) -> String {
    run(Command::new("python3").arg("-c").arg(script).args(args), b"")
}

/// Asks again, every 50 ms for up to `limit`, until the question has an answer.
pub fn eventually<T>(limit: Duration, what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
