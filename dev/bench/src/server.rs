//! What is measured: Tartan and the servers that it is compared with, each with the same accounts.

use crate::session::Wire;
use clap::ValueEnum;
use rustls::ClientConfig;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use testkit::peer::{self, Cyrus, Dovecot, Next, Postfix, Settings, Store};
use testkit::process::Tree;
use testkit::trial::Account;
use testkit::{Trial, line};

/// A server program, in one of its ways to keep mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// `tartan trial`, from the same build.
    Tartan,
    /// Dovecot with Maildirs.
    DovecotMaildir,
    /// Dovecot with its dbox of many messages in a file.
    DovecotMdbox,
    /// Cyrus.
    Cyrus,
    /// Postfix, whose deliveries are thrown away.
    Postfix,
}

/// A running server.
pub struct Server {
    pub kind: Kind,
    /// As many as wanted; each has an inbox.
    pub accounts: Vec<Account>,
    /// Its processes.
    pub tree: Tree,
    running: Running,
}

/// It ends when dropped.
enum Running {
    Tartan(Trial),
    Dovecot(Dovecot),
    Cyrus(Cyrus),
    Postfix(Postfix),
}

impl Kind {
    /// As tables and the command line show it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tartan => "tartan",
            Kind::DovecotMaildir => "dovecot-maildir",
            Kind::DovecotMdbox => "dovecot-mdbox",
            Kind::Cyrus => "cyrus",
            Kind::Postfix => "postfix",
        }
    }

    /// Whether it is measured on this wire.
    pub fn speaks(self, wire: Wire) -> bool {
        match self {
            Kind::Tartan => true,
            Kind::Postfix => wire == Wire::Smtp,
            Kind::DovecotMaildir | Kind::DovecotMdbox | Kind::Cyrus => wire != Wire::Smtp,
        }
    }
}

impl Server {
    /// Starts one in `folder`, with accounts.
    pub fn start(kind: Kind, folder: &Path, count: usize) -> Server {
        eprintln!("starting {} with {count} accounts", kind.name());
        let accounts = peer::accounts(count);
        let running = match kind {
            Kind::Tartan => return Server::tartan(folder, accounts),
            Kind::DovecotMaildir => Running::Dovecot(Dovecot::start(folder, Store::Maildir, &accounts)),
            Kind::DovecotMdbox => Running::Dovecot(Dovecot::start(folder, Store::Mdbox, &accounts)),
            Kind::Cyrus => Running::Cyrus(Cyrus::start(folder, &accounts)),
            Kind::Postfix => {
                Running::Postfix(Settings::default().domain(peer::DOMAIN, Next::Discard).start(folder))
            }
        };
        Server { kind, accounts, tree: running.tree(), running }
    }

    fn tartan(folder: &Path, accounts: Vec<Account>) -> Server {
        let trial = Trial::start(folder);
        trial.tartan(&["domain", "add", peer::DOMAIN]);
        // Each is a hash that is meant to be expensive.
        let (one, other) = accounts.split_at(accounts.len() / 2);
        std::thread::scope(|scope| {
            for (number, half) in [one, other].into_iter().enumerate() {
                let file = folder.join(format!("password-{number}"));
                let trial = &trial;
                scope.spawn(move || half.iter().for_each(|account| add(trial, account, &file)));
            }
        });
        let login = |account: Account| Account { login: account.address.clone(), ..account };
        let accounts = accounts.into_iter().map(login).collect();
        let running = Running::Tartan(trial);
        Server { kind: Kind::Tartan, accounts, tree: running.tree(), running }
    }

    /// Where it speaks `wire`.
    pub fn address(&self, wire: Wire) -> SocketAddr {
        match (&self.running, wire) {
            (Running::Tartan(trial), Wire::Lmtp) => listener(trial, "lmtp"),
            (Running::Tartan(trial), Wire::Append) => listener(trial, "imaps"),
            (Running::Tartan(trial), Wire::Smtp) => listener(trial, "mx"),
            (Running::Dovecot(dovecot), Wire::Append) => dovecot.imap,
            (Running::Dovecot(dovecot), _) => dovecot.lmtp,
            (Running::Cyrus(cyrus), Wire::Append) => cyrus.imap,
            (Running::Cyrus(cyrus), _) => cyrus.lmtp,
            (Running::Postfix(postfix), _) => postfix.smtp,
        }
    }

    /// How IMAP is encrypted: Tartan takes no password without TLS.
    pub fn tls(&self) -> Option<Arc<ClientConfig>> {
        match &self.running {
            Running::Tartan(trial) => Some(line::tls(&trial.contract.certificate)),
            _ => None,
        }
    }
}

impl Running {
    fn tree(&self) -> Tree {
        match self {
            Running::Tartan(trial) => Tree::of(trial.pid()),
            Running::Dovecot(dovecot) => dovecot.tree(),
            Running::Cyrus(cyrus) => cyrus.tree(),
            Running::Postfix(postfix) => postfix.tree(),
        }
    }
}

fn add(trial: &Trial, account: &Account, file: &Path) {
    fs::write(file, &account.password).expect("a file for a password");
    let file = file.to_str().expect("the folder's path is UTF-8");
    trial.tartan(&["account", "add", &account.address, "--password-file", file]);
}

fn listener(trial: &Trial, name: &str) -> SocketAddr {
    trial.address(name).parse().expect("it listens on an address of loopback")
}

/// Servers run as users of their own.
pub fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("the folder is ours");
}
