//! A whole small internet on loopback: mail servers that do what a test wants, name servers, and a spool.

pub mod directory;
pub mod dns;
pub mod server;
pub mod system;
