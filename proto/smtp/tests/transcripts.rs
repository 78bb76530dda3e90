//! Runs `transcripts/*.txt` on the receiving machine. Their format stands in `transcripts/README.txt`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use address::ForwardPath;
use bytes::BytesMut;
use smtp::command::{Auth, Command, Mail, Rcpt};
use smtp::server::{Event, ServerSettings, Session};
use smtp::{EnhancedCode, Extensions, Flavour, Refusal, Reply};
use testkit::transcript::unescape;

#[test]
fn the_machine_follows_the_transcripts() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let (mut ran, mut failures) = (0, String::new());
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() == "README.txt" {
            continue;
        }
        ran += 1;
        // Whole, and byte by byte: where the input is cut must not matter.
        for step in [usize::MAX, 1] {
            if let Err(failure) = run(&fs::read_to_string(&path).unwrap(), step) {
                writeln!(failures, "{} (step {step}): {failure}", path.display()).unwrap();
            }
        }
    }
    assert!(ran > 25, "only {ran} transcripts found");
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn what_is_read_from_a_transcript_is_written_so_that_it_is_read_again() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut read = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let flavour = if text.contains("\nflavour: lmtp\n") { Flavour::Lmtp } else { Flavour::Smtp };
        let lines = text.lines().filter_map(|line| line.strip_prefix("C: "));
        for command in lines.filter_map(|line| Command::parse(line.as_bytes(), flavour).ok()) {
            read += 1;
            let written = command.to_string();
            assert_eq!(Command::parse(written.as_bytes(), flavour), Ok(command), "{written}");
        }
        let offered = text.lines().filter_map(|line| line.strip_prefix("S: 250 has "));
        let extensions = Extensions::from_lines(offered);
        assert_eq!(Extensions::from_lines(extensions.lines()), extensions);
    }
    assert!(read > 200, "only {read} commands found");
}

fn run(transcript: &str, step: usize) -> Result<(), String> {
    let (head, body) = transcript.split_once("\n\n").expect("an empty line ends the scene");
    if !head.starts_with("RFC ") {
        return Err("the first line cites no RFC".into());
    }
    let mut server = Server::new(head, step);
    for (number, line) in body.lines().enumerate() {
        let number = number + head.lines().count() + 2;
        server.line(line).map_err(|failure| format!("line {number} `{line}`: {failure}"))?;
    }
    Ok(())
}

/// A machine with a caller that knows the rules of `README.txt`.
struct Server {
    session: Session,
    input: BytesMut,
    step: usize,
    lmtp: bool,
    /// Replies not yet looked at.
    output: String,
    last_reply: Vec<String>,
    recipients: Vec<String>,
    content: Vec<u8>,
    message: Option<Vec<String>>,
    messages: u32,
    closed: bool,
}

