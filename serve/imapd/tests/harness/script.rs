//! Runs transcripts; their format is described beside them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{Client, escaped};
use super::pattern::{Words, filled_in, matched};
use super::{House, PASSWORD, PASSWORD2, USER, USER2};

/// Where transcripts and the messages in them are.
pub fn transcripts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/imap/transcripts")
}

/// One line of a transcript.
#[derive(Clone, Debug)]
struct Step {
    line: usize,
    kind: Kind,
    connection: u32,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Server,
    Unordered,
}

/// The first difference between a transcript and what happened.
pub type Outcome = Result<(), String>;

/// Runs a transcript against a new server.
pub async fn run(path: &Path) -> Outcome {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let steps = parse(&text)?;
    let mut run = Run { house: House::new().await, clients: HashMap::new(), words: known_words() };
    let mut at = 0;
    while at < steps.len() {
        let step = &steps[at];
        let unordered = steps[at..].iter().take_while(|next| belongs(next, step)).count();
        let group = &steps[at..at + unordered.max(1)];
        run.step(group).await.map_err(|difference| format!("line {}: {difference}", step.line))?;
        at += group.len();
    }
    Ok(())
}

fn belongs(next: &Step, first: &Step) -> bool {
    first.kind == Kind::Unordered && next.kind == Kind::Unordered && next.connection == first.connection
}

fn parse(text: &str) -> Result<Vec<Step>, String> {
    if !text.starts_with("# RFC ") {
        return Err("the first line must cite an RFC".to_owned());
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(index, line)| parse_line(index + 1, line)).collect()
}

fn parse_line(line: usize, text: &str) -> Result<Step, String> {
    let unreadable = || format!("line {line}: neither C, S nor U");
    let (head, text) = text.split_once(':').ok_or_else(unreadable)?;
    let kind = match head.chars().next() {
        Some('C') => Kind::Client,
        Some('S') => Kind::Server,
        Some('U') => Kind::Unordered,
        _ => return Err(unreadable()),
    };
    let connection = if head.len() == 1 { 1 } else { head[1..].parse().map_err(|_| unreadable())? };
    let text = text.strip_prefix(' ').unwrap_or(text).to_owned();
    Ok(Step { line, kind, connection, text })
}

fn known_words() -> Words {
    let base64 = |text: &str| STANDARD.encode(text);
    let words = [
        ("USER", USER.to_owned()),
        ("USER2", USER2.to_owned()),
        ("PASSWORD", format!("\"{PASSWORD}\"")),
        ("PLAIN", base64(&format!("\0{USER}\0{PASSWORD}"))),
        ("PLAIN_WRONG", base64(&format!("\0{USER}\0wrong"))),
        ("PLAIN_OTHER", base64(&format!("{USER2}\0{USER}\0{PASSWORD}"))),
        ("USER_BASE64", base64(USER)),
        ("PASSWORD_BASE64", base64(PASSWORD)),
    ];
    words.map(|(name, value)| (name.to_owned(), value)).into()
}

