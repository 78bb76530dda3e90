//! Tartan: the command line, and the one place where the roles of a process are put together.
//!
//! Commands are in `command/`, the running system in `system/`, the trial in `trial/`. This crate
//! holds no mail logic: it reads the configuration, opens the state, gives each role the handles that
//! it lists, and sees to their start and stop.

mod bar;
mod cli;
mod command;
mod dns;
mod error;
mod notify;
mod password;
mod paths;
mod print;
mod roles;
mod system;
mod trial;

use clap::{CommandFactory, Parser};
use cli::{Cli, Command};
use error::CliError;
use print::Printer;
use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The lines of a configuration's mistakes begin with file and line, as editors want them.
            let by = if matches!(error, CliError::Config(_)) { "" } else { "tartan: " };
            let _ = writeln!(std::io::stderr(), "{by}{error}");
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let printer = Printer::new(cli.global.json);
    let config = cli.global.config;
    match cli.command {
        Command::Manual { directory } => {
            clap_mangen::generate_to(Cli::command(), &directory).map_err(CliError::file(&directory))
        }
        Command::Config(command) => command::config::run(&command, &config, &printer),
        Command::Roles => {
            let roles = roles::roles(&paths::config_load(&config)?);
            printer.print(&roles, |roles| roles::shown(roles))
        }
        Command::Journal(command) => command::journal::run(&command, &printer),
        Command::Serve => {
            let activation = system::Activation::take()?;
            runtime()?.block_on(system::serve(&config, activation))
        }
        command => runtime()?.block_on(run_async(command, &config, &printer)),
    }
}

async fn run_async(command: Command, config: &std::path::Path, printer: &Printer) -> Result<(), CliError> {
    match command {
        Command::Dns(args) => dns::run(&args, config, printer).await,
        Command::Trial(args) => trial::run(&args, printer).await,
        Command::Backup(args) => command::backup::run(args, config, printer).await,
        Command::RestoreBackup(args) => command::restore_backup::run(args, config, printer).await,
        Command::Check { repair } => command::check::run(config, repair, printer).await,
        other => command::run(other, config, printer).await,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::failed)
}
