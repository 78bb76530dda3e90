//! Backups of stores: taken while they serve, each a whole, each costing only what is new, and verifiable without a server.
//!
//! A backup directory holds *generations* and a *pool*. A generation is a list of files as they were at one moment, each with
//! its length and hash. The pool holds the files, once for each content, whatever number of generations name it.
//!
//! ```text
//! LOCK                         held by who writes
//! generations/TIME.json        a generation ([`Manifest`]), written last: a backup that was cut off has none
//! files/STORE/journal/NAME.HASH
//! files/STORE/bodies/NAME.HASH the pool; HASH begins the file's BLAKE3
//! incoming/                    files that are being copied
//! restoring-PID/               a generation laid out to be read, while an account is brought back
//! ```
//!
//! It refuses to know what a file means: which files make a store, up to where, and in what order stores are taken, its
//! callers say ([`Source`]). It refuses to overwrite: a restore wants an empty place.

mod directory;
mod error;
mod generation;
mod manifest;
mod pool;
mod restore;
mod take;
mod verify;

pub use directory::{Backup, SCRATCH};
pub use error::BackupError;
pub use manifest::{FileEntry, Manifest};
pub use restore::Restored;
pub use take::{Source, Taken};
pub use verify::{Finding, VerifyReport};

/// Hears how many bytes of how many are done.
pub type Progress<'a> = &'a dyn Fn(u64, u64);