/// The octets of a message that transcripts name.
fn message(name: &str) -> Result<String, String> {
    let path = transcripts_dir().join("messages").join(format!("{name}.eml"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.replace('\n', "\r\n"))
}

/// Splits at the first `{@name}` or `{@name+}`: what stands before it, the name, whether the literal is
/// non-synchronizing, what stands after it.
fn split_message(text: &str) -> Option<(&str, &str, bool, &str)> {
    let (before, rest) = text.split_once("{@")?;
    let (name, after) = rest.split_once('}')?;
    match name.strip_suffix('+') {
        Some(name) => Some((before, name, true, after)),
        None => Some((before, name, false, after)),
    }
}

struct Run {
    house: House,
    clients: HashMap<u32, Client>,
    words: Words,
}

impl Run {
    async fn step(&mut self, group: &[Step]) -> Outcome {
        let first = &group[0];
        match (first.kind, first.text.strip_prefix('[').and_then(|text| text.strip_suffix(']'))) {
            (Kind::Client, Some(directive)) => self.direct(first.connection, directive).await,
            (Kind::Client, None) => self.send(first.connection, &first.text).await,
            (Kind::Server, Some("closed")) => self.expect_end(first.connection).await,
            (Kind::Server, _) => self.expect(first.connection, &first.text).await,
            (Kind::Unordered, _) => self.expect_all(group).await,
        }
    }

    fn client(&mut self, connection: u32) -> Result<&mut Client, String> {
        self.clients.get_mut(&connection).ok_or_else(|| format!("C{connection} is not connected"))
    }

    /// A line in brackets: what would take many lines.
    async fn direct(&mut self, connection: u32, directive: &str) -> Outcome {
        let words: Vec<&str> = directive.split(' ').collect();
        match words.as_slice() {
            ["connect"] => self.connect(connection, false),
            ["connect", "plaintext"] => self.connect(connection, true),
            ["login"] => return self.login(connection, USER, PASSWORD).await,
            ["login", "second"] => return self.login(connection, USER2, PASSWORD2).await,
            ["starttls"] => self.client(connection)?.start_tls().await,
            ["close"] => drop(self.clients.remove(&connection)),
            ["append", count] => return self.append(connection, count.parse().unwrap_or(1)).await,
            ["select", mailbox] => return self.quietly(connection, &format!("sel SELECT {mailbox}")).await,
            ["examine", mailbox] => return self.quietly(connection, &format!("sel EXAMINE {mailbox}")).await,
            ["long", tag, octets] => {
                let line = format!("{tag} {}", "x".repeat(octets.parse().unwrap_or(0)));
                self.client(connection)?.line(&line).await;
            }
            ["nonsense", count] => {
                for _ in 0..count.parse().unwrap_or(0) {
                    self.client(connection)?.command("n NONSENSE").await;
                }
            }
            _ => return Err(format!("unknown directive [{directive}]")),
        }
        Ok(())
    }

    fn connect(&mut self, connection: u32, plaintext: bool) {
        let wire = if plaintext { self.house.connect_plaintext() } else { self.house.connect() };
        self.clients.insert(connection, Client::new(wire));
    }

    async fn login(&mut self, connection: u32, user: &str, password: &str) -> Outcome {
        self.connect(connection, false);
        self.expect(connection, "* OK ...").await?;
        self.quietly(connection, &format!("login LOGIN {user} \"{password}\"")).await
    }

    async fn append(&mut self, connection: u32, count: u32) -> Outcome {
        let short = message("short")?;
        let command = format!("app APPEND INBOX {{{}+}}\r\n{short}", short.len());
        for _ in 0..count {
            self.quietly(connection, &command).await?;
        }
        Ok(())
    }

    /// A command whose OK is all that matters.
    async fn quietly(&mut self, connection: u32, command: &str) -> Outcome {
        let responses = self.client(connection)?.command(command).await;
        match responses.last() {
            Some(last) if last.contains(" OK ") => Ok(()),
            last => Err(format!("{command}: {last:?}")),
        }
    }

    async fn send(&mut self, connection: u32, text: &str) -> Outcome {
        let text = filled_in(text, &self.words).replace("\\r\\n", "\r\n");
        let mut rest = text.as_str();
        while let Some((before, name, non_sync, after)) = split_message(rest) {
            let octets = message(name)?;
            let plus = if non_sync { "+" } else { "" };
            self.client(connection)?.send(format!("{before}{{{}{plus}}}\r\n", octets.len()).as_bytes()).await;
            if !non_sync && !self.continued(connection).await? {
                return Ok(());
            }
            self.client(connection)?.send(octets.as_bytes()).await;
            rest = after;
        }
        self.client(connection)?.line(rest).await;
        Ok(())
    }

    /// Whether the server asks for the literal; if it refuses it, its answer is for the next line of the
    /// transcript.
    async fn continued(&mut self, connection: u32) -> Result<bool, String> {
        let client = self.client(connection)?;
        let response = client.response().await.ok_or("connection closed")?;
        let continued = response.starts_with('+');
        if !continued {
            client.put_back(response);
        }
        Ok(continued)
    }

    /// A pattern with words and messages filled in.
    fn pattern(&self, text: &str) -> Result<String, String> {
        let text = filled_in(text, &self.words);
        match split_message(&text) {
            None => Ok(text),
            Some((before, name, _, after)) => {
                let octets = message(name)?;
                Ok(format!("{before}{{{}}}{}{after}", octets.len(), escaped(octets.as_bytes())))
            }
        }
    }

    async fn expect(&mut self, connection: u32, text: &str) -> Outcome {
        let pattern = self.pattern(text)?;
        let response = self.client(connection)?.response().await.ok_or("connection closed")?;
        match matched(&pattern, &response) {
            Some(words) => {
                self.words.extend(words);
                Ok(())
            }
            None => Err(format!("\n  expected {pattern}\n  received {response}")),
        }
    }

    async fn expect_all(&mut self, group: &[Step]) -> Outcome {
        let mut patterns =
            group.iter().map(|step| self.pattern(&step.text)).collect::<Result<Vec<_>, String>>()?;
        while !patterns.is_empty() {
            let client = self.client(group[0].connection)?;
            let response = client.response().await.ok_or("connection closed")?;
            let found = patterns.iter().position(|pattern| matched(pattern, &response).is_some());
            let Some(found) = found else {
                return Err(format!("\n  expected one of {patterns:#?}\n  received {response}"));
            };
            self.words.extend(matched(&patterns.remove(found), &response).unwrap_or_default());
        }
        Ok(())
    }

    async fn expect_end(&mut self, connection: u32) -> Outcome {
        match self.client(connection)?.response().await {
            None => Ok(()),
            Some(response) => Err(format!("\n  expected the end of the connection\n  received {response}")),
        }
    }
}
