//! Plays a script against the client's machine.

use std::collections::VecDeque;

use address::{Address, MailParams, Recipient, ReversePath};
use bytes::BytesMut;
use smtp::client::{Action, Client, ClientError, ClientSettings, Report, Transaction};

/// A transaction and its body.
pub type Message = (Transaction, Vec<u8>);

pub fn recipient(address: &str) -> Recipient {
    Recipient::new(address.parse().expect("an address"))
}

/// A message from a@me.example.
pub fn message(recipients: &[&str], body: &str) -> Message {
    let from: Address = "a@me.example".parse().expect("an address");
    let transaction = Transaction {
        reverse_path: ReversePath::Address(from),
        params: MailParams::default(),
        recipients: recipients.iter().copied().map(recipient).collect(),
        body_bytes: body.len() as u64,
    };
    (transaction, body.as_bytes().to_vec())
}

/// A client with messages to send.
pub struct Play {
    client: Client,
    messages: VecDeque<Message>,
    body: Vec<u8>,
    sent: Vec<u8>,
    input: BytesMut,
    reports: Vec<Report>,
}

impl Play {
    pub fn new(settings: ClientSettings) -> Self {
        Self {
            client: Client::new(settings, false),
            messages: VecDeque::new(),
            body: Vec::new(),
            sent: Vec::new(),
            input: BytesMut::new(),
            reports: Vec::new(),
        }
    }

    pub fn message(mut self, message: Message) -> Self {
        self.messages.push_back(message);
        self
    }

    /// Plays to the end of the connection; the script must be used up by then.
    pub fn run(mut self, script: &str) -> Result<Vec<Report>, ClientError> {
        self.play(script)?;
        assert_eq!(self.client.action(), Action::Close, "the script ends before the connection");
        Ok(self.reports)
    }

    /// Plays to the end of the script, where the connection is lost.
    pub fn run_until_lost(mut self, script: &str) -> Report {
        self.play(script).expect("no error before the connection is lost");
        self.client.abandon().expect("a transaction is on its way")
    }

    fn play(&mut self, script: &str) -> Result<(), ClientError> {
        for line in script.lines().map(str::trim_start) {
            match line.split_at(line.len().min(2)) {
                ("C:", text) => self.expect(&format!("{}\r\n", text.strip_prefix(' ').unwrap_or(text)))?,
                ("C-", text) => self.expect(&text[1..])?,
                ("S:", text) => self.answer(&text[1..].replace("\\n", "\r\n"))?,
                _ => self.handshake(),
            }
        }
        self.step_until_blocked().map(|_| ())
    }

    fn expect(&mut self, text: &str) -> Result<(), ClientError> {
        self.step_until_blocked()?;
        let length = text.len().min(self.sent.len());
        let sent = String::from_utf8_lossy(&self.sent[..length]).into_owned();
        assert_eq!(sent, text, "all that was sent: {:?}", String::from_utf8_lossy(&self.sent));
        self.sent.drain(..length);
        Ok(())
    }

    fn answer(&mut self, text: &str) -> Result<(), ClientError> {
        let action = self.step_until_blocked()?;
        assert!(matches!(action, Action::Receive(_)), "{action:?} instead of waiting for {text:?}");
        assert!(self.sent.is_empty(), "sent beyond the script: {:?}", String::from_utf8_lossy(&self.sent));
        self.input.extend_from_slice(text.as_bytes());
        self.input.extend_from_slice(b"\r\n");
        self.client.receive(&mut self.input)
    }

    fn handshake(&mut self) {
        assert_eq!(self.step_until_blocked(), Ok(Action::StartTls));
        self.client.tls_started();
    }

    /// Does what the machine asks for until it waits for the server.
    fn step_until_blocked(&mut self) -> Result<Action, ClientError> {
        loop {
            match self.client.action() {
                Action::Send(bytes) => self.sent.extend(bytes),
                Action::Finished(report) => self.reports.push(report),
                Action::Body => self.body_send()?,
                Action::Ready => self.next_begin()?,
                blocked => return Ok(blocked),
            }
        }
    }

    fn next_begin(&mut self) -> Result<(), ClientError> {
        match self.messages.pop_front() {
            Some((transaction, body)) => {
                self.body = body;
                self.client.transaction_begin(transaction)
            }
            None => {
                self.client.quit();
                Ok(())
            }
        }
    }

    fn body_send(&mut self) -> Result<(), ClientError> {
        for chunk in std::mem::take(&mut self.body).chunks(3) {
            self.client.body_push(chunk, &mut self.sent)?;
        }
        self.client.body_finish()
    }
}
