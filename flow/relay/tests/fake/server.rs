//! A mail server that does what a test wants and remembers what was done to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use net::{Connection, Listener, ListenerSettings, Shutdown, TlsAcceptor, Wire, deadline_in};
use parking_lot::Mutex;

/// What the server does.
#[derive(Clone, Default)]
pub struct Behaviour {
    /// Its greeting, if not the usual one.
    pub greeting: Option<&'static str>,
    /// What it offers.
    pub extensions: Vec<&'static str>,
    /// Its replies to commands that begin so, if not the usual ones.
    pub replies: HashMap<&'static str, &'static str>,
    /// LMTP: its replies for recipients after the message, if not the usual ones.
    pub delivery_replies: HashMap<&'static str, &'static str>,
    /// Recipients in a transaction, beyond which it says 452.
    pub recipients_max: Option<usize>,
    /// STARTTLS is offered, and works with this acceptor.
    pub tls: Option<TlsAcceptor>,
    /// STARTTLS is offered, and the handshake fails.
    pub tls_is_broken: bool,
    /// STARTTLS is offered, and the handshake hangs.
    pub tls_hangs: bool,
    /// It closes without a word at a command that begins so.
    pub closes_at: Option<&'static str>,
    /// It never comes to the end of its reply to a command that begins so.
    pub drips_at: Option<&'static str>,
    /// It closes after each message, without a word.
    pub closes_after_message: bool,
    /// Time that it takes for a message.
    pub message_time: Duration,
}

/// A message as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub mail: String,
    pub recipients: Vec<String>,
    pub data: String,
    pub tls: bool,
}

/// What was done to the server.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub connections: usize,
    /// Connections at the same time, at most.
    pub connections_at_once: usize,
    pub commands: Vec<String>,
    pub messages: Vec<Message>,
    open: usize,
}

/// A running server.
#[derive(Clone)]
pub struct FakeServer {
    pub address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    seen: Arc<Mutex<Seen>>,
}

impl FakeServer {
    /// A server on `address`; port 0 for any.
    pub async fn start(address: &str, behaviour: Behaviour) -> Self {
        let address = address.parse().expect("an address");
        let listener = Listener::bind(address, ListenerSettings::new("fake")).await.expect("a free port");
        let server = Self::unbound(listener.local_addr(), behaviour);
        let session = server.clone();
        tokio::spawn(listener.serve(Shutdown::new(), move |connection| session.clone().serve(connection)));
        server
    }

    /// A server that is given its connections.
    pub fn unbound(address: SocketAddr, behaviour: Behaviour) -> Self {
        Self { address, behaviour: Arc::new(Mutex::new(behaviour)), seen: Arc::default() }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock());
    }

    pub async fn serve(self, connection: Connection) {
        {
            let mut seen = self.seen.lock();
            seen.connections += 1;
            seen.open += 1;
            seen.connections_at_once = seen.connections_at_once.max(seen.open);
        }
        let session = Session { server: self.clone(), wire: Some(Wire::new(connection)), message: None };
        // A peer that goes is nothing to a test.
        let _ = session.run().await;
        self.seen.lock().open -= 1;
    }
}

struct Session {
    server: FakeServer,
    wire: Option<Wire>,
    message: Option<Message>,
}

/// The session is over.
struct Over;

impl Session {
    fn behaviour(&self) -> Behaviour {
        self.server.behaviour.lock().clone()
    }

    fn wire(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("only a handshake takes it")
    }

    async fn run(mut self) -> Result<(), Over> {
        let greeting = self.behaviour().greeting.unwrap_or("220 fake ESMTP");
        self.say(greeting).await?;
        if !greeting.starts_with("220") {
            return Ok(());
        }
        loop {
            let line = self.line().await?;
            self.server.seen.lock().commands.push(line.clone());
            self.command(&line).await?;
        }
    }

    async fn command(&mut self, line: &str) -> Result<(), Over> {
        let behaviour = self.behaviour();
        if behaviour.closes_at.is_some_and(|prefix| line.starts_with(prefix)) {
            return Err(Over);
        }
        while behaviour.drips_at.is_some_and(|prefix| line.starts_with(prefix)) {
            self.say("250-and").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if let Some((_, reply)) = behaviour.replies.iter().find(|(prefix, _)| line.starts_with(**prefix)) {
            return self.say(reply).await;
        }
        match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "LHLO" => self.hello(&behaviour).await,
            "STARTTLS" => self.start_tls(&behaviour).await,
            "MAIL" => self.mail(line).await,
            "RCPT" => self.rcpt(line, &behaviour).await,
            "DATA" => self.data(&behaviour).await,
            "BDAT" => self.chunk(line, &behaviour).await,
            "RSET" => {
                self.message = None;
                self.say("250 ok").await
            }
            "HELO" | "NOOP" => self.say("250 ok").await,
            "QUIT" => {
                self.say("221 bye").await?;
                Err(Over)
            }
            _ => self.say("500 what").await,
        }
    }

