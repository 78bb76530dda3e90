//! The tables, as Markdown.

use crate::measure::{Case, Row, Seen};
use crate::server::Kind;
use crate::session::Wire;
use std::fmt::{self, Display, Formatter};

/// All that was measured.
pub struct Table<'a> {
    /// In the order of the table.
    pub cases: &'a [Case],
    pub rows: &'a [Row],
    /// Bytes of a message.
    pub size: usize,
}

const HEAD: &str = "\
| payload | connections | server | messages/s | x better peer | of raw | of raw batched | CPU ms | x less CPU | flushes | client CPU ms |
|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|";

impl Display for Table<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for wire in [Wire::Lmtp, Wire::Append, Wire::Smtp] {
            let cases: Vec<&Case> = self.cases.iter().filter(|case| case.wire == wire).collect();
            if !cases.is_empty() {
                writeln!(out, "### {}, messages of {} bytes\n\n{HEAD}", title(wire), self.size)?;
                cases.into_iter().try_for_each(|case| self.case(*case, out))?;
                writeln!(out)?;
            }
        }
        Ok(())
    }
}

impl Table<'_> {
    fn case(&self, case: Case, out: &mut Formatter<'_>) -> fmt::Result {
        let seen = self.medians(case);
        for (kind, figures) in &seen {
            let peers = || seen.iter().filter(|(kind, _)| *kind != Kind::Tartan).map(|(_, seen)| seen);
            let (fastest, cheapest) = match kind {
                Kind::Tartan => (
                    peers().map(|seen| seen.rate).reduce(f64::max),
                    peers().map(|seen| seen.cpu_ms).reduce(f64::min),
                ),
                _ => (None, None),
            };
            line(out, case, *kind, figures, fastest, cheapest)?;
        }
        Ok(())
    }

    fn medians(&self, case: Case) -> Vec<(Kind, Seen)> {
        let mut medians: Vec<(Kind, Seen)> = Vec::new();
        for row in self.rows.iter().filter(|row| row.case == case) {
            if medians.iter().all(|(kind, _)| *kind != row.server) {
                let same = self.rows.iter().filter(|other| other.case == case && other.server == row.server);
                medians.push((row.server, Seen::median(&same.map(|row| row.seen).collect::<Vec<_>>())));
            }
        }
        medians
    }
}

fn line(
    out: &mut Formatter<'_>,
    case: Case,
    kind: Kind,
    seen: &Seen,
    fastest: Option<f64>,
    cheapest: Option<f64>,
) -> fmt::Result {
    let times = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.1}")).unwrap_or_default();
    writeln!(
        out,
        "| {} | {} | {} | {:.0} | {} | {:.2} | {:.2} | {:.2} | {} | {:.2} | {:.2} |",
        case.payload,
        case.connections,
        kind.name(),
        seen.rate,
        times(fastest.map(|peer| seen.rate / peer)),
        seen.rate / seen.raw,
        seen.rate / seen.raw_batched,
        seen.cpu_ms,
        times(cheapest.map(|peer| peer / seen.cpu_ms)),
        seen.flushes,
        seen.client_ms
    )
}

fn title(wire: Wire) -> &'static str {
    match wire {
        Wire::Lmtp => "LMTP into mailboxes",
        Wire::Append => "IMAP APPEND into mailboxes",
        Wire::Smtp => "SMTP into the queue",
    }
}
