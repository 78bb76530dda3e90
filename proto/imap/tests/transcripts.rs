//! The transcripts at the level of the codec: what clients send parses where the transcript says OK, what
//! does not parse is answered NO or BAD there, and what servers say is read by the tokenizer.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use imap::reply::Reply;
use imap::{Command, Frame, FrameLimits, Framer, Line, LiteralDecision, Request};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts")
}

fn transcripts() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the transcripts");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.retain(|path| !path.ends_with("README.txt"));
    paths.sort();
    paths
}

/// A line of a transcript: who speaks, on which connection, and what.
struct Spoken<'t> {
    speaker: char,
    connection: &'t str,
    text: &'t str,
}

fn spoken(line: &str) -> Option<Spoken<'_>> {
    let (who, text) = line.split_once(':')?;
    let (speaker, number) = who.split_at_checked(1)?;
    let connection = if number.is_empty() { "1" } else { number };
    let speaker = speaker.chars().next().filter(|speaker| "CSUO".contains(*speaker))?;
    Some(Spoken { speaker, connection, text: text.strip_prefix(' ').unwrap_or(text) })
}

/// A message with CRLF line ends.
fn message(name: &str) -> String {
    let text = std::fs::read_to_string(folder().join("messages").join(format!("{name}.eml"))).unwrap();
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// Puts base64 in the place of variables that hold it, and a number in that of words that were kept.
fn with_values(text: &str) -> String {
    let is_base64 =
        |word: &str| word.starts_with("$PLAIN") || word.starts_with('$') && word.ends_with("_BASE64");
    let is_kept = |word: &str| {
        let name = word.strip_prefix('$').unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let value = |word: &str| match word.trim_end_matches(')') {
        name if is_base64(name) => word.replace(name, "AGEAYg=="),
        name if is_kept(name) => word.replace(name, "1"),
        _ => word.to_owned(),
    };
    text.split(' ').map(value).collect::<Vec<_>>().join(" ")
}

/// Puts messages in the place of `{@name}` and line ends in that of `\r\n`.
fn expanded(text: &str) -> String {
    let text = with_values(text);
    let mut out = String::new();
    let mut rest = &text[..];
    while let Some((before, after)) = rest.split_once("{@") {
        let (name, after) = after.split_once('}').expect("a closing brace");
        let (name, plus) = name.strip_suffix('+').map_or((name, ""), |name| (name, "+"));
        let message = message(name);
        out.push_str(&format!("{before}{{{}{plus}}}\\r\\n{message}", message.len()));
        rest = after;
    }
    out.push_str(rest);
    out.replace("\\r\\n", "\r\n")
}

/// What a transcript expects as the answer to a tag.
fn expected<'t>(rest: &[&'t str], connection: &str, tag: &str) -> Option<&'t str> {
    rest.iter().filter_map(|line| spoken(line)).find_map(|said| {
        let mut words = said.text.split(' ');
        let answers = said.speaker != 'C' && said.connection == connection && words.next() == Some(tag);
        answers.then(|| words.next()).flatten()
    })
}

/// The frames of what a client sends, messages streamed past.
fn lines(text: &str) -> Vec<Line> {
    let mut framer = Framer::new(FrameLimits::default());
    let mut input = BytesMut::from(text.as_bytes());
    let mut lines = Vec::new();
    loop {
        while framer.literal_chunk(&mut input).is_some() {}
        match framer.next(&mut input) {
            Ok(Frame::Line(line)) => lines.push(line),
            Ok(Frame::Literal(header)) => framer.decide(match header.append() {
                Some(_) => LiteralDecision::Stream,
                None => header.decision(&FrameLimits::default()),
            }),
            Ok(Frame::NeedMore) | Err(_) => return lines,
        }
    }
}

/// Whether a line is a command at all: SASL answers and `DONE` have one word.
fn is_command(text: &str) -> bool {
    text.contains(' ') && !text.starts_with('[')
}

fn check_sent(said: &Spoken<'_>, rest: &[&str]) -> Result<(), String> {
    let tag = said.text.split(' ').next().unwrap_or_default();
    let answer = expected(rest, said.connection, tag);
    for line in lines(&format!("{}\r\n", expanded(said.text))) {
        match (Request::parse(&line), answer) {
            (Ok(Request { command: Command::Unknown { .. }, .. }), Some("OK")) => {
                return Err("unknown".into());
            }
            (Err(error), Some("OK") | None) => return Err(error.to_string()),
            _ => {}
        }
    }
    Ok(())
}

/// A response that the pattern stands for.
fn example(pattern: &str) -> String {
    let mut text = pattern.replace("...", "x");
    while let Some((before, after)) = text.split_once('<').filter(|(before, _)| !before.ends_with(']')) {
        let Some((_, after)) = after.split_once('>') else { break };
        text = format!("{before}1{after}");
    }
    with_line_ends_after_counts(&expanded(&text))
}

/// `{count}text` becomes `{count}`, a line end and the text.
fn with_line_ends_after_counts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('}') {
        let digits = before.rsplit_once('{').is_some_and(|(_, d)| d.bytes().all(|b| b.is_ascii_digit()));
        let line_end = if digits && !after.starts_with("\r\n") { "\r\n" } else { "" };
        out.push_str(&format!("{before}}}{line_end}"));
        rest = after;
    }
    out + rest
}

#[test]
fn what_transcripts_send_parses_where_it_is_answered_ok() {
    let mut problems = Vec::new();
    for path in transcripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        let all: Vec<&str> = text.lines().collect();
        for (index, line) in all.iter().enumerate() {
            let Some(said) = spoken(line).filter(|said| said.speaker == 'C' && is_command(said.text)) else {
                continue;
            };
            if let Err(problem) = check_sent(&said, &all[index + 1..]) {
                problems.push(format!("{}: {line}: {problem}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_transcripts_receive_is_read() {
    let mut problems = Vec::new();
    for path in transcripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        let received = text.lines().filter_map(spoken).filter(|said| said.speaker != 'C');
        for said in received.filter(|said| !said.text.starts_with('[')) {
            let response = example(said.text);
            if Reply::parse(&Line::new(Bytes::from(response.clone()))).is_none() {
                problems.push(format!("{}: {} as {response:?}", path.display(), said.text));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn transcripts_cite_their_rfc() {
    for path in transcripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# RFC "), "{}", path.display());
    }
}
