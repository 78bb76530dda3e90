//! A running `tartan trial`.

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// The first line of `tartan trial --json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Contract {
    /// The trial's mail domain.
    pub domain: String,
    /// Where each role listens.
    pub listeners: BTreeMap<String, Endpoint>,
    /// Two accounts at least.
    pub accounts: Vec<Account>,
    /// The administrator's login.
    pub admin: Admin,
    /// PEM file of the certificate that the listeners show.
    pub certificate: PathBuf,
    /// The configuration file that the trial wrote.
    pub config: PathBuf,
    /// The data directory.
    pub data: PathBuf,
}

/// An address that a role listens on.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoint {
    /// Host to connect to.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// `none`, `starttls` or `implicit`.
    pub tls: String,
}

/// A login of the trial.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// What to log in with.
    pub login: String,
    /// Its password.
    pub password: String,
    /// Its main address.
    pub address: String,
}

/// The trial's administrator.
#[derive(Debug, Clone, Deserialize)]
pub struct Admin {
    /// What to log in with.
    pub login: String,
    /// Its password.
    pub password: String,
}

/// A `tartan trial` process; killed when dropped.
pub struct Trial {
    child: Child,
    port_base: u16,
    data: PathBuf,
    /// What it printed when it was ready.
    pub contract: Contract,
}

impl Trial {
    /// Starts a trial on `data`, on ports that were free a moment ago, and waits until it is ready.
    pub fn start(data: &Path) -> Trial {
        Trial::start_at(data, free_port_base())
    }

    fn start_at(data: &Path, port_base: u16) -> Trial {
        std::fs::create_dir_all(data).expect("the data directory can be made");
        let log = File::options().create(true).append(true).open(log_path(data)).expect("a log file");
        let mut child = Command::new(binary())
            .args(["trial", "--json", "--port-base", &port_base.to_string(), "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("tartan starts: is it built?");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the trial writes a line");
        let contract = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("the trial's first line is {line:?} ({error}); log:\n{}", log_text(data))
        });
        Trial { child, port_base, data: data.to_owned(), contract }
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("the killed process can be waited for");
    }

    /// Asks it to end (SIGTERM); true if it ended with success.
    pub fn terminate(&mut self) -> bool {
        self.signal(Signal::TERM);
        self.child.wait().expect("the process can be waited for").success()
    }

    /// Starts it again on the same data and ports.
    pub fn restart(&mut self) {
        *self = Trial::start_at(&self.data, self.port_base);
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself; the wait that follows tells.
            let _ = kill_process(pid, signal);
        }
    }

    /// `host:port` of the listener `name`.
    pub fn address(&self, name: &str) -> String {
        let endpoint = self.listener(name);
        format!("{}:{}", endpoint.host, endpoint.port)
    }

    /// The listener `name`.
    pub fn listener(&self, name: &str) -> &Endpoint {
        self.contract.listeners.get(name).unwrap_or_else(|| panic!("the trial has no listener {name}"))
    }

    /// Runs the program with `args` against this trial's configuration; its standard output.
    pub fn tartan(&self, args: &[&str]) -> String {
        let output = Command::new(binary())
            .args(args)
            .arg("--config")
            .arg(&self.contract.config)
            .output()
            .expect("tartan starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tartan {args:?}: {}\n{error}", output.status);
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        log_text(&self.data)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.kill();
    }
}

fn log_path(data: &Path) -> PathBuf {
    data.join("trial.log")
}

fn log_text(data: &Path) -> String {
    std::fs::read_to_string(log_path(data)).unwrap_or_default()
}

/// The program beside the running test, in the same target directory; `TARTAN_BINARY` names another.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("TARTAN_BINARY") {
        return named.into();
    }
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.ancestors().find(|folder| folder.join("tartan").is_file());
    profile.unwrap_or_else(|| panic!("tartan is not built: run `cargo build -p tartan`")).join("tartan")
}

/// The first of 40 ports in a row that nothing listens on.
pub fn free_port_base() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() % 280).expect("below 280");
    for _ in 0..280 {
        let slot = (seed + NEXT.fetch_add(7, Ordering::Relaxed)) % 280;
        let base = 20_000 + slot * 40;
        if (base..base + 40).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
    panic!("no 40 free ports in a row");
}
