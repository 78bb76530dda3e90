//! Which ports a new trial uses.

use crate::error::CliError;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The ports of a trial, each at a fixed place behind the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    pub mx: u16,
    pub submission: u16,
    pub submissions: u16,
    pub imap: u16,
    pub imaps: u16,
    pub lmtp: u16,
    pub metrics: u16,
}

const COUNT: usize = 7;
/// Where the search begins when no base is given, how far it jumps, and how often.
const BASE_DEFAULT: u16 = 2_525;
const BASE_STEP: u16 = 100;
const BASES_TRIED: u16 = 30;

impl Ports {
    /// The ports from `base` on; chosen by the system for 0; the first free row where none is given.
    ///
    /// # Errors
    /// A port of the given row is taken: it is named.
    pub fn choose(base: Option<u16>) -> Result<Self, CliError> {
        match base {
            Some(0) => Self::by_system(),
            Some(base) => {
                let row = row(base);
                row.iter().try_for_each(|port| free(*port))?;
                Ok(Self::from(row))
            }
            None => Self::first_free(),
        }
    }

    fn first_free() -> Result<Self, CliError> {
        let bases = (0..BASES_TRIED).map(|step| BASE_DEFAULT + step * BASE_STEP);
        let found = bases.map(row).find(|row| row.iter().all(|port| free(*port).is_ok()));
        found.map(Self::from).ok_or_else(|| {
            CliError::Failed(format!(
                "found no row of {COUNT} free ports from {BASE_DEFAULT} on; name one with --port-base, or 0 for any"
            ))
        })
    }

    /// Holds all before letting any go, so that none is given twice.
    fn by_system() -> Result<Self, CliError> {
        let held: Vec<TcpListener> =
            (0..COUNT).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
        let mut row = [0; COUNT];
        for (port, listener) in row.iter_mut().zip(&held) {
            *port = listener.local_addr()?.port();
        }
        Ok(Self::from(row))
    }
}

impl From<[u16; COUNT]> for Ports {
    fn from([mx, submission, submissions, imap, imaps, lmtp, metrics]: [u16; COUNT]) -> Self {
        Self { mx, submission, submissions, imap, imaps, lmtp, metrics }
    }
}

fn row(base: u16) -> [u16; COUNT] {
    std::array::from_fn(|place| base + u16::try_from(place).expect("a row is short"))
}

/// Where a trial's listener on `port` is.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn free(port: u16) -> Result<(), CliError> {
    TcpListener::bind(local(port)).map(drop).map_err(|error| {
        CliError::Failed(format!("port {port}: {error}; choose another --port-base, or 0 for any free ports"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_of_the_row_is_named() {
        let held = TcpListener::bind(local(0)).expect("a free port");
        let port = held.local_addr().expect("bound").port();
        let error = Ports::choose(Some(port - 3)).expect_err("one of the row is taken").to_string();
        assert!(error.contains("port ") && error.contains("--port-base"), "{error}");
    }

    #[test]
    fn ports_of_the_systems_choice_differ() {
        let ports = Ports::choose(Some(0)).expect("free ports");
        let all = [
            ports.mx,
            ports.submission,
            ports.submissions,
            ports.imap,
            ports.imaps,
            ports.lmtp,
            ports.metrics,
        ];
        let distinct: std::collections::BTreeSet<u16> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
