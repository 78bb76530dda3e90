//! The process as operators see it: its status, and its reload.

use super::certificate_files;
use crate::error::CliError;
use crate::notify;
use crate::paths::{DataPaths, config_load};
use admin::{Process, ProcessStatus, ReloadReport};
use config::{Change, Config, Reload};
use net::TlsStore;
use std::collections::BTreeMap;
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
