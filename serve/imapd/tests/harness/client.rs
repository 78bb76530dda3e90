//! A client that knows no more of IMAP than where a response ends.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use net::{ClientTls, NetError, Wire, deadline_in};

/// How long a response may take, if the test does not say otherwise. A machine with two cores runs many tests at once.
const RESPONSE_TIME_MAX: Duration = Duration::from_secs(20);

pub struct Client {
    wire: Option<Wire>,
    put_back: Option<String>,
    response_time_max: Duration,
}

impl Client {
    pub fn new(wire: Wire) -> Self {
        Self { wire: Some(wire), put_back: None, response_time_max: RESPONSE_TIME_MAX }
    }

    /// The same with another time for each response.
    pub fn patient(self, response_time_max: Duration) -> Self {
        Self { response_time_max, ..self }
    }

    fn wire(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("the connection is open")
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that has hung up is noticed by the next read.
        let _ = self.wire().write_all(bytes).await;
        let _ = self.wire().flush().await;
    }

    pub async fn line(&mut self, text: &str) {
        self.send(format!("{text}\r\n").as_bytes()).await;
    }

    pub async fn start_tls(&mut self) {
        let wire = self.wire.take().expect("the connection is open");
        let secured = wire.start_tls_client(&ClientTls::opportunistic(), "localhost").await;
        self.wire = Some(secured.expect("the handshake succeeds"));
    }

    /// The next response as text: literals behind their headers, their line ends written `\r\n`. None at the
    /// end of the connection.
    pub async fn response(&mut self) -> Option<String> {
        if let Some(response) = self.put_back.take() {
            return Some(response);
        }
        let mut shown = String::new();
        loop {
            let line = self.read_line().await?;
            shown.push_str(&line);
            match literal_octets(&line) {
                None => return Some(shown),
                Some(octets) => shown.push_str(&escaped(&self.read_octets(octets).await?)),
            }
        }
    }

    /// Gives a response back, to be read again.
    pub fn put_back(&mut self, response: String) {
        self.put_back = Some(response);
    }

    /// Responses up to the tagged one, which is the last.
    pub async fn responses(&mut self, tag: &str) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(response) = self.response().await {
            let done = response.starts_with(&format!("{tag} "));
            all.push(response);
            if done {
                return all;
            }
        }
        panic!("the connection ended before {tag} was answered: {all:?}");
    }

    /// Sends a command and gives its responses; the tag is the command's first word.
    pub async fn command(&mut self, text: &str) -> Vec<String> {
        self.line(text).await;
        self.responses(text.split(' ').next().unwrap_or_default()).await
    }

    /// Takes whatever comes until nothing comes for a moment, or the connection ends.
    pub async fn drain(&mut self) {
        let moment = Duration::from_millis(20);
        while let Ok(Ok(_)) =
            tokio::time::timeout(moment, self.wire().fill(deadline_in(RESPONSE_TIME_MAX))).await
        {
            self.wire().buffer().clear();
        }
    }

    /// Reads a response with one literal and gives the literal's octets, which are counted and not kept.
    pub async fn literal_octets_of_response(&mut self) -> u64 {
        let line = self.read_line().await.expect("a response");
        let octets = literal_octets(&line).unwrap_or_else(|| panic!("no literal in {line}"));
        let mut left = octets;
        while left > 0 {
            let taken = self.wire().buffer().len().min(left);
            self.wire().buffer().advance(taken);
            left -= taken;
            if left > 0 {
                self.fill().await.expect("the rest of the literal");
            }
        }
        assert_eq!(self.read_line().await.as_deref(), Some(")"));
        octets as u64
    }

    async fn read_line(&mut self) -> Option<String> {
        loop {
            let buffer = self.wire().buffer();
            if let Some(end) = memchr::memmem::find(buffer, b"\r\n") {
                let line = buffer.split_to(end);
                buffer.advance(2);
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn read_octets(&mut self, octets: usize) -> Option<BytesMut> {
        while self.wire().buffer().len() < octets {
            self.fill().await?;
        }
        Some(self.wire().buffer().split_to(octets))
    }

    async fn fill(&mut self) -> Option<()> {
        let deadline = deadline_in(self.response_time_max);
        match self.wire().fill(deadline).await {
            Ok(_) => Some(()),
            Err(NetError::Closed) => None,
            Err(error) => panic!("no response: {error}"),
        }
    }
}

fn literal_octets(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

pub fn escaped(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).replace("\r\n", "\\r\\n")
}
