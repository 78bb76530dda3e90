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
use crate::system::{Activation, System, certificate_files};
use ::config::Config;
use contract::Contract;
use kept::Kept;
use std::path::{Path, PathBuf};

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
    let notes = if is_new { Vec::new() } else { notes(args, &config) };

    let system = System::start(config.clone(), &file, Activation::default()).await?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    first::accounts_make(&system.admin(), &data, &mut kept).await?;
    let contract = Contract::new(&config, &kept, certificate(&config)?, file);
    printer.print(&contract, |contract| greeting::text(contract, &notes))?;
    system.run().await
}

/// The certificate that clients have to trust: the default one.
fn certificate(config: &Config) -> Result<PathBuf, CliError> {
    let files = certificate_files(config, &DataPaths::new(&config.system.data))?;
    Ok(files.into_iter().next().map(|files| files.chain).unwrap_or_default())
}

/// What the user asks for and does not get, because the trial goes on with what is there.
fn notes(args: &TrialArgs, config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let has_port = |base: u16| config.mx.listen.iter().any(|address| address.port() == base);
    if args.port_base.is_some_and(|base| !has_port(base)) {
        notes.push("it was started here before and keeps its ports: --port-base is for a new one".to_owned());
    }
    let domain = &config.system.domain.0;
    if args.domain.as_ref().is_some_and(|wanted| wanted != domain) {
        notes.push(format!("it was started here before and keeps its domain, {domain}"));
    }
    notes
}

/// A path for a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
