//! The files of a package before it is packed.

use super::output;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder as the package will be.
pub struct Tree(PathBuf);

impl Tree {
    /// An empty one.
    pub fn new(root: PathBuf) -> io::Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        fs::create_dir_all(&root)?;
        Ok(Self(root))
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    /// The path of a file, whose folders are made; they can be read by everybody, whatever the umask is.
    pub fn place(&self, file: &str) -> io::Result<PathBuf> {
        let mut folder = self.0.clone();
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        for part in Path::new(file).parent().into_iter().flatten() {
            folder.push(part);
            fs::create_dir_all(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        }
        Ok(self.0.join(file))
    }

    pub fn mode(&self, file: &str, mode: u32) -> io::Result<()> {
        fs::set_permissions(self.0.join(file), Permissions::from_mode(mode))
    }

    pub fn write(&self, file: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        fs::write(self.place(file)?, bytes)?;
        self.mode(file, mode)
    }

    pub fn copy(&self, from: &Path, file: &str, mode: u32) -> io::Result<()> {
        let bytes =
            fs::read(from).map_err(|error| io::Error::other(format!("{}: {error}", from.display())))?;
        self.write(file, &bytes, mode)
    }

    /// Writes text by gzip, without its time, so that the same text gives the same file; `file` ends in `.gz`.
    pub fn compressed(&self, file: &str, text: &str) -> io::Result<()> {
        let plain = file.trim_end_matches(".gz");
        self.write(plain, text.as_bytes(), 0o644)?;
        output(Command::new("gzip").args(["-9n"]).arg(self.0.join(plain))).map(drop)
    }

    /// The checksums of all files but those of `DEBIAN/`, as `md5sum` prints them.
    pub fn checksums(&self) -> io::Result<String> {
        output(Command::new("md5sum").args(self.files()?).current_dir(&self.0))
    }

    /// The size of all files, rounded up one by one, as Debian's policy counts.
    pub fn kibibytes(&self) -> io::Result<u64> {
        let size = |file: &PathBuf| Ok(fs::metadata(self.0.join(file))?.len().div_ceil(1024));
        self.files()?.iter().map(size).sum()
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        walk(&self.0, &mut found)?;
        let inside = |path: &PathBuf| path.strip_prefix(&self.0).map(Path::to_owned).ok();
        let mut files: Vec<PathBuf> = found.iter().filter_map(inside).collect();
        files.retain(|file| !file.starts_with("DEBIAN"));
        files.sort();
        Ok(files)
    }

    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.0)
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
