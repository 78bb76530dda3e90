//! A client that says what the script says. Tests of the listeners use it too, by its path.

#![allow(dead_code, clippy::unwrap_used, reason = "not every test says everything; a test may panic")]

use std::time::Duration;

use net::{ClientTls, Connection, Wire, deadline_in};

/// The client's end of a connection.
pub struct Client {
    wire: Wire,
}

/// More than any server under test needs; in tests with a paused clock, more than any of its limits.
const PATIENCE: Duration = Duration::from_secs(100_000);

impl Client {
    pub fn new(connection: Connection) -> Self {
        Self { wire: Wire::new(connection) }
    }

    /// Sends bytes as they stand.
    pub async fn send(&mut self, text: &str) {
        self.wire.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends to a server that may be gone.
    pub async fn try_send(&mut self, text: &str) {
        self.try_send_bytes(text.as_bytes()).await;
    }

    /// Sends to a server that may be gone.
    pub async fn try_send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.wire.write_all(bytes).await;
    }

    /// Sends a line and expects a reply that begins so.
    pub async fn ask(&mut self, line: &str, reply: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.expect(reply).await
    }

    /// The envelope of a message that is welcome.
    pub async fn envelope(&mut self) {
        self.ask("MAIL FROM:<bob@client.example>", "250").await;
        self.ask("RCPT TO:<ann@example.org>", "250").await;
    }

    /// The next reply, all its lines; it must begin so.
    pub async fn expect(&mut self, start: &str) -> String {
        let mut reply = String::new();
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("closed, and {start:?} was expected"));
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(&line);
            if last {
                break;
            }
        }
        assert!(reply.replace('-', " ").starts_with(start), "{reply:?} is not {start:?}");
        reply
    }

    /// The server closes and says nothing more.
    pub async fn expect_close(&mut self) {
        assert_eq!(self.line().await, None);
    }

    /// All that is still said until the server closes.
    pub async fn rest(&mut self) -> String {
        let mut said = String::new();
        while let Some(line) = self.line().await {
            said.push_str(&line);
        }
        said
    }

    pub async fn start_tls(self, tls: &ClientTls) -> Self {
        Self { wire: self.wire.start_tls_client(tls, "mx.example.org").await.unwrap() }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            let buffer = self.wire.buffer();
            if let Some(end) = buffer.iter().position(|&byte| byte == b'\n') {
                return Some(String::from_utf8(buffer.split_to(end + 1).to_vec()).unwrap());
            }
            self.wire.fill(deadline_in(PATIENCE)).await.ok()?;
        }
    }
}
