//! `make bench`: how many messages a second Tartan takes responsibility for, beside what the disk allows:
//! appends of the same size with one fdatasync each, measured before and after in the same run.
//!
//! Nothing here asserts: a table is printed, and its reader judges.
#![allow(clippy::print_stdout)]

mod load;
mod raw;
mod sample;

use clap::Parser;
use load::Wire;
use std::path::PathBuf;
use std::time::Duration;
use testkit::Trial;

/// Messages a second over each wire, beside raw appends with fdatasync.
#[derive(Parser)]
#[command(name = "bench")]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Bytes of each message.
    #[arg(long, default_value_t = 8_192)]
    size: usize,
    /// Folder on the disk to measure.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
}

fn main() {
    let options = Options::parse();
    let folder = tempfile::tempdir_in(&options.folder).expect("a folder on the disk to measure");
    let time = Duration::from_secs(options.seconds);
    let trial = Trial::start(&folder.path().join("data"));
    println!(
        "{} byte messages, {} s each; raw: one write and one fdatasync each",
        options.size, options.seconds
    );
    println!();
    println!("wire     connections   messages/s   CPU ms/message   flushes/message   raw/s   messages/raw");
    for wire in [Wire::Lmtp, Wire::Append, Wire::Smtp] {
        for connections in [1, 16, 64] {
            let before = raw::appends(folder.path(), options.size, time / 4);
            let row = load::measure(&trial, wire, connections, options.size, time);
            let after = raw::appends(folder.path(), options.size, time / 4);
            print_row(wire, connections, &row, f64::midpoint(before, after));
        }
    }
}

fn print_row(wire: Wire, connections: usize, row: &load::Row, raw: f64) {
    let (rate, ratio) = (row.rate, row.rate / raw);
    println!(
        "{:<8} {connections:>11} {rate:>12.0} {:>16.2} {:>17.2} {raw:>7.0} {ratio:>14.2}",
        wire.name(),
        row.cpu_ms,
        row.flushes
    );
}
