//! The mechanisms and their names.

use std::fmt;
use std::str::FromStr;

use crate::SaslError;

/// A SASL mechanism that the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// PLAIN (RFC 4616).
    Plain,
    /// LOGIN, never standardised, wanted by old clients.
    Login,
    /// EXTERNAL (RFC 4422 appendix A).
    External,
}

impl Mechanism {
    /// The name under which the mechanism is registered.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::External => "EXTERNAL",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mechanism {
    type Err = SaslError;

    fn from_str(name: &str) -> Result<Self, SaslError> {
        let known = [Self::ScramSha256, Self::Plain, Self::Login, Self::External];
        let found = known.into_iter().find(|known| known.name().eq_ignore_ascii_case(name));
        found.ok_or(SaslError::UnknownMechanism)
    }
}
