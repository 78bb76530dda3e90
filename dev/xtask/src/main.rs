//! The house rules, as checks: `cargo xtask arch`, `cargo xtask tidy`, `cargo xtask rfc`.
//!
//! Each check prints every breach it finds, one a line with its place, and exits with 1 if there was one.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arch;
mod rfc;
mod source;
mod tidy;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// The house rules of the repository, as checks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Check {
    /// Dependencies run only downwards through the layers; exceptions are named in the source of this check.
    Arch,
    /// Function and file lengths, banned words in names, leftover markers, RFC citations.
    Tidy,
    /// Only the citations: every RFC that code cites is listed in RFCS.tsv.
    Rfc,
}

fn main() -> ExitCode {
    let root = workspace_root();
    let breaches = match Check::parse() {
        Check::Arch => arch::breaches(&root),
        Check::Tidy => [tidy::breaches(&root), rfc::breaches(&root)].concat(),
        Check::Rfc => rfc::breaches(&root),
    };
    for breach in &breaches {
        eprintln!("{breach}");
    }
    if breaches.is_empty() {
        println!("ok");
        return ExitCode::SUCCESS;
    }
    eprintln!("{} breaches of the house rules", breaches.len());
    ExitCode::FAILURE
}

fn workspace_root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).expect("xtask lives two folders below the root")
}