impl Server {
    fn new(head: &str, step: usize) -> Self {
        let value = |key: &str| head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        let flavour = match value("flavour") {
            Some("submission") => Flavour::Submission,
            Some("lmtp") => Flavour::Lmtp,
            _ => Flavour::Smtp,
        };
        let number = |key, default: usize| value(key).map_or(default, |number| number.parse().unwrap());
        let mut settings = ServerSettings::new(flavour, "mx.example.org");
        settings.extensions.size = Some(number("size", 1000) as u64);
        settings.extensions.starttls = value("starttls") == Some("yes");
        settings.extensions.auth =
            value("auth").unwrap_or("").split_whitespace().map(str::to_owned).collect();
        settings.auth_required = flavour == Flavour::Submission;
        settings.recipients_max = number("recipients", 100);
        settings.messages_max = number("messages", usize::MAX);
        settings.domains_max = number("domains", usize::MAX);
        settings.errors_max = number("errors", 20) as u32;
        settings.refusals_max = number("refusals", 100) as u32;
        settings.idle_commands_max = number("idle", 100) as u32;
        let mut session = Session::new(Arc::new(settings), value("secure") == Some("yes"));
        if value("xclient") == Some("yes") {
            session.xclient_allow();
        }
        match value("greeting") {
            Some("refused") => session.refuse(Refusal::new(554, (5, 7, 1), "Go away")),
            _ => session.accept(),
        }
        Self {
            session,
            input: BytesMut::new(),
            step,
            lmtp: flavour == Flavour::Lmtp,
            output: String::new(),
            last_reply: vec![],
            recipients: vec![],
            content: vec![],
            message: None,
            messages: 0,
            closed: false,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (times, line) = match line.strip_prefix('*') {
            Some(rest) => rest.split_once(' ').expect("*N and a line"),
            None => ("1", line),
        };
        let (who, text) = line.split_once(':').expect("C:, c:, S:, T: or M:");
        let text = text.strip_prefix(' ').unwrap_or(text);
        match who {
            "C" => self.client([text.as_bytes(), b"\r\n"].concat()),
            "c" => self.client(unescape(text).repeat(times.parse().unwrap())),
            "T" => self.session.tls_started(),
            "S" => return self.server(text),
            "M" => return self.message(text),
            _ => return Err("not a line of a transcript".into()),
        }
        Ok(())
    }

    fn client(&mut self, bytes: Vec<u8>) {
        for piece in bytes.chunks(self.step.min(bytes.len()).max(1)) {
            // As in TCP, a group that must be seen as one comes in one piece.
            self.input.extend_from_slice(piece);
            if self.step == 1 && bytes.starts_with(b"STARTTLS\r\n") && self.input.len() < bytes.len() {
                continue;
            }
            self.events();
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.session.next(&mut self.input) {
            if event == Event::Close {
                self.closed = true;
                break;
            }
            self.event(event);
        }
        self.output.push_str(&String::from_utf8(self.session.output()).unwrap());
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Mail(mail) => {
                self.recipients.clear();
                self.answer(sender(&mail));
            }
            Event::Rcpt(rcpt) => {
                let answer = recipient(&rcpt);
                if answer.is_ok() {
                    self.recipients.push(rcpt.forward_path.to_string());
                }
                self.answer(answer);
            }
            Event::Auth(Auth { initial: None, .. }) => self.session.challenge(b""),
            Event::Auth(Auth { initial: Some(response), .. }) | Event::AuthResponse(response) => {
                self.answer(password(&response));
            }
            Event::Content => {
                self.content.clear();
                self.session.accept();
            }
            Event::Piece(piece) => self.content.extend_from_slice(&piece),
            Event::ContentEnd(facts) => {
                assert_eq!(facts.bytes, self.content.len() as u64);
                assert_eq!(facts.eight_bit, !self.content.is_ascii());
                self.taken();
            }
            Event::Hello(_) | Event::StartTls | Event::Xclient(_) => self.session.accept(),
            Event::AuthCancelled | Event::ContentRefused(_) | Event::Reset => {}
            Event::Close => unreachable!("handled by the caller"),
        }
    }

    fn answer(&mut self, answer: Result<(), Refusal>) {
        match answer {
            Ok(()) => self.session.accept(),
            Err(refusal) => self.session.refuse(refusal),
        }
    }

    fn taken(&mut self) {
        self.messages += 1;
        let content = String::from_utf8(self.content.clone()).unwrap();
        self.message = Some(content.split_terminator("\r\n").map(str::to_owned).collect());
        let queued = Reply::new(250, EnhancedCode::new(2, 0, 0), format!("queued as Q{}", self.messages));
        let replies = match self.lmtp {
            false => vec![queued],
            true => self.recipients.iter().map(|recipient| delivered(recipient, &queued)).collect(),
        };
        self.session.answer_content(replies);
    }

    fn server(&mut self, expected: &str) -> Result<(), String> {
        self.events();
        match expected {
            "nothing" if self.output.is_empty() && !self.closed => return Ok(()),
            "close" if self.output.is_empty() && self.closed => return Ok(()),
            "nothing" | "close" => return Err(format!("got {:?}, closed: {}", self.output, self.closed)),
            _ => {}
        }
        if let Some((code, unwanted)) = expected.split_once(" lacks ") {
            return verdict(!self.has(code, unwanted), &self.last_reply);
        }
        if let Some((code, line)) = expected.split_once(" has ") {
            // Several may be asked of one reply.
            return verdict(
                self.has(code, line) || (self.next_reply() && self.has(code, line)),
                &self.last_reply,
            );
        }
        let flat = if self.next_reply() { self.last_reply.join(" ") } else { "no reply".into() };
        verdict(flat.starts_with(expected), &self.last_reply)
    }

    /// Takes a reply off the output: its first line whole, of the others the text.
    fn next_reply(&mut self) -> bool {
        self.last_reply.clear();
        while let Some((line, rest)) = self.output.split_once("\r\n") {
            let last = line.as_bytes()[3] == b' ';
            let text = if self.last_reply.is_empty() { line.replacen('-', " ", 1) } else { line[4..].into() };
            self.last_reply.push(text);
            self.output = rest.to_owned();
            if last {
                return true;
            }
        }
        false
    }

    fn has(&self, code: &str, line: &str) -> bool {
        let code_fits = self.last_reply.first().is_some_and(|first| first.starts_with(code));
        code_fits && self.last_reply.iter().any(|l| l == line)
    }

    fn message(&mut self, expected: &str) -> Result<(), String> {
        match (&mut self.message, expected) {
            (None, "nothing") => Ok(()),
            (Some(lines), _) if lines.first().is_some_and(|line| line == expected) => {
                lines.remove(0);
                Ok(())
            }
            (message, _) => Err(format!("the message is {message:?}")),
        }
    }
}

fn verdict(right: bool, reply: &[String]) -> Result<(), String> {
    if right { Ok(()) } else { Err(format!("got {reply:?}")) }
}

fn sender(mail: &Mail) -> Result<(), Refusal> {
    let evil = mail.reverse_path.address().is_some_and(|from| from.local().content() == "evil");
    if evil { Err(Refusal::new(550, (5, 7, 1), "Not you")) } else { Ok(()) }
}

fn recipient(rcpt: &Rcpt) -> Result<(), Refusal> {
    let ForwardPath::Address(to) = &rcpt.forward_path else { return Ok(()) };
    match (to.local().content(), to.domain().map(|domain| domain.as_str())) {
        (_, domain) if domain != Some("example.org") => Err(Refusal::new(550, (5, 7, 1), "No relaying")),
        ("unknown", _) => Err(Refusal::new(550, (5, 1, 1), "No such user")),
        ("later", _) => Err(Refusal::new(451, (4, 4, 3), "Directory is away")),
        _ => Ok(()),
    }
}

fn password(response: &[u8]) -> Result<(), Refusal> {
    let right = response == b"\0user\0secret";
    if right { Ok(()) } else { Err(Refusal::new(535, (5, 7, 8), "Credentials invalid")) }
}

fn delivered(recipient: &str, queued: &Reply) -> Reply {
    match recipient.contains("full@") {
        true => Reply::new(452, EnhancedCode::new(4, 2, 2), "Mailbox full"),
        false => queued.clone(),
    }
}
