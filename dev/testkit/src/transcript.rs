//! Transcripts of SMTP and LMTP (`proto/smtp/transcripts`, their format in its README) played over TCP, to a server
//! of ours or to another's.

use crate::line::tls;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A transcript, read.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// The file's name.
    pub name: String,
    head: Vec<(String, String)>,
    steps: Vec<(usize, Step)>,
}

#[derive(Debug, Clone)]
enum Step {
    Send(Vec<u8>),
    Reply(String),
    Handshake,
    Closed,
    /// What only a server in the test's own hands can be asked.
    Inside,
}

/// Who is played to.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate that it shows.
    pub certificate: Option<PathBuf>,
    /// Whether TLS comes first.
    pub implicit_tls: bool,
    /// Whether it is another's: of its replies only the first digit counts, and of the lines of EHLO the keyword.
    pub foreign: bool,
    /// Time that it has for a reply.
    pub patience: Duration,
}

impl Transcript {
    /// All transcripts of a folder, by name.
    pub fn read_all(folder: &Path) -> Vec<Transcript> {
        let files = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut all: Vec<Transcript> = files
            .map(|file| file.expect("an entry of the folder").path())
            .filter(|path| path.file_name().is_some_and(|name| name != "README.txt"))
            .map(|path| Transcript::read(&path))
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn read(path: &Path) -> Transcript {
        let text = std::fs::read_to_string(path).expect("a transcript can be read");
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (head, body) =
            text.split_once("\n\n").unwrap_or_else(|| panic!("{name}: an empty line ends the scene"));
        assert!(head.starts_with("RFC "), "{name}: the first line cites no RFC");
        let first = head.lines().count() + 2;
        let pairs = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let head = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let steps = body.lines().enumerate().map(|(number, line)| (first + number, step(line))).collect();
        Transcript { name, head, steps }
    }

    /// A line of the scene.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.head.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether the scene has nothing but these keys.
    pub fn asks_only(&self, keys: &[&str]) -> bool {
        self.head.iter().all(|(key, _)| keys.contains(&key.as_str()))
    }

    /// Plays it to a server; what is not as the transcript says.
    pub fn play(&self, server: &Server) -> Result<(), String> {
        let mut session = Session::open(server).map_err(|error| error.to_string())?;
        for (number, step) in &self.steps {
            session.step(step).map_err(|failure| format!("{}.txt, line {number}: {failure}", self.name))?;
        }
        Ok(())
    }
}

fn step(line: &str) -> Step {
    let (times, line) = match line.strip_prefix('*').and_then(|rest| rest.split_once(' ')) {
        Some((times, line)) => (times.parse().expect("a number of times"), line),
        None => (1, line),
    };
    let (who, text) = line.split_once(':').expect("C:, c:, S:, T: or M:");
    let text = text.strip_prefix(' ').unwrap_or(text);
    match (who, text) {
        ("C", text) => Step::Send([text.as_bytes(), b"\r\n"].concat()),
        ("c", text) => Step::Send(unescape(text).repeat(times)),
        ("T", _) => Step::Handshake,
        ("S", "close") => Step::Closed,
        ("M", _) | ("S", "nothing") => Step::Inside,
        ("S", text) => Step::Reply(text.to_owned()),
        _ => panic!("{line:?} is no line of a transcript"),
    }
}

/// `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`.
pub fn unescape(text: &str) -> Vec<u8> {
    let (mut out, mut chars) = (Vec::new(), text.chars());
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        match escaped {
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Some('r') => out.push(b'\r'),
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('0') => out.push(0),
            Some('x') => {
                let hex: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&hex, 16).expect("two hexadecimal digits"));
            }
            Some(other) => out.push(other as u8),
        }
    }
    out
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

struct Session<'a> {
    server: &'a Server,
    stream: Stream,
    input: Vec<u8>,
    last_reply: Vec<String>,
}

