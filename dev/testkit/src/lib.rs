//! What tests of a whole Tartan need: a trial system that can be killed and started again, blocking clients
//! for SMTP, LMTP and IMAP, messages that prove themselves whole, and other servers to compare with.
//!
//! It links nothing of Tartan: it drives the built program through its public interfaces, as an
//! administrator's own test suite would. Failures panic, with what was seen.

pub mod imap;
pub mod line;
pub mod peer;
pub mod process;
pub mod program;
pub mod proof;
pub mod smtp;
pub mod transcript;
pub mod trial;

pub use trial::Trial;
