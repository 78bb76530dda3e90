//! What a trial keeps beside its state: `trial.json`, the accounts and their passwords.

use crate::error::CliError;
use crate::password;
use crate::paths::file_write;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The people of a new trial.
const NAMES: [&str; 2] = ["alice", "bob"];
const ADMIN: &str = "admin";

/// An account as the contract shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub login: String,
    pub password: String,
    pub address: String,
}

/// The administrator as the contract shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    pub login: String,
    pub password: String,
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The version of this file's form.
    version: u32,
    pub accounts: Vec<Account>,
    pub admin: Admin,
    /// Whether all accounts have been made. What an operator changes later stays changed.
    pub made: bool,
}

const VERSION: u32 = 1;

impl Kept {
    /// Reads the file, or chooses new passwords and writes it.
    pub fn load_or_make(data: &Path, domain: &str) -> Result<Self, CliError> {
        let path = path(data);
        match std::fs::read_to_string(&path) {
            Ok(text) => parse(&path, &text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let kept = Self::new(domain)?;
                kept.save(data)?;
                Ok(kept)
            }
            Err(error) => Err(CliError::file(&path)(error)),
        }
    }

    fn new(domain: &str) -> Result<Self, CliError> {
        let account = |name: &&str| {
            let login = format!("{name}@{domain}");
            Ok(Account { address: login.clone(), login, password: password::generate()? })
        };
        let accounts = NAMES.iter().map(account).collect::<Result<_, CliError>>()?;
        let admin = Admin { login: format!("{ADMIN}@{domain}"), password: password::generate()? };
        Ok(Self { version: VERSION, accounts, admin, made: false })
    }

    /// Writes the file, readable by its owner alone.
    pub fn save(&self, data: &Path) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).map_err(CliError::failed)?;
        file_write(&path(data), &format!("{text}\n"))
    }
}

fn parse(path: &Path, text: &str) -> Result<Kept, CliError> {
    let kept: Kept = serde_json::from_str(text)
        .map_err(|error| CliError::Failed(format!("{}: {error}", path.display())))?;
    match kept.version {
        VERSION => Ok(kept),
        other => Err(CliError::Failed(format!("{}: version {other} is not known here", path.display()))),
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("trial.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn passwords_are_made_once_and_are_their_owners_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Kept::load_or_make(dir.path(), "trial.test").expect("made");
        assert_eq!(Kept::load_or_make(dir.path(), "other.test").expect("read"), first);
        let mode = std::fs::metadata(path(dir.path())).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(first.accounts[0].password, first.accounts[1].password);
    }

    #[test]
    fn a_file_of_a_later_version_is_refused_and_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = Kept { version: 2, ..Kept::new("trial.test").expect("made") };
        kept.save(dir.path()).expect("written");
        let error = Kept::load_or_make(dir.path(), "trial.test").expect_err("refused").to_string();
        assert!(error.contains("version 2"), "{error}");
    }
}
