//! Looking at a journal's files from outside: what is not as it was written, what there is, and what can be saved.
//!
//! [`verify`] and [`stat`] change nothing and take no lock, so that they may run beside the owner. [`salvage`] reads a
//! journal that nobody owns, and writes another.

mod headless;
mod salvage;
mod stat;
mod verify;

pub use salvage::{Lost, SalvageReport, salvage};
pub use stat::{SegmentStat, StatReport, Tally, stat};
pub(crate) use verify::damage;
pub use verify::{VerifyReport, verify};
