//! The source files of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

/// A file that the checks read.
pub struct Source {
    /// Path below the workspace's root.
    pub path: PathBuf,
    /// Its whole text.
    pub text: String,
}

/// All files below the layers' folders whose name ends in `.extension`, in order.
pub fn files(root: &Path, extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for layer in ["base", "mail", "proto", "state", "flow", "serve", "bin", "dev"] {
        collect(root, &root.join(layer), extension, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, folder: &Path, extension: &str, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && entry.file_name() != "target" {
            collect(root, &path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension)
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root).expect("it was found below the root").to_owned();
            found.push(Source { path, text });
        }
    }
}
