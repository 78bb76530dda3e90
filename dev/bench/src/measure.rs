//! One measurement: of a server with a number of connections, and of the disk around it.

use crate::letters::{Letter, Payload};
use crate::server::{Kind, Server};
use crate::session::Wire;
use crate::{load, raw};
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use testkit::process::{self, Tree};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    pub wire: Wire,
    pub payload: Payload,
    pub connections: usize,
}

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub case: Case,
    pub server: Kind,
    pub seen: Seen,
}

/// Figures, each a median where they come from several measurements.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Acknowledged messages a second.
    pub rate: f64,
    /// CPU milliseconds of the server for each, until it has come to rest.
    pub cpu_ms: f64,
    /// The client's, for each.
    pub client_ms: f64,
    /// Flush requests that the disk completed, for each.
    pub flushes: f64,
    /// Raw appends a second, one message and one fdatasync each, before and after.
    pub raw: f64,
    /// Messages a second in raw appends with as many in each as there are connections.
    pub raw_batched: f64,
}

/// Time of each of the raw measurements around one of a server.
const RAW: Duration = Duration::from_millis(150);

/// Runs one case.
pub async fn measure(
    server: &Server,
    case: Case,
    letters: &Rc<Vec<Letter>>,
    time: Duration,
    folder: &Path,
) -> Row {
    let sessions = load::open(server, case.wire, case.connections).await;
    rest(server.tree).await;
    let before = Limits::measure(folder, case.connections, letters[0].len());
    let (cpu, client, flushes) = (server.tree.cpu(), process::cpu(std::process::id()), raw::flushes());
    let start = Instant::now();
    let messages = sessions.run(letters, start + time).await.max(1) as f64;
    let elapsed = start.elapsed().as_secs_f64();
    let client = process::cpu(std::process::id()) - client;
    rest(server.tree).await;
    let (cpu, flushes) = (server.tree.cpu() - cpu, raw::flushes() - flushes);
    let after = Limits::measure(folder, case.connections, letters[0].len());
    let seen = Seen {
        rate: messages / elapsed,
        cpu_ms: cpu.as_secs_f64() * 1_000.0 / messages,
        client_ms: client.as_secs_f64() * 1_000.0 / messages,
        flushes: flushes as f64 / messages,
        raw: f64::midpoint(before.raw, after.raw),
        raw_batched: f64::midpoint(before.batched, after.batched),
    };
    Row { case, server: server.kind, seen }
}

/// What the disk allows.
struct Limits {
    raw: f64,
    batched: f64,
}

impl Limits {
    fn measure(folder: &Path, connections: usize, size: usize) -> Limits {
        let frames = |messages: usize| raw::appends(folder, messages * size, RAW) * messages as f64;
        let raw = frames(1);
        Limits { raw, batched: if connections == 1 { raw } else { frames(connections) } }
    }
}

/// Waits until the server has nothing more to do: its work for the next measurement is not that one's.
async fn rest(tree: Tree) {
    const STEP: Duration = Duration::from_millis(150);
    const PATIENCE: u32 = 100;
    let mut before = tree.cpu();
    for _ in 0..PATIENCE {
        tokio::time::sleep(STEP).await;
        let now = tree.cpu();
        if now - before <= STEP / 10 {
            return;
        }
        before = now;
    }
}

impl Seen {
    /// The median of each figure by itself.
    pub fn median(several: &[Seen]) -> Seen {
        let of = |figure: fn(&Seen) -> f64| {
            let mut figures: Vec<f64> = several.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        };
        Seen {
            rate: of(|seen| seen.rate),
            cpu_ms: of(|seen| seen.cpu_ms),
            client_ms: of(|seen| seen.client_ms),
            flushes: of(|seen| seen.flushes),
            raw: of(|seen| seen.raw),
            raw_batched: of(|seen| seen.raw_batched),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { case: Case { wire, payload, connections }, server, seen } = self;
        write!(
            out,
            "{wire:?} {payload} {connections:>2} {:<16} {:>7.0}/s {:.3} ms {:.2} flushes; raw {:.0}/s, client {:.3} ms",
            server.name(),
            seen.rate,
            seen.cpu_ms,
            seen.flushes,
            seen.raw,
            seen.client_ms
        )
    }
}
