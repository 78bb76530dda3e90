//! `cargo xtask fuzz`: builds the targets of `dev/fuzz` so that libFuzzer sees which code an input reaches, and runs
//! them, two at a time.
//!
//! What guides libFuzzer is LLVM's coverage pass, which stable Rust has. Only crates of this workspace are built with it:
//! this program is Cargo's `RUSTC_WORKSPACE_WRAPPER` and adds the flags, so that all other crates are those of the usual
//! build. Debug assertions and overflow checks are on.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;

/// Set for the build: this program is then a wrapper around rustc.
const WRAPPER: &str = "TARTAN_FUZZ_WRAPPER";

/// What cargo-fuzz passes, without a sanitizer, of which stable Rust has none.
const FLAGS: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Copt-level=2",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];

/// Targets that run at one time.
const AT_ONCE: usize = 2;
/// Megabytes that a target may take, and that it may ask for in one piece.
const MEMORY_MEGABYTES_MAX: u32 = 1_024;
const PIECE_MEGABYTES_MAX: u32 = 128;
/// Seconds that one input may take: what is fuzzed takes microseconds.
const INPUT_SECONDS_MAX: u32 = 5;
/// Bytes of an input.
const INPUT_BYTES_MAX: u32 = 8_192;

/// What is fuzzed, and for how long.
#[derive(clap::Args)]
pub struct FuzzArgs {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Where inputs are kept from run to run; without it each run begins with the seeds
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// The targets [default: all]
    targets: Vec<String>,
}

/// Runs rustc with the flags, where Cargo has called this program for that: its exit status.
pub fn as_wrapper() -> Option<ExitStatus> {
    std::env::var_os(WRAPPER)?;
    let mut args = std::env::args_os().skip(1);
    let mut rustc = Command::new(args.next()?);
    Some(rustc.args(args).args(FLAGS).status().expect("rustc runs"))
}

/// Builds and runs; what went wrong.
pub fn failures(root: &Path, args: &FuzzArgs) -> Vec<String> {
    let Some(program) = build(root) else { return vec!["the fuzz targets do not build".to_owned()] };
    let targets = if args.targets.is_empty() { names(root) } else { args.targets.clone() };
    let work = program.parent().expect("it stands in a folder").to_owned();
    let waiting = Mutex::new(targets.into_iter().rev().collect::<Vec<_>>());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next(&waiting) {
                    let run = Run { program: &program, work: &work, target: &target, args };
                    failed.lock().expect("no panic in a holder").extend(run.failure());
                }
            });
        }
    });
    failed.into_inner().expect("no panic in a holder")
}

fn next(waiting: &Mutex<Vec<String>>) -> Option<String> {
    waiting.lock().expect("no panic in a holder").pop()
}

/// Builds the program; a copy of it, which no other build replaces.
fn build(root: &Path) -> Option<PathBuf> {
    let this = std::env::current_exe().expect("a running program has a path");
    let status = Command::new("cargo")
        .args(["build", "--package", "fuzz", "--bin", "fuzz"])
        .current_dir(root)
        .env("RUSTC_WORKSPACE_WRAPPER", &this)
        .env(WRAPPER, "1")
        .env("CARGO_INCREMENTAL", "0")
        .status();
    status.ok().filter(ExitStatus::success)?;
    let work = this.with_file_name("fuzz-work");
    fs::create_dir_all(&work).expect("a folder beside this program");
    let copy = work.join("fuzz");
    fs::copy(this.with_file_name("fuzz"), &copy).expect("the program was just built");
    Some(copy)
}

/// The names in the table of targets.
fn names(root: &Path) -> Vec<String> {
    let text = fs::read_to_string(root.join("dev/fuzz/src/lib.rs")).expect("the table of targets");
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Target { name: \""));
    names.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// One target's run.
struct Run<'a> {
    program: &'a Path,
    work: &'a Path,
    target: &'a str,
    args: &'a FuzzArgs,
}

impl Run<'_> {
    /// Runs it to its end; what went wrong, if anything did.
    fn failure(&self) -> Option<String> {
        let folder = self.work.join(self.target);
        let corpus = self.args.corpus.as_ref().map_or(folder.join("corpus"), |kept| kept.join(self.target));
        if self.args.corpus.is_none() {
            let _ = fs::remove_dir_all(&corpus);
        }
        fs::create_dir_all(&corpus).expect("a folder for inputs");
        let log = folder.join("log");
        fs::create_dir_all(&folder).expect("a folder for the log");
        let output = File::create(&log).expect("a log file");
        let error = output.try_clone().expect("a second handle");
        let status = Command::new(self.program)
            .args(self.options(&folder))
            .arg(&corpus)
            .env("TARTAN_FUZZ_TARGET", self.target)
            .env("TARTAN_FUZZ_SEEDS", &corpus)
            .stdout(output)
            .stderr(error)
            .status()
            .expect("the target runs");
        let text = fs::read_to_string(&log).unwrap_or_default();
        println!("{:<14}{}", self.target, summary(&text));
        (!status.success()).then(|| format!("{}: {}\n{}", self.target, log.display(), tail(&text)))
    }

    fn options(&self, folder: &Path) -> Vec<OsString> {
        let mut artifacts = OsString::from("-artifact_prefix=");
        artifacts.push(folder.join(""));
        let options = [
            format!("-max_total_time={}", self.args.seconds),
            format!("-timeout={INPUT_SECONDS_MAX}"),
            format!("-rss_limit_mb={MEMORY_MEGABYTES_MAX}"),
            format!("-malloc_limit_mb={PIECE_MEGABYTES_MAX}"),
            format!("-max_len={INPUT_BYTES_MAX}"),
            "-use_value_profile=0".to_owned(),
            "-print_final_stats=1".to_owned(),
            "-verbosity=1".to_owned(),
        ];
        options.into_iter().map(OsString::from).chain([artifacts]).collect()
    }
}

/// How far a run came: counters reached by the seeds and at the end, inputs kept, and inputs tried.
fn summary(log: &str) -> String {
    let counters = |line: &str| line.split("cov: ").nth(1)?.split(' ').next().map(str::to_owned);
    let events = || log.lines().filter(|line| line.contains("cov: "));
    let first = events().find(|line| line.contains("INITED")).and_then(counters).unwrap_or_default();
    let last = events().next_back().and_then(counters).unwrap_or_default();
    let stat = |name: &str| {
        log.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim().to_owned())
            .unwrap_or_default()
    };
    let executed = stat("stat::number_of_executed_units:");
    format!("coverage {first} -> {last}, {} new inputs, {executed} runs", stat("stat::new_units_added:"))
}

/// The last lines, with the panic's message and what libFuzzer wrote down.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains(" cov: ")).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