impl<'a> Session<'a> {
    fn open(server: &'a Server) -> std::io::Result<Self> {
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(server.patience))?;
        stream.set_write_timeout(Some(server.patience))?;
        let mut session =
            Self { server, stream: Stream::Plain(stream), input: Vec::new(), last_reply: Vec::new() };
        if server.implicit_tls {
            session.handshake()?;
        }
        Ok(session)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            // A server that has closed will be found out by what it does not say.
            Step::Send(bytes) => drop(self.send(bytes)),
            Step::Reply(expected) => return self.reply(expected),
            Step::Handshake => self.handshake().map_err(|error| error.to_string())?,
            Step::Closed => return self.closed(),
            Step::Inside => {}
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    fn handshake(&mut self) -> std::io::Result<()> {
        let Stream::Plain(stream) = &self.stream else { return Err(ErrorKind::AlreadyExists.into()) };
        let pem = self.server.certificate.as_ref().expect("a server with TLS has a certificate");
        let name = ServerName::try_from("mx.example.org").expect("a host name");
        let client = ClientConnection::new(tls(pem), name).map_err(std::io::Error::other)?;
        self.stream = Stream::Tls(Box::new(StreamOwned::new(client, stream.try_clone()?)));
        Ok(())
    }

    fn reply(&mut self, expected: &str) -> Result<(), String> {
        if let Some((code, line)) = expected.split_once(" lacks ") {
            return self.verdict(self.is_code(code) && !self.has(line));
        }
        if let Some((code, line)) = expected.split_once(" has ") {
            if !(self.is_code(code) && self.has(line)) {
                self.next_reply()?;
            }
            return self.verdict(self.is_code(code) && self.has(line));
        }
        self.next_reply()?;
        let flat = self.last_reply.join(" ");
        self.verdict(if self.server.foreign { self.is_code(expected) } else { flat.starts_with(expected) })
            .map_err(|said| format!("{expected:?} expected, {said}"))
    }

    fn verdict(&self, right: bool) -> Result<(), String> {
        if right { Ok(()) } else { Err(format!("the reply is {:?}", self.last_reply)) }
    }

    fn is_code(&self, expected: &str) -> bool {
        let digits = if self.server.foreign { 1 } else { 3 };
        self.last_reply.first().is_some_and(|first| first.get(..digits) == expected.get(..digits))
    }

    /// Whether a line of the reply has all the words, in another's reply only the first.
    fn has(&self, line: &str) -> bool {
        let wanted: Vec<&str> =
            line.split(' ').take(if self.server.foreign { 1 } else { usize::MAX }).collect();
        let fits = |found: &String| {
            wanted.iter().all(|word| found.split(' ').any(|other| other.eq_ignore_ascii_case(word)))
        };
        self.last_reply.iter().skip(1).any(fits)
    }

    /// The first line whole, of the others the text.
    fn next_reply(&mut self) -> Result<(), String> {
        self.last_reply.clear();
        loop {
            let line = self.line()?.ok_or("the server has closed")?;
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            let is_first = self.last_reply.is_empty();
            let text = if is_first { line.replacen('-', " ", 1) } else { line.get(4..).unwrap_or("").into() };
            self.last_reply.push(text);
            if is_last {
                return Ok(());
            }
        }
    }

    fn closed(&mut self) -> Result<(), String> {
        match self.line() {
            Ok(None) => Ok(()),
            Ok(Some(line)) => Err(format!("instead of closing it says {line:?}")),
            Err(error) => Err(error),
        }
    }

    /// The next line without its end; none where the server has closed.
    fn line(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            let mut some = [0; 4096];
            let read = match &mut self.stream {
                Stream::Plain(stream) => stream.read(&mut some),
                Stream::Tls(stream) => stream.read(&mut some),
            };
            match read {
                Ok(0) => return Ok(None),
                Ok(count) => self.input.extend_from_slice(&some[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(format!("no reply: {error}")),
            }
        }
    }
}
