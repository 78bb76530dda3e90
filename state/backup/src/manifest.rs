//! The list of files that is a generation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The format that is written, and the newest that is read.
pub(crate) const FORMAT: u32 = 1;

/// A generation: what was there at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// When it was taken, to the second. It is the generation's name.
    pub time: Timestamp,
    /// The host that it was taken of.
    pub hostname: String,
    /// The files, in the order in which they were copied.
    pub files: Vec<FileEntry>,
}

/// A file of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it was, from the data directory on, with `/` in between: `mailstore/journal/00000000000000000001.seg`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its bytes, in hexadecimal.
    pub blake3: String,
    /// Whether it never changes: if the source still has it, it is not read again.
    pub sealed: bool,
}

/// Characters of the hash in the name of a pool's file.
const HASH_CHARACTERS: usize = 16;

impl Manifest {
    /// The name by which it is asked for.
    pub fn name(&self) -> String {
        self.time.to_string()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// The stores that it has files of, each once, in order.
    pub fn stores(&self) -> Vec<&str> {
        let mut stores: Vec<&str> = self.files.iter().map(FileEntry::store).collect();
        stores.dedup();
        stores
    }

    /// Reads one back. The error is in words.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT {
            return Err(format!("format {} is not one that this version reads", manifest.format));
        }
        match manifest.files.iter().find(|file| !file.is_fit()) {
            Some(file) => Err(format!("\"{}\" names no file below the data directory", file.path)),
            None => Ok(manifest),
        }
    }
}

impl FileEntry {
    /// The first part of the path.
    pub fn store(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Its name in the pool, from the pool's folder on.
    pub(crate) fn pooled(&self) -> String {
        format!("{}.{}", self.path, self.blake3.get(..HASH_CHARACTERS).unwrap_or_default())
    }

    /// Whether path and hash can be used as names: the list may be of another's making.
    fn is_fit(&self) -> bool {
        let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        let is_hash = self.blake3.len() == 64 && self.blake3.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash && self.path.split('/').all(is_part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(path: &str, format: u32) -> Vec<u8> {
        let file = FileEntry { path: path.to_owned(), bytes: 1, blake3: "0".repeat(64), sealed: true };
        let time = Timestamp::UNIX_EPOCH;
        let manifest = Manifest { format, time, hostname: "mail.example".to_owned(), files: vec![file] };
        serde_json::to_vec(&manifest).unwrap()
    }

    #[test]
    fn a_list_leads_nowhere_outside() {
        assert!(Manifest::decode(&manifest("spool/journal/1.seg", FORMAT)).is_ok());
        for path in ["../etc/passwd", "/etc/passwd", "spool/../../x", "", "spool//x", "spool/\0"] {
            assert!(Manifest::decode(&manifest(path, FORMAT)).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_in_words() {
        let error = Manifest::decode(&manifest("spool/x", FORMAT + 1)).unwrap_err();
        assert!(error.contains("format 2"), "{error}");
    }
}
