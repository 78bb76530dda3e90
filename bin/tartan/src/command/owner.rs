//! The owner of the state: a running system, or this process where none runs.

use crate::error::CliError;
use crate::paths::DataPaths;
use crate::print::Printer;
use crate::roles::user_name;
use crate::system::{directory_open, mail_open, spool_open};
use admin::{AdminClient, AdminError, AdminHandles, ProcessStatus, ReloadReport, StoreStatus};
use config::Config;
use rustix::process::getuid;
use std::io::ErrorKind;
use std::path::Path;

/// What a command cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Directory,
    Spool,
    /// The spool and the mail store, as far as the configuration's roles have them.
    Mail,
    /// The directory too.
    Stores,
    /// A running system.
    Process,
}

/// Whoever answers.
pub struct Owner {
    client: AdminClient,
    /// What this process has opened itself.
    opened: AdminHandles,
}

impl Owner {
    /// Finds the running system, or opens what the command needs where none runs.
    pub async fn reach(config: &Config, needs: Needs) -> Result<Self, CliError> {
        let paths = DataPaths::new(&config.system.data);
        match AdminClient::connect(&paths.admin_socket()).await {
            Ok(client) => Ok(Self { client, opened: AdminHandles::default() }),
            Err(AdminError::Unreachable { source, path }) if is_absent(&source) => {
                if needs == Needs::Process {
                    let path = path.display();
                    return Err(CliError::Unreachable(format!("no system runs: nobody answers at {path}")));
                }
                let opened = open(config, &paths, needs).await?;
                Ok(Self { client: AdminClient::local(opened.clone()), opened })
            }
            Err(error) => Err(CliError::Unreachable(error.to_string())),
        }
    }

    /// The system that runs on `data`, if any.
    pub async fn running(data: &Path) -> Option<Self> {
        let client = AdminClient::connect(&DataPaths::new(data).admin_socket()).await.ok()?;
        Some(Self { client, opened: AdminHandles::default() })
    }

    pub fn client(&self) -> &AdminClient {
        &self.client
    }

    /// Closes what was opened here.
    pub fn close(self) {
        let directory = self.opened.directory.map(|directory| directory.stop().map_err(CliError::failed));
        let spool = self.opened.spool.map(|spool| spool.stop().map_err(CliError::failed));
        let mailstore = self.opened.mailstore.map(|mailstore| mailstore.stop().map_err(CliError::failed));
        for error in [directory, spool, mailstore].into_iter().flatten().filter_map(Result::err) {
            tracing::error!(%error, "closing the state");
        }
    }
}

/// Whether there is no socket, or one that a dead process has left.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

async fn open(config: &Config, paths: &DataPaths, needs: Needs) -> Result<AdminHandles, CliError> {
    paths.create()?;
    not_of_another(paths)?;
    let mut opened = AdminHandles::default();
    match needs {
        Needs::Directory => opened.directory = Some(directory_open(config, paths).await?),
        Needs::Spool => opened.spool = Some(spool_open(config, paths).await?),
        Needs::Mail => (opened.spool, opened.mailstore) = mail_open(config, paths).await?,
        Needs::Stores => {
            opened.directory = Some(directory_open(config, paths).await?);
            (opened.spool, opened.mailstore) = mail_open(config, paths).await?;
        }
        Needs::Process => {}
    }
    Ok(opened)
}

/// What root writes into the data of another user, the system that runs as that user could not open.
pub fn not_of_another(paths: &DataPaths) -> Result<(), CliError> {
    let Some(owner) = paths.owner().filter(|owner| *owner != getuid().as_raw()) else { return Ok(()) };
    let (data, user) = (paths.root().display(), user_name(owner));
    Err(CliError::Usage(format!(
        "{data} belongs to {user}: run this as that user, `runuser -u {user} -- tartan ...`"
    )))
}

/// A refusal is a failure, anything else means that nobody answers.
pub fn refused(error: AdminError) -> CliError {
    match error {
        AdminError::Refused(text) => CliError::Failed(text),
        other => CliError::Unreachable(other.to_string()),
    }
}

/// `tartan status`.
pub async fn status(client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    let status = client.status().await.map_err(refused)?;
    printer.print(&status, status_shown)
}

fn status_shown(status: &ProcessStatus) -> String {
    let mut text = format!(
        "tartan {} runs as process {} for {} seconds\n{}",
        status.version, status.pid, status.uptime_seconds, status.roles
    );
    for (name, address) in &status.listeners {
        text += &format!("{name} listens on {address}\n");
    }
    if let Some(spool) = &status.spool {
        text += &format!(
            "spool: messages {}, bytes {}, held {}; recipients: queued {}, deferred {}, being tried {}\n",
            spool.messages, spool.bytes, spool.held, spool.queued, spool.deferred, spool.claimed
        );
        if spool.held > 0 {
            text += "ALERT: messages are held, `tartan spool list` says why\n";
        }
    }
    text.extend(status.stores.iter().map(store_shown));
    text
}

fn store_shown(status: &StoreStatus) -> String {
    let StoreStatus { store, dir, segments, journal_bytes, gaps, free_bytes, is_space_low } = status;
    let alert = format!("ALERT: little space is left for the {store}: no mail is taken\n");
    let low = if *is_space_low { alert.as_str() } else { "" };
    format!(
        "{store} in {}: journal {journal_bytes} bytes in {segments} segments, {gaps} ranges compacted away; \
         disk {free_bytes} bytes free\n{low}",
        dir.display()
    )
}

/// `tartan reload`.
pub async fn reload(client: &AdminClient, printer: &Printer) -> Result<(), CliError> {
    let report = client.reload().await.map_err(refused)?;
    printer.print(&report, reload_shown)
}

fn reload_shown(report: &ReloadReport) -> String {
    let mut text = "certificates read again\n".to_owned();
    text.extend(report.applied.iter().map(|option| format!("applied: {option}\n")));
    if report.applied.is_empty() && report.restart.is_empty() {
        text += "the configuration has not changed\n";
    }
    text.extend(report.restart.iter().map(|option| format!("needs a restart: {option}\n")));
    text
}
