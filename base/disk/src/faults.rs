//! The fault loop: a scenario, again and again, with its first file operation failing, then its second, and so on.
//!
//! For tests of everything that keeps state. After each run the process or the machine dies, and a check opens what is
//! left: all that was acknowledged must be there.
//!
//! ```
//! use std::{io, path::Path};
//! use disk::{Disk, FaultDisk, OpenMode, faults::{Mishap, fault_loop}};
//!
//! let write = |disk: &FaultDisk| -> io::Result<()> {
//!     let file = disk.open(Path::new("/dir/a"), OpenMode::Create)?;
//!     file.write_at(b"hello", 0)?;
//!     file.sync_data()?;
//!     disk.sync_dir(Path::new("/dir"))
//! };
//! for mishap in Mishap::ALL {
//!     let scenario = |disk: &FaultDisk| {
//!         let done = write(disk);
//!         (done.is_ok(), done)
//!     };
//!     let operations = fault_loop(mishap, |disk| disk.create_dir(Path::new("/dir")).unwrap(), scenario, |after| {
//!         let there = after.disk.open(Path::new("/dir/a"), OpenMode::Read).and_then(|file| file.len());
//!         assert!(!after.acknowledged || there.unwrap() == 5, "{after}");
//!     });
//!     assert_eq!(operations, 4);
//! }
//! ```

use std::fmt::{self, Debug};
use std::io;

use crate::{Crash, FaultDisk};

/// What goes wrong at one operation, and how what follows ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The operation fails with an I/O error and does nothing; later the process dies.
    Fails,
    /// The disk is full from that operation on; later the process dies, and the disk has room again.
    NoSpace,
    /// A write does half of its work and fails; later the process dies.
    ShortWrite,
    /// The operation fails and does nothing; later the power fails, and whatever was not synced is lost.
    LostWrites,
    /// The operation is the last before the power fails: what was not synced is there in part, in any order.
    Torn,
}

impl Mishap {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Fails, Self::NoSpace, Self::ShortWrite, Self::LostWrites, Self::Torn];

    /// Has it happen at the `n`-th operation from now; 1 is the next.
    pub fn arm(self, disk: &FaultDisk, n: u64) {
        match self {
            Self::Fails | Self::LostWrites => disk.fail_nth_clean(n, io::ErrorKind::Other),
            Self::NoSpace => disk.full_from(n),
            Self::ShortWrite => disk.fail_nth(n, io::ErrorKind::Other),
            Self::Torn => disk.die_at(n),
        }
    }

    /// How the run ends.
    pub fn crash(self, seed: u64) -> Crash {
        match self {
            Self::Fails | Self::NoSpace | Self::ShortWrite => Crash::Process,
            Self::LostWrites => Crash::Power,
            Self::Torn => Crash::Torn(seed),
        }
    }
}

/// What a run has left, for the check.
#[derive(Debug)]
pub struct After<'a, T, E> {
    /// The disk, after the crash; nothing on it fails any more.
    pub disk: &'a FaultDisk,
    /// What went wrong.
    pub mishap: Mishap,
    /// At which operation of the scenario; 0 in the last run, which nothing disturbed.
    pub n: u64,
    /// What the scenario said was acknowledged.
    pub acknowledged: T,
    /// How the scenario ended.
    pub ended: Result<(), E>,
}

impl<T, E: Debug> fmt::Display for After<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at operation {}, ended with {:?}", self.mishap, self.n, self.ended)
    }
}

/// Runs `scenario` on a disk made ready by `prepare`, with the mishap at its n-th operation, n = 1, 2, 3 ..., until it
/// has fewer operations; after each, and after that undisturbed run, the crash and `check`. Gives the number of operations
/// of the undisturbed run, so that a test can see that faults reached the work.
///
/// A scenario says what was acknowledged to it and how it ended. Threads that it has started must have ended with it.
pub fn fault_loop<T, E>(
    mishap: Mishap,
    prepare: impl Fn(&FaultDisk),
    scenario: impl Fn(&FaultDisk) -> (T, Result<(), E>),
    check: impl Fn(After<'_, T, E>),
) -> u64 {
    for n in 1.. {
        let disk = FaultDisk::new();
        prepare(&disk);
        let before = disk.operations();
        mishap.arm(&disk, n);
        let (acknowledged, ended) = scenario(&disk);
        let (failed, operations) = (disk.has_failed(), disk.operations() - before);
        disk.heal();
        disk.crash(mishap.crash(n));
        let at = if failed { n } else { 0 };
        check(After { disk: &disk, mishap, n: at, acknowledged, ended });
        if !failed {
            return operations;
        }
    }
    unreachable!("a scenario has an end")
}
