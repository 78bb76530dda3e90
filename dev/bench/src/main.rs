//! `make bench`: how many messages a second Tartan takes responsibility for, beside Dovecot, Cyrus and Postfix with
//! their default syncing, and beside what the disk allows, all in one run.
//!
//! Nothing here asserts: tables are printed, and their reader judges. docs/benchmarks.md says what is measured and how.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod letters;
mod load;
mod measure;
mod raw;
mod server;
mod session;
mod table;

use clap::{Parser, ValueEnum};
use letters::Payload;
use measure::{Case, Row};
use server::{Kind, Server};
use session::Wire;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use table::Table;

/// Messages a second over each wire, beside other servers and beside raw appends with fdatasync.
#[derive(Parser)]
#[command(name = "bench")]
struct Options {
    /// The wires to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Wire::value_variants().to_vec())]
    only: Vec<Wire>,
    /// The servers to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::value_variants().to_vec())]
    servers: Vec<Kind>,
    /// What the messages are made of.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Payload::value_variants().to_vec())]
    payloads: Vec<Payload>,
    /// Connections at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    connections: Vec<usize>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measurements of each case; their median is shown.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Bytes of each message.
    #[arg(long, default_value_t = 8_192)]
    size: usize,
    /// Accounts of each server, each with its inbox.
    #[arg(long, default_value_t = 1_000)]
    accounts: usize,
    /// Folder on the disk to measure; its parents must be open to all users.
    #[arg(long, default_value = "/var/tmp")]
    folder: PathBuf,
}

impl Options {
    /// One round: each case, server after server.
    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for wire in &self.only {
            for payload in &self.payloads {
                for connections in &self.connections {
                    cases.push(Case { wire: *wire, payload: *payload, connections: *connections });
                }
            }
        }
        cases
    }

    fn servers(&self, folder: &Path) -> Vec<Server> {
        let speaks = |kind: &Kind| self.only.iter().any(|wire| kind.speaks(*wire));
        let kinds = self.servers.iter().filter(|kind| speaks(kind));
        kinds.map(|kind| Server::start(*kind, &folder.join(kind.name()), self.accounts)).collect()
    }
}

fn main() {
    let options = Options::parse();
    let folder = tempfile::tempdir_in(&options.folder).expect("a folder on the disk to measure");
    server::open_to_all(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let servers = options.servers(folder.path());
    let cases = options.cases();
    servers.iter().for_each(|server| runtime.block_on(load::prepare(server, &options.only)));
    let rows = runtime.block_on(rounds(&options, &cases, &servers, folder.path()));
    println!("{}", Table { cases: &cases, rows: &rows, size: options.size });
}

/// All rounds: a slow minute of the disk falls on one of several measurements of each case.
async fn rounds(options: &Options, cases: &[Case], servers: &[Server], folder: &Path) -> Vec<Row> {
    let time = Duration::from_secs_f64(options.seconds);
    let mut rows = Vec::new();
    for round in 1..=options.repeat {
        for case in cases {
            let letters = Rc::new(letters::made(case.payload, options.size));
            for server in servers.iter().filter(|server| server.kind.speaks(case.wire)) {
                let row = measure::measure(server, *case, &letters, time, folder).await;
                eprintln!("round {round}/{}: {row}", options.repeat);
                rows.push(row);
            }
        }
    }
    rows
}
