//! The commands that look at or change a system.
//!
//! They talk to the owner of the state over its admin socket. Where no owner runs, they open what they
//! need themselves, do the same, and close it.

mod account;
mod address;
pub mod config;
mod domain;
mod owner;
mod spool;

use crate::cli::Command;
use crate::error::CliError;
use crate::print::Printer;
use owner::{Needs, Owner};
use std::path::Path;

/// Runs a command that is about a system.
pub async fn run(command: Command, config: &Path, printer: &Printer) -> Result<(), CliError> {
    let config = crate::paths::config_load(config)?;
    let owner = Owner::reach(&config, needs(&command)).await?;
    let done = dispatch(command, &config, &owner, printer).await;
    owner.close();
    done
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
    config: &::config::Config,
    owner: &Owner,
    printer: &Printer,
) -> Result<(), CliError> {
    let (client, default_domain) = (owner.client(), config.system.domain.0.as_str());
    match command {
        Command::Domain(command) => domain::run(command, client, printer).await,
        Command::Account(command) => account::run(command, default_domain, client, printer).await,
        Command::Address(command) => address::run(command, default_domain, client, printer).await,
        Command::Spool(command) => spool::run(command, client, printer).await,
        Command::Trace { message } => spool::trace(&message, client, printer).await,
        Command::Status => owner::status(client, printer).await,
        Command::Reload => owner::reload(client, printer).await,
        Command::Serve | Command::Trial(_) | Command::Roles | Command::Config(_) => {
            Err(CliError::Usage("this command is not about a running system".to_owned()))
        }
    }
}
