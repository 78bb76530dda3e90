//! What commands print: text for people, JSON for programs.

use crate::error::CliError;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Standard output in the form that was asked for.
pub struct Printer {
    json: bool,
}

impl Printer {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints `value` as JSON, or the text that `shown` makes of it.
    pub fn print<T: Serialize>(&self, value: &T, shown: impl FnOnce(&T) -> String) -> Result<(), CliError> {
        if self.json {
            let json = serde_json::to_string(value).map_err(CliError::failed)?;
            return self.text(&format!("{json}\n"));
        }
        self.text(&shown(value))
    }

    /// Says what was done; nothing where JSON was asked for.
    pub fn done(&self, text: &str) -> Result<(), CliError> {
        if self.json { Ok(()) } else { self.text(&format!("{text}\n")) }
    }

    /// Prints text as it is.
    pub fn text(&self, text: &str) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// Says on a terminal what is being done that may take long; nothing elsewhere.
pub fn progress(doing: &str) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let _ = writeln!(out, "{doing} ...");
    }
}

/// Columns under headings, each as wide as its widest cell; the last one as long as it is.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let lines = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| lines().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    lines().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_blanks() {
        let rows = [
            vec!["mx".to_owned(), "127.0.0.1:2525".to_owned()],
            vec!["submission".to_owned(), String::new()],
        ];
        assert_eq!(
            table(&["ROLE", "LISTENS"], &rows),
            "ROLE        LISTENS\nmx          127.0.0.1:2525\nsubmission\n"
        );
    }
}
