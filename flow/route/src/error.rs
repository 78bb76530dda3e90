//! Why an address has no route.

use address::Address;
use directory::DirectoryError;
use telemetry::Fault;
use thiserror::Error;

/// Why an address has no route.
#[derive(Debug, Clone, Error)]
pub enum RouteError {
    /// Its domain is ours, and there is no such address (550 5.1.1).
    #[error("no such address: {0}")]
    Unknown(Address),
    /// The directory cannot say now.
    #[error("the directory cannot say where {address} goes: {error}")]
    Directory {
        /// The address asked for.
        address: Address,
        /// What the directory says.
        error: Box<DirectoryError>,
    },
    /// It is an alias of nothing but itself.
    #[error("the alias {0} leads back to itself")]
    Loop(Address),
    /// Aliases of aliases, more than `limits::ALIAS_DEPTH_MAX` levels of them.
    #[error("the alias {0} has too many levels")]
    TooDeep(Address),
    /// More than `limits::ALIAS_RECIPIENTS_MAX` recipients.
    #[error("the alias {0} has too many recipients")]
    TooMany(Address),
}

impl RouteError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unknown(_) => Fault::Policy,
            Self::Directory { error, .. } => error.fault(),
            Self::Loop(_) | Self::TooDeep(_) | Self::TooMany(_) => Fault::Local,
        }
    }

    /// The answer is not known now; another attempt may find it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }
}
