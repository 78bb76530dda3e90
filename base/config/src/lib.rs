//! The configuration: one TOML file, each option defined once.
//!
//! [`table`] holds the options, each with its doc, type, default and whether a reload applies it.
//! From that one table come the typed [`Config`], the checker that reports every error at once with
//! its line ([`check`]), the reference ([`reference`]), the file that a trial writes
//! ([`Config::to_toml`]) and the differences that a reload finds ([`Config::changes`]).
//!
//! It refuses to guess: an unknown key, a wrong type or a unit it does not know is an error, and an
//! option has one spelling. It opens no file and touches nothing but the text it is given.

mod change;
mod define;
mod error;
mod read;
mod reference;
mod rules;
pub mod table;
mod value;

pub use change::Change;
pub use define::{OptionInfo, Reload, SectionInfo};
pub use error::{ConfigError, ConfigErrors};
pub use read::{check, check_by, system};
pub use reference::reference;
pub use table::{Config, System};
pub use value::{
    AddressRange, ByteSize, DomainName, HostPort, ImapQuirk, LmtpEndpoint, LogStyle, Role, Value,
};
