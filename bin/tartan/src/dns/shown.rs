//! The records for people, as a zone file that a name server takes, and for programs.

use super::record::{Checked, Need, State};
use super::served::Served;
use serde::Serialize;
use std::fmt::Write as _;

/// Seconds for which others may keep a record.
const TTL: u32 = 3_600;

/// All that is printed.
#[derive(Serialize)]
pub struct Report {
    pub hostname: String,
    /// Records to look after.
    pub wrong: usize,
    pub sections: Vec<Checks>,
}

/// A host or domain.
#[derive(Serialize)]
pub struct Checks {
    pub title: String,
    pub records: Vec<Checked>,
    pub notes: Vec<String>,
}

impl Report {
    pub fn new(served: &Served) -> Self {
        Self { hostname: served.hostname.clone(), wrong: 0, sections: Vec::new() }
    }

    pub fn add(&mut self, title: String, records: Vec<Checked>, notes: Vec<String>) {
        self.wrong += records.iter().filter(|record| record.is_wrong()).count();
        self.sections.push(Checks { title, records, notes });
    }
}

/// A zone file: everything that is no record is a comment.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    for section in &report.sections {
        let newline = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{newline}; {}", section.title);
        let mut before = "";
        for checked in &section.records {
            if checked.record.purpose != before {
                let _ = writeln!(text, "\n; for {}", checked.record.purpose);
            }
            before = &checked.record.purpose;
            let _ = writeln!(text, "{}{}", line(checked), verdict(checked));
        }
        let _ = writeln!(text);
        text.extend(section.notes.iter().map(|note| format!("; note: {note}\n")));
    }
    text
}

/// The record, commented out where it must not be published as it stands.
fn line(checked: &Checked) -> String {
    let record = &checked.record;
    let comment = if record.need == Need::Elsewhere || record.value.is_none() { "; " } else { "" };
    let value = record.value.as_deref().unwrap_or("PUBLIC-ADDRESS-OF-THIS-HOST");
    format!("{comment}{} {TTL} IN {} {value}", record.name, record.kind)
}

fn verdict(checked: &Checked) -> String {
    let found = checked.found.join(", ");
    match &checked.state {
        State::Unchecked => String::new(),
        State::Ok if checked.record.value.as_ref().is_some_and(|value| checked.found.contains(value)) => {
            " ; ok".to_owned()
        }
        State::Ok => format!(" ; ok, as it is: {found}"),
        State::Missing if checked.record.need == Need::Required => " ; MISSING".to_owned(),
        State::Missing => " ; not there (optional)".to_owned(),
        State::Differs => format!(" ; DIFFERS, there is: {found}"),
        State::Unseen(why) if found.is_empty() => format!(" ; CANNOT BE SEEN: {}", why.replace('\n', " ")),
        State::Unseen(why) => format!(" ; CANNOT BE SEEN: {}: {found}", why.replace('\n', " ")),
    }
}
