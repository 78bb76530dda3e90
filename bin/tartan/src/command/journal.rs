//! `tartan journal`: the files of a journal, looked at from outside. Needs no configuration and no running system.

use crate::cli::JournalCommand;
use crate::error::CliError;
use crate::print::{Printer, progress};
use disk::RealDisk;
use journal::{Class, JournalError, SalvageReport, StatReport, VerifyReport};
use serde_json::{Value, json};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn run(command: &JournalCommand, printer: &Printer) -> Result<(), CliError> {
    match command {
        JournalCommand::Verify { dirs } => each(dirs, "reading", printer, |dir| {
            let report = journal::verify(Arc::new(RealDisk), dir)?;
            Ok(Shown { is_well: report.is_sound(), json: verify_json(&report), text: report.to_string() })
        }),
        JournalCommand::Stat { dirs } => each(dirs, "counting", printer, |dir| {
            let report = journal::stat(Arc::new(RealDisk), dir)?;
            Ok(Shown { is_well: true, json: stat_json(&report), text: report.to_string() })
        }),
        JournalCommand::Salvage { from, into } => {
            each(std::slice::from_ref(from), "saving", printer, |dir| {
                let report = journal::salvage(Arc::new(RealDisk), dir, into)?;
                Ok(Shown {
                    is_well: report.is_complete(),
                    json: salvage_json(&report),
                    text: report.to_string(),
                })
            })
        }
    }
}

/// What is shown of one journal.
struct Shown {
    is_well: bool,
    json: Value,
    text: String,
}

/// Does the same to each journal, goes on after what is wrong with one, and fails if anything was.
fn each(
    dirs: &[PathBuf],
    doing: &str,
    printer: &Printer,
    work: impl Fn(&Path) -> Result<Shown, JournalError>,
) -> Result<(), CliError> {
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for dir in dirs {
        let dir = journal_dir(dir);
        progress(&format!("{doing} {}", dir.display()));
        match work(&dir) {
            Ok(Shown { is_well, json, text }) => {
                if !is_well {
                    wrong.push(format!("{}: damaged", dir.display()));
                }
                all.push((dir, json, text));
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    let value: Vec<_> = all.iter().map(|(dir, json, _)| json!({"dir": dir, "journal": json})).collect();
    printer.print(&value, |_| {
        all.iter().map(|(dir, _, text)| format!("{}\n{text}\n", dir.display())).collect()
    })?;
    if wrong.is_empty() { Ok(()) } else { Err(CliError::Failed(wrong.join("\n"))) }
}

/// The journal of a store, or the journal itself.
fn journal_dir(dir: &Path) -> PathBuf {
    let within = dir.join("journal");
    if within.is_dir() { within } else { dir.to_owned() }
}

fn told(all: &[impl Display]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn verify_json(report: &VerifyReport) -> Value {
    let VerifyReport { segments, frames, records, bytes, gaps, damage, .. } = report;
    json!({
        "segments": segments, "frames": frames, "records": records, "bytes": bytes,
        "gaps": told(gaps), "damage": told(damage),
    })
}

fn stat_json(report: &StatReport) -> Value {
    let kinds = report.records().into_iter().map(|((class, kind), tally)| {
        let class = if class == Class::Body { "body" } else { "state" };
        json!({"class": class, "kind": kind, "records": tally.records, "bytes": tally.bytes})
    });
    json!({
        "segments": report.segments.len(), "bytes": report.bytes(), "headless": report.headless,
        "gaps": told(&report.gaps), "records": kinds.collect::<Vec<_>>(),
    })
}

fn salvage_json(report: &SalvageReport) -> Value {
    let SalvageReport { segments, frames, records, bytes, lost, bodies_damaged, unreadable, .. } = report;
    json!({
        "segments": segments, "frames": frames, "records": records, "bytes": bytes,
        "lost": told(lost), "bodies_damaged": told(bodies_damaged), "unreadable": unreadable,
    })
}
