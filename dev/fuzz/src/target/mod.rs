//! The targets, one file for what belongs together.

pub mod address;
pub mod imap;
pub mod journal;
pub mod mime;
pub mod proxy;
pub mod records;
pub mod report;
pub mod sasl;
pub mod smtp;
pub mod text;
