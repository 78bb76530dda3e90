//! `tartan check`: by the running system, or on its stores where none runs.

use super::owner::{Owner, refused};
use crate::error::CliError;
use crate::paths::{DataPaths, config_load};
use crate::print::{Printer, progress};
use crate::system::{directory_open, mailstore_settings, needs_mailstore, needs_spool, spool_settings};
use admin::StoreCheck;
use config::Config;
use disk::RealDisk;
use mailstore::CheckOptions;
use spool::Spool;
use std::path::Path;
use std::sync::Arc;

pub async fn run(file: &Path, repair: bool, printer: &Printer) -> Result<(), CliError> {
    let config = config_load(file)?;
    let checks = match Owner::running(&config.system.data).await {
        Some(_) if repair => {
            let reason = "a system runs: views are made again only while nobody uses them, so stop it first";
            return Err(CliError::Failed(reason.to_owned()));
        }
        Some(owner) => {
            progress("checking, by the system that runs");
            owner.client().check().await.map_err(refused)?
        }
        None => check_stopped(&config, repair).await?,
    };
    printer.print(&checks, |checks| checks.iter().map(shown).collect())?;
    let wrong: Vec<_> = checks.iter().filter(|check| !check.is_sound()).map(|check| &*check.store).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(CliError::Failed(format!("not as it should be: {}", wrong.join(", ")))),
    }
}

/// One store after the other; one that cannot be opened is a finding, and the next one's turn comes.
async fn check_stopped(config: &Config, repair: bool) -> Result<Vec<StoreCheck>, CliError> {
    let paths = DataPaths::new(&config.system.data);
    let mut checks = vec![StoreCheck::directory(directory_check(config, &paths).await)];
    if needs_spool(config) {
        progress("checking the spool");
        let settings = spool_settings(config, &paths);
        checks.push(
            blocking(move || StoreCheck::spool(Spool::check_dir(settings, Arc::new(RealDisk), repair)))
                .await?,
        );
    }
    if needs_mailstore(config) {
        progress("checking the mail store");
        let settings = mailstore_settings(config, &paths);
        let options = CheckOptions { rendered: true, ..CheckOptions::default() };
        let check = move || mailstore::check_directory(settings, Arc::new(RealDisk), &options, repair);
        checks.push(blocking(move || StoreCheck::mailstore(check())).await?);
    }
    Ok(checks)
}

async fn directory_check(config: &Config, paths: &DataPaths) -> Result<directory::CheckReport, CliError> {
    progress("checking the directory");
    let directory = directory_open(config, paths).await?;
    blocking(move || {
        let checked = directory.check().map_err(CliError::failed);
        directory.stop().map_err(CliError::failed).and(checked)
    })
    .await?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(CliError::failed)
}

fn shown(check: &StoreCheck) -> String {
    let StoreCheck { store, checked, findings, repaired } = check;
    let lines: String = findings.iter().map(|finding| format!("{store}: {finding}\n")).collect();
    let outcome = match (findings.len(), repaired) {
        (0, _) => "all is well".to_owned(),
        (found, true) => format!("{found} things were wrong; the view was made again and is sound"),
        (found, false) => format!("{found} things are wrong"),
    };
    format!("{lines}{store}: {checked} checked: {outcome}\n")
}
