//! A blocking IMAP client, as small as a test needs.

use crate::line::Lines;
use crate::trial::{Account, Trial};
use std::io::{Error, Result};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(60);

/// A session.
pub struct Client {
    lines: Lines,
    tag: u32,
}

/// What a command brought: untagged responses with their literals in place, and the tagged line.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Each untagged response, literals included as they came.
    pub untagged: Vec<Vec<u8>>,
    /// `OK ...`, `NO ...` or `BAD ...`.
    pub tagged: String,
}

impl Client {
    /// Logs in over implicit TLS.
    pub fn login(trial: &Trial, account: &Account) -> Result<Client> {
        let certificate = &trial.contract.certificate;
        let lines = Lines::connect_tls(&trial.address("imaps"), certificate, "localhost", WAIT)?;
        Client::with(lines, account)
    }

    /// Logs in without TLS, which Tartan refuses; for its [peers](crate::peer).
    pub fn login_plain(address: &str, account: &Account) -> Result<Client> {
        Client::with(Lines::connect(address, WAIT)?, account)
    }

    fn with(mut lines: Lines, account: &Account) -> Result<Client> {
        lines.line()?;
        let mut client = Client { lines, tag: 0 };
        client.ok(&format!("LOGIN \"{}\" \"{}\"", account.login, account.password))?;
        Ok(client)
    }

    /// Sends a command and reads up to its tagged response.
    pub fn command(&mut self, command: &str) -> Result<Answer> {
        let tag = self.next_tag();
        self.lines.send(format!("{tag} {command}\r\n").as_bytes())?;
        self.answer(&tag)
    }

    /// The same, and anything but OK is an error.
    pub fn ok(&mut self, command: &str) -> Result<Vec<Vec<u8>>> {
        let answer = self.command(command)?;
        if answer.tagged.starts_with("OK") {
            return Ok(answer.untagged);
        }
        Err(Error::other(format!("{command}: {}", answer.tagged)))
    }

    /// APPEND with a non-synchronizing literal (RFC 7888); true where it was answered OK.
    pub fn append(&mut self, mailbox: &str, message: &[u8]) -> Result<Answer> {
        let tag = self.next_tag();
        let mut bytes = format!("{tag} APPEND {mailbox} {{{}+}}\r\n", message.len()).into_bytes();
        bytes.extend_from_slice(message);
        bytes.extend_from_slice(b"\r\n");
        self.lines.send(&bytes)?;
        self.answer(&tag)
    }

    /// All messages of the selected mailbox, whole.
    pub fn messages(&mut self) -> Result<Vec<Vec<u8>>> {
        let responses = self.ok("UID FETCH 1:* (BODY.PEEK[])")?;
        Ok(responses.iter().filter_map(|response| literal(response)).map(<[u8]>::to_vec).collect())
    }

    fn next_tag(&mut self) -> String {
        self.tag += 1;
        format!("t{}", self.tag)
    }

    fn answer(&mut self, tag: &str) -> Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            let response = self.response()?;
            if let Some(rest) = response.strip_prefix(format!("{tag} ").as_bytes()) {
                return Ok(Answer { untagged, tagged: String::from_utf8_lossy(rest).trim_end().to_owned() });
            }
            untagged.push(response);
        }
    }

    fn response(&mut self) -> Result<Vec<u8>> {
        let mut response = Vec::new();
        loop {
            let line = self.lines.line()?;
            let size = literal_size(&line);
            response.extend_from_slice(&line);
            match size {
                Some(size) => response.extend(self.lines.bytes(size)?),
                None => return Ok(response),
            }
        }
    }
}

/// The size in `{n}` at the end of a line.
fn literal_size(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

/// The first literal of a response.
pub fn literal(response: &[u8]) -> Option<&[u8]> {
    let end = response.windows(3).position(|bytes| bytes == b"}\r\n")? + 3;
    let size = literal_size(&response[..end])?;
    response.get(end..end + size)
}
