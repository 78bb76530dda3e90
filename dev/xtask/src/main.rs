//! The house rules, as checks: `cargo xtask arch`, `cargo xtask tidy`, `cargo xtask rfc`; `cargo xtask
//! fuzz`; and `cargo xtask deb`, the Debian package.
//!
//! Each check prints every breach it finds, one a line with its place, and exits with 1 if there was one.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arch;
mod deb;
mod fuzz;
mod rfc;
mod source;
mod tidy;

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The house rules of the repository, as checks, the fuzz targets, and the package.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Dependencies run only downwards through the layers; exceptions are named in the source of this check.
    Arch,
    /// Function and file lengths, banned words in names, leftover markers, RFC citations.
    Tidy,
    /// Only the citations: every RFC that code cites is listed in RFCS.tsv.
    Rfc,
    /// Fuzz every wire, the MIME scanner and the formats on disk, two targets at a time.
    Fuzz(fuzz::FuzzArgs),
    /// Makes a Debian package of a binary that is built already, and prints its path.
    Deb(deb::DebArgs),
}

fn main() -> ExitCode {
    if let Some(status) = fuzz::as_wrapper() {
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let root = workspace_root();
    let breaches = match Task::parse() {
        Task::Arch => arch::breaches(&root),
        Task::Tidy => [tidy::breaches(&root), rfc::breaches(&root)].concat(),
        Task::Rfc => rfc::breaches(&root),
        Task::Fuzz(args) => fuzz::failures(&root, &args),
        Task::Deb(args) => return package(&root, &args),
    };
    for breach in &breaches {
        eprintln!("{breach}");
    }
    if breaches.is_empty() {
        println!("ok");
        return ExitCode::SUCCESS;
    }
    eprintln!("{} found", breaches.len());
    ExitCode::FAILURE
}

fn package(root: &Path, args: &deb::DebArgs) -> ExitCode {
    match deb::build(root, args) {
        Ok(package) => println!("{}", package.display()),
        Err(error) => {
            eprintln!("deb: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn workspace_root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).expect("xtask lives two folders below the root")
}
