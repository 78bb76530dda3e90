//! A blocking SMTP and LMTP client that says what was acknowledged.

use crate::line::Lines;
use std::io::{Error, Result};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(30);

/// A session after its greeting and EHLO or LHLO.
pub struct Client {
    lines: Lines,
    lmtp: bool,
}

/// A reply: its code and its last line's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// All lines, without their codes, joined by a line feed.
    pub text: String,
}

impl Client {
    /// Connects and says EHLO.
    pub fn smtp(address: &str) -> Result<Client> {
        Client::open(address, false)
    }

    /// Connects and says LHLO.
    pub fn lmtp(address: &str) -> Result<Client> {
        Client::open(address, true)
    }

    fn open(address: &str, lmtp: bool) -> Result<Client> {
        let mut client = Client { lines: Lines::connect(address, WAIT)?, lmtp };
        client.reply()?.positive()?;
        let verb = if lmtp { "LHLO" } else { "EHLO" };
        client.command(&format!("{verb} client.test"))?.positive()?;
        Ok(client)
    }

    /// Sends one line and reads its reply.
    pub fn command(&mut self, line: &str) -> Result<Reply> {
        self.lines.send(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Reads one reply of any number of lines.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut text = Vec::new();
        loop {
            let line = String::from_utf8_lossy(&self.lines.line()?).trim_end().to_owned();
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code = code.ok_or_else(|| Error::other(format!("not a reply: {line:?}")))?;
            text.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, text: text.join("\n") });
            }
        }
    }

    /// One whole transaction; after DATA one reply in SMTP, one for each recipient in LMTP.
    pub fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> Result<Vec<Reply>> {
        self.command(&format!("MAIL FROM:<{from}>"))?.positive()?;
        for recipient in to {
            self.command(&format!("RCPT TO:<{recipient}>"))?.positive()?;
        }
        self.command("DATA")?.positive()?;
        self.lines.send(&stuffed(message))?;
        let replies = if self.lmtp { to.len() } else { 1 };
        (0..replies).map(|_| self.reply()).collect()
    }
}

impl Reply {
    /// Itself where the code is 2xx or 3xx, else an error with its text.
    pub fn positive(self) -> Result<Reply> {
        if (200..400).contains(&self.code) {
            return Ok(self);
        }
        Err(Error::other(format!("{} {}", self.code, self.text)))
    }

    /// Whether the peer has taken the responsibility.
    pub fn is_accepted(&self) -> bool {
        self.code == 250
    }
}

/// RFC 5321 4.5.2: a line that begins with a dot gets another; the end is a dot alone.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}
