//! `tartan config`: check a file, print the reference.

use crate::cli::ConfigCommand;
use crate::error::CliError;
use crate::paths::config_check;
use crate::print::Printer;
use config::ConfigErrors;
use serde_json::json;
use std::path::Path;

/// Runs the command; `default` is the file that `--config` names.
pub fn run(command: &ConfigCommand, default: &Path, printer: &Printer) -> Result<(), CliError> {
    match command {
        ConfigCommand::Reference => printer.text(&config::reference()),
        ConfigCommand::Check { file } => check(file.as_deref().unwrap_or(default), printer),
    }
}

fn check(file: &Path, printer: &Printer) -> Result<(), CliError> {
    match config_check(file) {
        Ok(_) => printer.done(&format!("{}: no errors", file.display())),
        Err(CliError::Config(errors)) if printer.is_json() => {
            printer.print(&as_json(&errors), |_| String::new())?;
            Err(errors.into())
        }
        Err(error) => Err(error),
    }
}

fn as_json(errors: &ConfigErrors) -> serde_json::Value {
    let each = |error: &config::ConfigError| json!({"line": error.line, "message": error.message});
    json!({"file": errors.file, "errors": errors.errors.iter().map(each).collect::<Vec<_>>()})
}
