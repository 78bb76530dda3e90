//! `tartan trial`: a whole system to try, in one process on 127.0.0.1.
//!
//! The first start makes, in the data directory: `tartan.toml`, a real configuration that `tartan
//! serve --config` takes too; a self-signed certificate; and `trial.json`, the accounts with their
//! passwords. Every later start reads them and changes nothing.
//!
//! What `--json` prints is a contract with other programs' test suites: see [`contract`].

mod contract;
mod first;
mod greeting;
mod kept;
mod ports;

use crate::cli::TrialArgs;
use crate::error::CliError;
use crate::paths::{DataPaths, config_load, directory_create};
use crate::print::Printer;
use crate::system::{System, certificate_files};
use contract::Contract;
use kept::Kept;
use std::path::Path;

/// Runs a trial until it is told to stop.
pub async fn run(args: &TrialArgs, printer: &Printer) -> Result<(), CliError> {
    directory_create(&args.data)?;
    let data = args.data.canonicalize().map_err(CliError::file(&args.data))?;
    let file = data.join("tartan.toml");
    let is_new = !file.exists();
    if is_new {
        first::config_write(args, &file)?;
    }
    let config = config_load(&file)?;
    let mut kept = Kept::load_or_make(&data, &config.system.domain.0)?;
    let certificates = certificate_files(&config, &DataPaths::new(&data))?;
    let certificate = certificates.first().map(|files| files.chain.clone()).unwrap_or_default();

    let notes = notes(args, is_new, &config.system.domain.0);
    let contract = |kept: &Kept| Contract::new(&config, kept, certificate, file.clone(), data.clone());
    let system = System::start(config.clone(), &file).await?;
    first::accounts_make(&system.admin(), &data, &mut kept).await?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    let contract = contract(&kept);
    printer.print(&contract, |contract| greeting::text(contract, &notes))?;
    system.run().await
}

/// What the user asked for and does not get, because the trial goes on with what is there.
fn notes(args: &TrialArgs, is_new: bool, domain: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if !is_new && args.port_base.is_some() {
        notes
            .push("It was started here before and keeps its ports; --port-base is for a new one.".to_owned());
    }
    if !is_new && args.domain != domain {
        notes.push(format!("It was started here before and keeps its domain, {domain}."));
    }
    notes
}

/// A path for a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