    async fn hello(&mut self, behaviour: &Behaviour) -> Result<(), Over> {
        let mut lines = vec!["fake"];
        lines.extend(&behaviour.extensions);
        let secure = self.wire().connection().tls().is_some();
        if (behaviour.tls.is_some() || behaviour.tls_is_broken || behaviour.tls_hangs) && !secure {
            lines.push("STARTTLS");
        }
        let last = lines.len() - 1;
        for (number, line) in lines.iter().enumerate() {
            let separator = if number == last { ' ' } else { '-' };
            self.say(&format!("250{separator}{line}")).await?;
        }
        Ok(())
    }

    async fn start_tls(&mut self, behaviour: &Behaviour) -> Result<(), Over> {
        self.say("220 go").await?;
        if behaviour.tls_hangs {
            loop {
                self.fill().await?;
                self.wire().buffer().clear();
            }
        }
        let Some(acceptor) = &behaviour.tls else {
            self.fill().await?;
            return self.say("this is no handshake").await;
        };
        let wire = self.wire.take().expect("only a handshake takes it");
        self.wire = Some(wire.start_tls(acceptor).await.map_err(|_| Over)?);
        Ok(())
    }

    async fn mail(&mut self, line: &str) -> Result<(), Over> {
        let tls = self.wire().connection().tls().is_some();
        self.message = Some(Message { mail: line.to_owned(), tls, ..Message::default() });
        self.say("250 2.1.0 ok").await
    }

    async fn rcpt(&mut self, line: &str, behaviour: &Behaviour) -> Result<(), Over> {
        let Some(message) = &mut self.message else { return self.say("503 MAIL first").await };
        if behaviour.recipients_max.is_some_and(|max| message.recipients.len() >= max) {
            return self.say("452 4.5.3 too many recipients").await;
        }
        message.recipients.push(line.to_owned());
        self.say("250 2.1.5 ok").await
    }

    async fn data(&mut self, behaviour: &Behaviour) -> Result<(), Over> {
        if self.message.as_ref().is_none_or(|message| message.recipients.is_empty()) {
            return self.say("503 no recipients").await;
        }
        self.say("354 go").await?;
        let mut data = String::new();
        loop {
            let line = self.line().await?;
            match line.strip_prefix('.') {
                Some("") => break,
                rest => data.push_str(&format!("{}\r\n", rest.unwrap_or(&line))),
            }
        }
        self.received(data, behaviour).await
    }

    async fn chunk(&mut self, line: &str, behaviour: &Behaviour) -> Result<(), Over> {
        let bytes: usize = line.split(' ').nth(1).and_then(|size| size.parse().ok()).ok_or(Over)?;
        let mut chunk = Vec::with_capacity(bytes);
        while chunk.len() < bytes {
            let buffer = self.wire().buffer();
            let piece = buffer.split_to(buffer.len().min(bytes - chunk.len()));
            chunk.extend_from_slice(&piece);
            if piece.is_empty() {
                self.fill().await?;
            }
        }
        self.received(String::from_utf8_lossy(&chunk).into_owned(), behaviour).await
    }

    async fn received(&mut self, data: String, behaviour: &Behaviour) -> Result<(), Over> {
        tokio::time::sleep(behaviour.message_time).await;
        let mut message = self.message.take().ok_or(Over)?;
        message.data = data;
        let lmtp = self.server.seen.lock().commands.iter().any(|line| line.starts_with("LHLO"));
        let recipients = message.recipients.clone();
        self.server.seen.lock().messages.push(message);
        if !lmtp {
            self.say("250 2.0.0 queued").await?;
        }
        for recipient in recipients.iter().filter(|_| lmtp) {
            let reply = behaviour.delivery_replies.iter().find(|(part, _)| recipient.contains(**part));
            self.say(reply.map_or("250 2.0.0 stored", |(_, reply)| reply)).await?;
        }
        if behaviour.closes_after_message { Err(Over) } else { Ok(()) }
    }

    async fn say(&mut self, line: &str) -> Result<(), Over> {
        let line = format!("{line}\r\n");
        self.wire().write_all(line.as_bytes()).await.map_err(|_| Over)?;
        self.wire().flush().await.map_err(|_| Over)
    }

    async fn line(&mut self) -> Result<String, Over> {
        loop {
            if let Some(end) = self.wire().buffer().windows(2).position(|pair| pair == b"\r\n") {
                let line = self.wire().buffer().split_to(end + 2);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Over> {
        let deadline = deadline_in(Duration::from_secs(20));
        self.wire().fill(deadline).await.map(|_| ()).map_err(|_| Over)
    }
}
