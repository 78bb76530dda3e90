//! The process as operators see it: its status, and its reload.

use super::{certificate_files, needs_mailstore, needs_spool};
use crate::error::CliError;
use crate::notify;
use crate::paths::{DataPaths, config_load};
use admin::{Process, ProcessStatus, ReloadReport, StoreStatus};
use config::{Change, Config, Reload};
use disk::{Disk, RealDisk};
use net::TlsStore;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use telemetry::{LogHandle, Readiness};

/// What the process is, and what a reload can change in it.
pub struct RunningProcess {
    file: PathBuf,
    /// What is in force.
    config: Mutex<Config>,
    tls: TlsStore,
    logs: LogHandle,
    readiness: Readiness,
    listeners: BTreeMap<String, String>,
    started: Instant,
}

impl RunningProcess {
    /// A process that has just started by the configuration that was read from `file`.
    pub fn new(
        config: Config,
        file: &Path,
        tls: TlsStore,
        logs: LogHandle,
        readiness: Readiness,
        listeners: BTreeMap<String, String>,
    ) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        metrics::gauge!("tartan_process_start_seconds").set(since_1970);
        let (file, config) = (file.to_owned(), Mutex::new(config));
        Self { file, config, tls, logs, readiness, listeners, started: Instant::now() }
    }

    /// The stores on their disks. What cannot be read of one is left out.
    fn stores(&self) -> Vec<StoreStatus> {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = DataPaths::new(&config.system.data);
        let queue = needs_spool(&config).then(|| ("spool", paths.spool(), "journal"));
        let mailboxes = needs_mailstore(&config).then(|| ("mailstore", paths.mailstore(), "journal"));
        let stores = [Some(("directory", paths.directory(), "")), queue, mailboxes];
        let space_low = config.journal.space_low.0;
        let status =
            |(store, dir, journal): (_, PathBuf, _)| store_status(store, &dir, journal, space_low).ok();
        stores.into_iter().flatten().filter_map(status).collect()
    }

    fn read_again(&self) -> Result<ReloadReport, CliError> {
        self.apply(&config_load(&self.file)?)
    }

    fn apply(&self, new: &Config) -> Result<ReloadReport, CliError> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = config.changes(new);
        self.tls
            .replace(certificate_files(new, &DataPaths::new(&config.system.data))?)
            .map_err(CliError::failed)?;
        self.logs.filter_change(&new.log.filter).map_err(CliError::failed)?;
        config.tls = new.tls.clone();
        config.log.filter.clone_from(&new.log.filter);
        Ok(report(changes))
    }
}

fn store_status(store: &str, dir: &Path, journal: &str, space_low: u64) -> io::Result<StoreStatus> {
    let mut status = StoreStatus {
        store: store.to_owned(),
        dir: dir.to_owned(),
        free_bytes: RealDisk.space_free(dir)?,
        ..StoreStatus::default()
    };
    for file in std::fs::read_dir(dir.join(journal))? {
        let file = file?;
        match file.path().extension().and_then(OsStr::to_str) {
            Some("seg") => {
                status.segments += 1;
                status.journal_bytes += file.metadata()?.len();
            }
            Some("gap") => status.gaps += 1,
            _ => {}
        }
    }
    // The directory is small, and goes on as long as there is any space.
    status.is_space_low = store != "directory" && status.free_bytes < space_low;
    Ok(status)
}

fn report(changes: Vec<Change>) -> ReloadReport {
    let (live, waits): (Vec<_>, Vec<_>) =
        changes.into_iter().partition(|change| change.reload == Reload::Live);
    let shown = |change: Change| format!("{} = {} (was {})", change.name, change.new, change.old);
    ReloadReport {
        applied: live.into_iter().map(shown).collect(),
        restart: waits.into_iter().map(shown).collect(),
    }
}

fn log(result: &Result<ReloadReport, String>) {
    match result {
        Ok(ReloadReport { applied, restart }) => {
            let (applied, restart) = (applied.join(", "), restart.join(", "));
            match applied.is_empty() {
                true => tracing::info!("certificates read again, no option to apply"),
                false => tracing::info!(applied, "certificates read again, changed options applied"),
            }
            if !restart.is_empty() {
                tracing::warn!(restart, "changed options that wait for a restart");
            }
        }
        Err(error) => tracing::error!(error, "not reloaded, all stays as it was"),
    }
}

impl Process for RunningProcess {
    fn status(&self) -> ProcessStatus {
        ProcessStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            roles: self.readiness.report(),
            listeners: self.listeners.clone(),
            spool: None,
            stores: self.stores(),
        }
    }

    /// By a signal or the admin API: all that comes of it is logged, and told to the service manager.
    fn reload(&self) -> Result<ReloadReport, String> {
        notify::reloading();
        let result = self.read_again().map_err(|error| error.to_string());
        log(&result);
        let refused = result.as_ref().err().map(|error| format!("not reloaded: {error}; "));
        notify::ready(&(refused.unwrap_or_default() + &self.readiness.report()));
        result
    }
}
