//! The commands that look at or change a system.
//!
//! They talk to the owner of the state over its admin socket. Where no owner runs, they open what they
//! need themselves, do the same, and close it.

mod account;
mod address;
pub mod backup;
pub mod check;
pub mod config;
mod domain;
pub mod journal;
mod owner;
pub mod restore_backup;
mod spool;

use crate::cli::Command;
use crate::error::CliError;
use crate::paths::{config_load, system_load};
use crate::print::Printer;
use ::address::Domain;
use ::config::ConfigErrors;
use owner::{Needs, Owner};
use std::path::Path;

/// Runs a command that is about a system.
pub async fn run(command: Command, file: &Path, printer: &Printer) -> Result<(), CliError> {
    let (owner, default_domain) = match config_load(file) {
        Ok(config) => (Owner::reach(&config, needs(&command)).await?, config.system.domain.0),
        Err(CliError::Config(errors)) => running(file, errors).await?,
        Err(error) => return Err(error),
    };
    let done = dispatch(command, &default_domain, &owner, printer).await;
    owner.close();
    done
}

/// The domains of the system that runs, or of the stopped one.
pub async fn domains(file: &Path) -> Result<Vec<Domain>, CliError> {
    let owner = Owner::reach(&config_load(file)?, Needs::Directory).await?;
    let entries = owner.client().domain_list().await.map_err(owner::refused);
    owner.close();
    Ok(entries?.into_iter().map(|entry| entry.domain).collect())
}

/// A mistake in the file is no reason not to talk to the system that runs by what the file was.
async fn running(file: &Path, errors: ConfigErrors) -> Result<(Owner, String), CliError> {
    let Some(system) = system_load(file) else { return Err(errors.into()) };
    let owner = Owner::running(&system.data).await.ok_or(errors)?;
    Ok((owner, system.domain.0))
}

fn needs(command: &Command) -> Needs {
    match command {
        Command::Domain(_) | Command::Account(_) | Command::Address(_) => Needs::Directory,
        Command::Spool(_) => Needs::Spool,
        Command::Trace { .. } => Needs::Mail,
        _ => Needs::Process,
    }
}

async fn dispatch(
    command: Command,
    default_domain: &str,
    owner: &Owner,
    printer: &Printer,
) -> Result<(), CliError> {
    let client = owner.client();
    match command {
        Command::Domain(command) => domain::run(command, client, printer).await,
        Command::Account(command) => account::run(command, default_domain, client, printer).await,
        Command::Address(command) => address::run(command, default_domain, client, printer).await,
        Command::Spool(command) => spool::run(command, client, printer).await,
        Command::Trace { message } => spool::trace(&message, client, printer).await,
        Command::Status => owner::status(client, printer).await,
        Command::Reload => owner::reload(client, printer).await,
        _ => Err(CliError::Usage("this command is not about a running system".to_owned())),
    }
}
