//! The durable state that the roles of this process need.

use super::{has, settings};
use crate::error::CliError;
use crate::paths::{DataPaths, directory_create};
use address::Domain;
use admin::{AdminHandles, Process};
use config::{Config, Role};
use directory::{Embedded, PasswordSettings};
use disk::{Disk, RealDisk};
use mailstore::Mailstore;
use spool::Spool;
use std::sync::Arc;

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
        let needs_spool = [Role::Mx, Role::Submission, Role::Relay].iter().any(|role| has(config, *role));
        let needs_mailstore = [Role::Lmtpd, Role::Imapd].iter().any(|role| has(config, *role));
        Ok(Self {
            disk: Arc::new(RealDisk),
            directory: directory_open(config, paths).await?,
            spool: if needs_spool { Some(spool_open(config, paths).await?) } else { None },
            mailstore: if needs_mailstore { Some(mailstore_open(config, paths).await?) } else { None },
        })
    }

    /// What the admin API acts on.
    pub fn handles(&self, process: Arc<dyn Process>) -> AdminHandles {
        AdminHandles {
            directory: Some(self.directory.clone()),
            spool: self.spool.clone(),
            mailstore: self.mailstore.clone(),
            process: Some(process),
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
