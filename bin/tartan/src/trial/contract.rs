//! What `tartan trial --json` prints on its first line when all is ready. Others' test suites read it:
//! fields are added, never renamed or removed.

use super::kept::{Account, Admin, Kept};
use config::Config;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The contract.
#[derive(Debug, Serialize)]
pub struct Contract {
    pub domain: String,
    pub listeners: BTreeMap<&'static str, Endpoint>,
    pub accounts: Vec<Account>,
    pub admin: Admin,
    pub certificate: PathBuf,
    pub config: PathBuf,
    pub data: PathBuf,
}

/// Where a listener is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    /// `none`, `starttls` or `implicit`.
    pub tls: &'static str,
}

impl Contract {
    /// What the trial of `config` offers.
    pub fn new(config: &Config, kept: &Kept, certificate: PathBuf, file: PathBuf) -> Self {
        Self {
            domain: config.system.domain.0.clone(),
            listeners: listeners(config),
            accounts: kept.accounts.clone(),
            admin: kept.admin.clone(),
            certificate,
            config: file,
            data: config.system.data.clone(),
        }
    }

    /// The port of a listener; 0 where the configuration has taken it away.
    pub fn port(&self, name: &str) -> u16 {
        self.listeners.get(name).map_or(0, |endpoint| endpoint.port)
    }
}

fn listeners(config: &Config) -> BTreeMap<&'static str, Endpoint> {
    let all: [(&str, &[SocketAddr], &str); 7] = [
        ("mx", &config.mx.listen, "starttls"),
        ("submission", &config.submission.listen, "starttls"),
        ("submissions", &config.submission.listen_tls, "implicit"),
        ("imap", &config.imapd.listen, "starttls"),
        ("imaps", &config.imapd.listen_tls, "implicit"),
        ("lmtp", &config.lmtpd.listen, "none"),
        ("metrics", &config.metrics.listen, "none"),
    ];
    let endpoint =
        |address: &SocketAddr, tls| Endpoint { host: address.ip().to_string(), port: address.port(), tls };
    all.into_iter()
        .filter_map(|(name, addresses, tls)| Some((name, endpoint(addresses.first()?, tls))))
        .collect()
}
