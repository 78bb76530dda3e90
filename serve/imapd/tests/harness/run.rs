//! Runs transcripts.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::client::{Client, escaped};
use super::normal::Expunged;
use super::pattern::{Words, filled_in};
use super::script::{Kind, Script, Step, transcripts_dir};
use super::stage::Stage;

/// The first difference between a transcript and what happened.
pub type Outcome = Result<(), String>;

/// Runs a transcript on a stage of its own; each response must come within `response_time_max`.
pub async fn run(path: &Path, stage: Stage, response_time_max: Duration) -> Outcome {
    let steps = Script::read(path)?.steps;
    let words = stage.known_words();
    let mut run = Run { stage, response_time_max, clients: HashMap::new(), optional: HashMap::new(), words };
    let mut at = 0;
    while at < steps.len() {
        let step = &steps[at];
        let together = steps[at..].iter().take_while(|next| run.belongs(next, step)).count();
        let group = &steps[at..at + together.max(1)];
        run.step(group).await.map_err(|difference| format!("line {}: {difference}", step.line))?;
        at += group.len();
    }
    Ok(())
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
    stage: Stage,
    response_time_max: Duration,
    clients: HashMap<u32, Client>,
    /// What may come on a connection before its next tagged response.
    optional: HashMap<u32, Vec<String>>,
    words: Words,
}

impl Run {
    /// Whether `next` may come in any order with `first`. Other servers order untagged responses as they like.
    fn belongs(&self, next: &Step, first: &Step) -> bool {
        let unordered = |step: &Step| match step.kind {
            Kind::Unordered | Kind::Optional => true,
            Kind::Server => self.stage.is_foreign() && step.text.starts_with("* "),
            Kind::Client => false,
        };
        unordered(first) && unordered(next) && next.connection == first.connection
    }

    async fn step(&mut self, group: &[Step]) -> Outcome {
        let first = &group[0];
        match (first.kind, first.text.strip_prefix('[').and_then(|text| text.strip_suffix(']'))) {
            (Kind::Client, Some(directive)) => self.direct(first.connection, directive).await,
            (Kind::Client, None) => self.send(first.connection, &first.text).await,
            (Kind::Server, Some("closed")) => self.expect_end(first.connection).await,
            (Kind::Server | Kind::Unordered | Kind::Optional, _) => self.expect_all(group).await,
        }
    }

    fn client(&mut self, connection: u32) -> Result<&mut Client, String> {
        self.clients.get_mut(&connection).ok_or_else(|| format!("C{connection} is not connected"))
    }

    /// A line in brackets: what would take many lines.
    async fn direct(&mut self, connection: u32, directive: &str) -> Outcome {
        let words: Vec<&str> = directive.split(' ').collect();
        match words.as_slice() {
            ["connect"] => self.connect(connection, false).await,
            ["connect", "plaintext"] => self.connect(connection, true).await,
            ["login"] => return self.login(connection, "$USER $PASSWORD").await,
            ["login", "second"] => return self.login(connection, "$USER2 $PASSWORD2").await,
            ["above", high, low] => return self.above(high, low),
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

    async fn connect(&mut self, connection: u32, plaintext: bool) {
        let wire = self.stage.connect(plaintext).await;
        self.clients.insert(connection, Client::new(wire).patient(self.response_time_max));
    }

    async fn login(&mut self, connection: u32, login: &str) -> Outcome {
        self.connect(connection, false).await;
        self.expect(connection, "* OK ...").await?;
        let command = filled_in(&format!("login LOGIN {login}"), &self.words);
        self.quietly(connection, &command).await
    }

    /// Compares two words that are numbers.
    fn above(&self, high: &str, low: &str) -> Outcome {
        let number = |word: &str| {
            let word = filled_in(word, &self.words);
            word.parse::<u64>().map_err(|_| format!("{word} is no number"))
        };
        let (high, low) = (number(high)?, number(low)?);
        if high > low { Ok(()) } else { Err(format!("{high} is not above {low}")) }
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
        self.expect_any(connection, &mut vec![text.to_owned()], &mut Expunged::default()).await
    }

    /// The required responses of a group, in any order.
    async fn expect_all(&mut self, group: &[Step]) -> Outcome {
        let connection = group[0].connection;
        let of = |wanted: bool| {
            let steps = group.iter().filter(move |step| (step.kind == Kind::Optional) == wanted);
            steps.map(|step| step.text.clone())
        };
        self.optional.entry(connection).or_default().extend(of(true));
        let mut patterns: Vec<String> = of(false).collect();
        let mut expunged = match self.stage.is_foreign() {
            true => Expunged::of(&mut patterns),
            false => Expunged::default(),
        };
        while !patterns.is_empty() || expunged.waits() {
            self.expect_any(connection, &mut patterns, &mut expunged).await?;
        }
        expunged.check()
    }

    /// Takes the next response that matches one of the patterns, and removes that. What may come before it is passed
    /// over.
    async fn expect_any(
        &mut self,
        connection: u32,
        patterns: &mut Vec<String>,
        expunged: &mut Expunged,
    ) -> Outcome {
        loop {
            let response = self.client(connection)?.response().await.ok_or("connection closed")?;
            if expunged.take(&response) {
                return Ok(());
            }
            if self.take(patterns, &response)? {
                if !response.starts_with('*') {
                    self.optional.remove(&connection);
                }
                return Ok(());
            }
            let mut optional = self.optional.remove(&connection).unwrap_or_default();
            let taken = self.take(&mut optional, &response)?;
            self.optional.insert(connection, optional);
            if !taken && !self.stage.passes_over(&response) {
                return Err(format!("\n  expected one of {patterns:#?}\n  received {response}"));
            }
        }
    }

    /// Removes the first pattern that matches the response, and keeps its words.
    fn take(&mut self, patterns: &mut Vec<String>, response: &str) -> Result<bool, String> {
        for (index, text) in patterns.iter().enumerate() {
            if let Some(words) = self.stage.matched(&self.pattern(text)?, response) {
                self.words.extend(words);
                patterns.remove(index);
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn expect_end(&mut self, connection: u32) -> Outcome {
        match self.client(connection)?.response().await {
            None => Ok(()),
            Some(response) => Err(format!("\n  expected the end of the connection\n  received {response}")),
        }
    }
}
