//! Transcripts as they are written; their format is described beside them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where transcripts and the messages in them are.
pub fn transcripts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/imap/transcripts")
}

/// All transcripts, or those whose file names contain what the variable TRANSCRIPT says.
pub fn transcripts() -> Vec<PathBuf> {
    let wanted = std::env::var("TRANSCRIPT").unwrap_or_default();
    let mut paths: Vec<PathBuf> = fs::read_dir(transcripts_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .filter(|path| path.file_stem().is_some_and(|name| name != "README"))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&wanted)))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no transcripts found");
    paths
}

/// A transcript.
#[derive(Clone, Debug)]
pub struct Script {
    pub steps: Vec<Step>,
    /// The remarks, without their `#`.
    remarks: Vec<String>,
}

/// One line of a transcript.
#[derive(Clone, Debug)]
pub struct Step {
    pub line: usize,
    pub kind: Kind,
    pub connection: u32,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Client,
    /// The next response.
    Server,
    /// One of the next responses.
    Unordered,
    /// What may come before the command is answered, and need not.
    Optional,
}

impl Script {
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        if !text.starts_with("# RFC ") {
            return Err("the first line must cite an RFC".to_owned());
        }
        let remarks = text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let steps: Result<_, _> = lines.map(|(index, line)| parse_line(index + 1, line)).collect();
        Ok(Self { steps: steps?, remarks })
    }

    /// The reason of a remark `# name: reason`.
    pub fn marker(&self, name: &str) -> Option<&str> {
        self.remarks.iter().find_map(|remark| remark.strip_prefix(name)?.strip_prefix(": "))
    }
}

fn parse_line(line: usize, text: &str) -> Result<Step, String> {
    let unreadable = || format!("line {line}: neither C, S, U nor O");
    let (head, text) = text.split_once(':').ok_or_else(unreadable)?;
    let kind = match head.chars().next() {
        Some('C') => Kind::Client,
        Some('S') => Kind::Server,
        Some('U') => Kind::Unordered,
        Some('O') => Kind::Optional,
        _ => return Err(unreadable()),
    };
    let connection = if head.len() == 1 { 1 } else { head[1..].parse().map_err(|_| unreadable())? };
    let text = text.strip_prefix(' ').unwrap_or(text).to_owned();
    Ok(Step { line, kind, connection, text })
}
