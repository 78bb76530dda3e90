//! A client that sends what it likes, and what a process takes of memory meanwhile.

use rustix::net::sockopt::set_socket_linger;
use std::fs;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use testkit::Trial;

const WAIT: Duration = Duration::from_secs(20);

/// A connection to one of a trial's listeners.
pub struct Raw {
    stream: TcpStream,
    /// What came in and was not looked at.
    heard: Vec<u8>,
}

impl Raw {
    /// Connects to the listener `name`.
    pub fn connect(trial: &Trial, name: &str) -> Raw {
        let stream = TcpStream::connect(trial.address(name)).expect("the listener takes connections");
        stream.set_read_timeout(Some(WAIT)).expect("a time-out");
        stream.set_write_timeout(Some(WAIT)).expect("a time-out");
        Raw { stream, heard: Vec::new() }
    }

    /// Connects, and reads the greeting.
    pub fn greeted(trial: &Trial, name: &str) -> Raw {
        let mut raw = Raw::connect(trial, name);
        let greeting = raw.line();
        assert!(greeting.starts_with("220 ") || greeting.starts_with("* OK "), "{greeting}");
        raw
    }

    /// Sends bytes. A server that has closed already takes none: what it said before is there to be read.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Raw {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Sends bytes, one in each `pause`, until the server has closed.
    pub fn send_slowly(&mut self, bytes: &[u8], pause: Duration) -> &mut Raw {
        for byte in bytes {
            if self.stream.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(pause);
        }
        self
    }

    /// The next line, without its end; empty at the end of the stream.
    pub fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
            if self.read().expect("a line in time") == 0 {
                return String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned();
            }
        }
    }

    /// The next line, which must begin so.
    pub fn expect(&mut self, start: &str) -> &mut Raw {
        let line = self.line();
        assert!(line.starts_with(start), "{line:?} instead of {start:?}");
        self
    }

    /// Lines up to the first that begins so.
    pub fn until(&mut self, start: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.starts_with(start)) {
            let line = self.line();
            assert!(!line.is_empty(), "no {start:?} in {lines:?}");
            lines.push(line);
        }
        lines
    }

    /// Everything up to the end of the stream, which must come.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.read().expect("the server closes in time") > 0 {}
        std::mem::take(&mut self.heard)
    }

    /// Ends the sending half.
    pub fn half_close(&mut self) -> &mut Raw {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
        self
    }

    /// Ends the connection with a reset instead of an orderly close.
    pub fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("the option is known");
    }

    fn read(&mut self) -> Result<usize> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(bytes) => {
                self.heard.extend_from_slice(&buffer[..bytes]);
                Ok(bytes)
            }
            // Closed with bytes of ours unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// Mebibytes of memory that the process had at most since the last call of [`memory_forget`].
pub fn memory_peak(trial: &Trial) -> u64 {
    let path = format!("/proc/{}/status", trial.pid());
    let status = fs::read_to_string(&path).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.expect("a number of kilobytes") / 1024
}

/// Forgets the peak: what the process has now is the most it had.
pub fn memory_forget(trial: &Trial) {
    fs::write(format!("/proc/{}/clear_refs", trial.pid()), "5").expect("the process is ours");
}

/// Mebibytes that a login takes for a moment: its password is hashed with Argon2id.
pub const LOGIN: u64 = 20;

/// Does something bad, and asserts that it costs the server no more than `most` mebibytes at any moment.
pub fn within<T>(trial: &Trial, most: u64, what: &str, bad: impl FnOnce() -> T) -> T {
    memory_forget(trial);
    let before = memory_peak(trial);
    let done = bad();
    let after = memory_peak(trial);
    assert!(after <= before + most, "{what}: {before} MiB grew to {after} MiB, of {most} MiB more at most");
    done
}
