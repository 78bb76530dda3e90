//! The files of a system: its configuration, and what lies where in its data directory.

use crate::error::CliError;
use crate::system::certificate_in;
use address::Domain;
use config::{Config, System};
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Reads and checks a configuration file. Relative paths in it are taken from its directory.
pub fn config_load(file: &Path) -> Result<Config, CliError> {
    load(file, rules)
}

/// The same, and what it names must be there, too.
pub fn config_check(file: &Path) -> Result<Config, CliError> {
    load(file, |config| [rules(config), certificates_absent(folder(file), config)].concat())
}

/// The section `[system]` of a file that has a mistake elsewhere; none where it has one itself.
pub fn system_load(file: &Path) -> Option<System> {
    let mut system = config::system(&std::fs::read_to_string(file).ok()?)?;
    system.data = absolute(folder(file), &system.data).ok()?;
    Some(system)
}

fn load(file: &Path, rules: impl FnOnce(&Config) -> Vec<Breach>) -> Result<Config, CliError> {
    let text = std::fs::read_to_string(file).map_err(|source| unread(file, source))?;
    let mut config = config::check_by(&file.display().to_string(), &text, rules)?;
    let base = folder(file);
    config.system.data = absolute(base, &config.system.data)?;
    for directory in &mut config.tls.certificates {
        *directory = absolute(base, directory)?;
    }
    Ok(config)
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// `path` from `base`, from the root on and without `.` in between, so that it reads the same everywhere.
fn absolute(base: &Path, path: &Path) -> Result<PathBuf, CliError> {
    let path = base.join(path);
    std::path::absolute(&path).map(|path| path.components().collect()).map_err(CliError::file(&path))
}

/// Section, key, and what is wrong.
type Breach = (&'static str, &'static str, String);

/// Certificates that the user who checks cannot find.
fn certificates_absent(base: &Path, config: &Config) -> Vec<Breach> {
    let directories = config.tls.certificates.iter().map(|directory| base.join(directory));
    let files =
        directories.map(|directory| certificate_in(&directory)).flat_map(|files| [files.chain, files.key]);
    let absent = |path: PathBuf| std::fs::File::open(&path).err().map(|error| (path, error));
    files
        .filter_map(absent)
        .map(|(path, error)| ("tls", "certificates", format!("{}: {error}", path.display())))
        .collect()
}

/// What the crates that use an option know better than the option's type.
fn rules(config: &Config) -> Vec<Breach> {
    let mut broken = Vec::new();
    for (key, name) in [("hostname", &config.system.hostname), ("domain", &config.system.domain)] {
        if let Err(error) = Domain::parse(&name.0) {
            broken.push(("system", key, error.to_string()));
        }
    }
    let kept_max = limits::STORED_MESSAGE_BYTES_MAX - limits::TRACE_BYTES_MAX;
    if config.limits.message_size.0 > kept_max {
        broken.push(("limits", "message_size", format!("the mail store keeps at most {kept_max} bytes")));
    }
    if let Err(error) = telemetry::log_filter_check(&config.log.filter) {
        broken.push(("log", "filter", error.to_string()));
    }
    broken
}

fn unread(file: &Path, source: io::Error) -> CliError {
    if source.kind() == io::ErrorKind::NotFound {
        let file = file.display();
        return CliError::Usage(format!(
            "there is no configuration file {file}\nName one with --config FILE; a trial's is DATA/tartan.toml."
        ));
    }
    CliError::file(file)(source)
}

/// What lies where in the data directory.
#[derive(Clone, Debug)]
pub struct DataPaths(PathBuf);

impl DataPaths {
    pub fn new(data: &Path) -> Self {
        Self(data.to_owned())
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Makes the data directory, for its owner alone.
    pub fn create(&self) -> Result<(), CliError> {
        directory_create(&self.0)
    }

    /// The user to whom the data directory belongs, if there is one.
    pub fn owner(&self) -> Option<u32> {
        std::fs::metadata(&self.0).ok().map(|directory| directory.uid())
    }

    pub fn directory(&self) -> PathBuf {
        self.0.join("directory")
    }

    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    pub fn mailstore(&self) -> PathBuf {
        self.0.join("mailstore")
    }

    /// Messages on their way that are too large for memory.
    pub fn incoming(&self) -> PathBuf {
        self.0.join("incoming")
    }

    /// The self-signed certificate of a system that has no other.
    pub fn tls(&self) -> PathBuf {
        self.0.join("tls")
    }

    pub fn admin_socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}

/// Makes a directory with its parents, for its owner alone.
pub fn directory_create(path: &Path) -> Result<(), CliError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(CliError::file(path))
}

/// Writes a whole file that only its owner can read: synced under another name first, then renamed.
pub fn file_write(path: &Path, text: &str) -> Result<(), CliError> {
    let unfinished = path.with_extension("new");
    let written = (|| {
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    written.map_err(CliError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn relative_paths_are_taken_from_the_directory_of_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("tartan.toml");
        let text = "[system]\nhostname = \"a.test\"\ndomain = \"b.test\"\ndata = \".\"\n\
                    [tls]\ncertificates = [\"tls\", \"/etc/tls\"]\n";
        std::fs::write(&file, text).expect("written");
        let config = config_load(&file).expect("correct");
        assert_eq!(config.system.data.as_os_str(), dir.path().as_os_str());
        assert_eq!(config.tls.certificates, [dir.path().join("tls"), PathBuf::from("/etc/tls")]);
    }

    #[test]
    fn paths_start_at_the_root_and_have_no_dots_in_between() {
        let here = std::env::current_dir().expect("a directory");
        for (base, path) in [("", "."), (".", "./."), ("./x", "./y/.")] {
            let found = absolute(Path::new(base), Path::new(path)).expect("a path");
            assert!(found.starts_with(&here), "{found:?}");
            assert!(!found.display().to_string().contains("/."), "{base} {path}: {found:?}");
        }
    }

    #[test]
    fn a_missing_configuration_is_told_with_what_to_do() {
        let error = config_load(Path::new("/nonexistent/tartan.toml")).expect_err("missing").to_string();
        assert!(error.contains("/nonexistent/tartan.toml") && error.contains("--config FILE"), "{error}");
    }

    #[test]
    fn a_written_file_is_its_owners_alone_and_replaced_as_a_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("kept.json");
        for text in ["a longer text", "short"] {
            file_write(&path, text).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
        }
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("read").count(), 1);
    }
}
