//! The durable state that the roles of this process need.

use super::supervise::Tasks;
use super::{has, settings};
use crate::error::CliError;
use crate::notify;
use crate::paths::{DataPaths, directory_create};
use address::Domain;
use admin::{AdminHandles, Process};
use config::{Config, Role};
use directory::{Embedded, PasswordSettings};
use disk::{Disk, RealDisk};
use journal::SequencerError;
use mailstore::Mailstore;
use spool::Spool;
use std::sync::Arc;
use telemetry::Readiness;

/// What is open.
pub struct Stores {
    pub disk: Arc<dyn Disk>,
    pub directory: Embedded,
    pub spool: Option<Spool>,
    pub mailstore: Option<Mailstore>,
}

impl Stores {
    /// Opens what the roles need, each as the last process left it.
    pub async fn open(config: &Config, paths: &DataPaths) -> Result<Self, CliError> {
        incoming_prepare(paths)?;
        let directory = directory_open(config, paths).await?;
        directory.compaction_start(settings::compaction(config)).map_err(CliError::failed)?;
        let (spool, mailstore) = mail_open(config, paths).await?;
        Ok(Self { disk: Arc::new(RealDisk), directory, spool, mailstore })
    }

    /// What the admin API acts on.
    pub fn handles(&self, process: Arc<dyn Process>) -> AdminHandles {
        AdminHandles {
            directory: Some(self.directory.clone()),
            spool: self.spool.clone(),
            mailstore: self.mailstore.clone(),
            process: Some(process),
            backups: admin::Backups::default(),
        }
    }

    /// Has the process end when a store fails, so that it is read anew at the next start. A store with damaged state stays
    /// as it is, to be read: a start would not help, and the process is not ready until an operator has decided.
    pub fn watch(&self, tasks: &mut Tasks, readiness: &Readiness) {
        let directory = self.directory.clone();
        let mut watch = Watch { tasks, readiness };
        watch.store("directory", async move { Ended::from(directory.ended().await) });
        if let Some(spool) = self.spool.clone() {
            watch.store("spool", async move {
                let error = spool.ended().await;
                Ended { is_damage: error.is_damage(), why: error.to_string() }
            });
        }
        if let Some(mailstore) = self.mailstore.clone() {
            watch.store("mailstore", async move { Ended::from(mailstore.ended().await) });
        }
    }

    /// Closes everything: what waits is answered first.
    pub async fn stop(self) -> Result<(), CliError> {
        blocking(move || {
            let spool = self.spool.map_or(Ok(()), |spool| spool.stop().map_err(CliError::failed));
            let mailstore = self.mailstore.map_or(Ok(()), |store| store.stop().map_err(CliError::failed));
            let directory = self.directory.stop().map_err(CliError::failed);
            spool.and(mailstore).and(directory)
        })
        .await
    }
}

/// Why a store takes nothing any more.
struct Ended {
    is_damage: bool,
    why: String,
}

impl From<SequencerError> for Ended {
    fn from(error: SequencerError) -> Self {
        Self { is_damage: error.is_damage(), why: error.to_string() }
    }
}

/// Watches stores.
struct Watch<'a> {
    tasks: &'a mut Tasks,
    readiness: &'a Readiness,
}

impl Watch<'_> {
    fn store(&mut self, name: &'static str, ended: impl Future<Output = Ended> + Send + 'static) {
        let (shutdown, readiness) = (self.tasks.shutdown(), self.readiness.clone());
        self.tasks.spawn_fallible(name, async move {
            let Ended { is_damage, why } = tokio::select! {
                () = shutdown.asked() => return Ok(()),
                ended = ended => ended,
            };
            readiness.role(name).failed(why.clone());
            if !is_damage {
                return Err(why);
            }
            tracing::error!(store = name, why, "read-only until an operator has decided");
            notify::status(&readiness.report());
            shutdown.asked().await;
            Ok(())
        });
    }
}

/// Opening and closing read and write files: not for a thread of the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(CliError::failed)?
}

/// Messages that a crash cut off on their way in were never acknowledged.
fn incoming_prepare(paths: &DataPaths) -> Result<(), CliError> {
    let incoming = paths.incoming();
    directory_create(&incoming)?;
    disk::temporary_sweep(&RealDisk, &incoming).map(drop).map_err(CliError::file(&incoming))
}

/// Opens the directory.
pub async fn directory_open(config: &Config, paths: &DataPaths) -> Result<Embedded, CliError> {
    let dir = paths.directory();
    let domain = Domain::parse(&config.system.domain.0)
        .map_err(|error| CliError::Usage(format!("system.domain: {error}")))?;
    blocking(move || {
        directory_create(&dir)?;
        Embedded::open(Arc::new(RealDisk), &dir, domain, PasswordSettings::default())
            .map_err(|error| CliError::Failed(format!("{}: {error}", dir.display())))
    })
    .await
}

/// Opens what the configuration's roles need of queue and mailboxes.
pub async fn mail_open(
    config: &Config,
    paths: &DataPaths,
) -> Result<(Option<Spool>, Option<Mailstore>), CliError> {
    let spool = if needs_spool(config) { Some(spool_open(config, paths).await?) } else { None };
    let mailstore = if needs_mailstore(config) { Some(mailstore_open(config, paths).await?) } else { None };
    Ok((spool, mailstore))
}

/// Whether a role of the configuration has the queue.
pub fn needs_spool(config: &Config) -> bool {
    [Role::Mx, Role::Submission, Role::Relay].iter().any(|role| has(config, *role))
}

/// Whether a role of the configuration has mailboxes.
pub fn needs_mailstore(config: &Config) -> bool {
    [Role::Lmtpd, Role::Imapd].iter().any(|role| has(config, *role))
}

/// Opens the queue.
pub async fn spool_open(config: &Config, paths: &DataPaths) -> Result<Spool, CliError> {
    let settings = settings::spool(config, paths);
    blocking(move || {
        let dir = settings.dir.clone();
        directory_create(&dir)?;
        Spool::open(settings, Arc::new(RealDisk))
            .map_err(|error| CliError::Failed(format!("{}: {error}", dir.display())))
    })
    .await
}

async fn mailstore_open(config: &Config, paths: &DataPaths) -> Result<Mailstore, CliError> {
    let settings = settings::mailstore(config, paths);
    blocking(move || {
        let dir = settings.dir.clone();
        directory_create(&dir)?;
        Mailstore::open(settings, Arc::new(RealDisk))
            .map_err(|error| CliError::Failed(format!("{}: {error}", dir.display())))
    })
    .await
}
