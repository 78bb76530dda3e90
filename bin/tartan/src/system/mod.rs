//! The running system: what is opened, who gets which handle, and how it all starts and stops.

mod activation;
mod listeners;
mod process;
mod roles;
mod settings;
mod stores;
mod supervise;

use crate::error::CliError;
use crate::notify;
use crate::paths::{DataPaths, config_load};
use ::config::{Config, LogStyle, Role};
use admin::{AdminClient, AdminHandles, AdminSocket, Process};
use listeners::Bound;
use net::{CertificateFiles, TlsStore};
use process::RunningProcess;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::sync::Arc;
use stores::Stores;
use supervise::Tasks;
use telemetry::{LogFormat, LogHandle, LogSettings, Readiness};

pub use activation::Activation;
pub use settings::resolver as resolver_settings;
pub use settings::{mailstore as mailstore_settings, spool as spool_settings};
pub use stores::{directory_open, mail_open, needs_mailstore, needs_spool, spool_open};

/// `tartan serve`: runs the system until it is told to stop.
pub async fn serve(file: &Path, activation: Activation) -> Result<(), CliError> {
    served(file, activation).await.inspect_err(|error| notify::status(&error.to_string()))
}

async fn served(file: &Path, activation: Activation) -> Result<(), CliError> {
    let system = System::start(config_load(file)?, file, activation).await?;
    system.run().await
}

/// A system that runs.
pub struct System {
    handles: AdminHandles,
    stores: Stores,
    process: Arc<RunningProcess>,
    tasks: Tasks,
}

impl System {
    /// Opens listeners, then state, then starts each role of `config`, which was read from `file`.
    pub async fn start(config: Config, file: &Path, activation: Activation) -> Result<Self, CliError> {
        let mut tasks = Tasks::new()?;
        let logs = logs_start(&config)?;
        let metrics = telemetry::metrics_init().map_err(CliError::failed)?;
        descriptors_raise();
        let paths = DataPaths::new(&config.system.data);
        paths.create()?;
        not_running(&paths).await?;
        let tls = tls_open(&config, &paths)?;
        let mut bound = Bound::bind(&config, &tls, activation).await?;
        notify::status("reading what the last process left");
        let stores = Stores::open(&config, &paths).await?;

        let readiness = Readiness::new();
        let ready: Vec<_> = config.system.roles.iter().map(|role| readiness.role(role.as_str())).collect();
        let listeners = bound.names();
        let status = bound.metrics_take();
        stores.watch(&mut tasks, &readiness);
        roles::start(&config, &paths, &stores, &tls, bound, &mut tasks)?;
        for listener in status {
            tasks.status(listener, metrics.clone(), readiness.clone());
        }

        let running = RunningProcess::new(config, file, tls, logs, readiness, listeners);
        let process = Arc::new(running);
        let handles = stores.handles(process.clone());
        let socket = AdminSocket::bind(&paths.admin_socket()).map_err(CliError::failed)?;
        tasks.admin(socket, handles.clone());
        ready.iter().for_each(telemetry::RoleReadiness::ready);
        Ok(Self { handles, stores, process, tasks })
    }

    /// A client of this system, within it.
    pub fn admin(&self) -> AdminClient {
        AdminClient::local(self.handles.clone())
    }

    /// Says that all is ready, and runs until a signal or a failure; then stops in good order.
    pub async fn run(self) -> Result<(), CliError> {
        let Self { handles, stores, process, tasks } = self;
        drop(handles);
        let roles = process.status().roles;
        tracing::info!(roles = roles.trim_end().replace('\n', ", "), "ready");
        notify::ready(&roles);
        let ended = tasks.run(&process).await;
        let stopped = stores.stop().await;
        tracing::info!("stopped");
        ended.and(stopped)
    }
}

fn logs_start(config: &Config) -> Result<LogHandle, CliError> {
    let format = match config.log.format {
        LogStyle::Text => LogFormat::Text,
        LogStyle::Json => LogFormat::Json,
    };
    let settings = LogSettings { format, filter: config.log.filter.clone() };
    let handle = telemetry::log_init(&settings).map_err(|error| CliError::Usage(error.to_string()))?;
    std::panic::set_hook(Box::new(|panic| tracing::error!(fault = "bug", "{panic}")));
    Ok(handle)
}

/// Each connection is a descriptor, and so is each open segment: takes as many as the system allows.
fn descriptors_raise() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = before.current, "the limit on open files stays as it is");
    }
}

/// One process owns the data.
async fn not_running(paths: &DataPaths) -> Result<(), CliError> {
    let Ok(other) = AdminClient::connect(&paths.admin_socket()).await else { return Ok(()) };
    let pid = other.status().await.map_or("of another kind".to_owned(), |status| status.pid.to_string());
    let data = paths.root().display();
    Err(CliError::Failed(format!("a system runs on {data} already: process {pid}")))
}

/// The configured certificates, or the self-signed one of the data directory.
fn tls_open(config: &Config, paths: &DataPaths) -> Result<TlsStore, CliError> {
    TlsStore::open(certificate_files(config, paths)?).map_err(CliError::failed)
}

/// What the host itself may call the host.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of each certificate, the default first.
pub fn certificate_files(config: &Config, paths: &DataPaths) -> Result<Vec<CertificateFiles>, CliError> {
    if !config.tls.certificates.is_empty() {
        return Ok(config.tls.certificates.iter().map(|directory| certificate_in(directory)).collect());
    }
    let own = [config.system.hostname.0.as_str(), config.system.domain.0.as_str()];
    let names: Vec<String> = [&own, &LOCAL_NAMES[..]].concat().into_iter().map(str::to_owned).collect();
    let files = CertificateFiles::self_signed(&paths.tls(), &names).map_err(CliError::failed)?;
    Ok(vec![files])
}

/// `certificate.pem` and `key.pem`, or the names that certbot gives.
pub fn certificate_in(directory: &Path) -> CertificateFiles {
    let [chain, key] = ["certificate.pem", "key.pem"].map(|name| directory.join(name));
    if chain.exists() {
        return CertificateFiles { chain, key };
    }
    let certbot = ["fullchain.pem", "privkey.pem"].map(|name| directory.join(name));
    let [chain, key] = if certbot[0].exists() { certbot } else { [chain, key] };
    CertificateFiles { chain, key }
}

/// Whether the process runs `role`.
pub fn has(config: &Config, role: Role) -> bool {
    config.system.roles.contains(&role)
}
