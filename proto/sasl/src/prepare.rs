//! SASLprep (RFC 4013) of names and passwords.

use std::fmt;

use crate::SaslError;

/// A password as a client gave it. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a password; the empty one and those over `limits::PASSWORD_BYTES_MAX` are refused.
    pub fn new(text: &str) -> Result<Self, SaslError> {
        match text.len() {
            0 => Err(SaslError::Malformed),
            1..=limits::PASSWORD_BYTES_MAX => Ok(Self(text.to_owned())),
            _ => Err(SaslError::TooLong),
        }
    }

    /// The password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The form that is hashed (RFC 4013). Characters that it forbids are refused.
    pub fn prepare(&self) -> Result<PreparedPassword, SaslError> {
        let prepared = stringprep::saslprep(&self.0).map_err(|_| SaslError::Malformed)?;
        if prepared.is_empty() {
            Err(SaslError::Malformed)
        } else {
            Ok(PreparedPassword(prepared.into_owned()))
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// A password in the form that is hashed. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PreparedPassword(String);

impl PreparedPassword {
    /// The bytes that are hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for PreparedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreparedPassword(hidden)")
    }
}

/// A login or authorisation name: UTF-8, no control characters, not too long. Case is the directory's matter.
pub(crate) fn name(bytes: &[u8]) -> Result<String, SaslError> {
    if bytes.len() > limits::LOGIN_BYTES_MAX {
        return Err(SaslError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SaslError::Malformed)?;
    let prepared = stringprep::saslprep(text).map_err(|_| SaslError::Malformed)?;
    if prepared.chars().any(char::is_control) {
        return Err(SaslError::Malformed);
    }
    Ok(prepared.into_owned())
}

/// A password: UTF-8.
pub(crate) fn password(bytes: &[u8]) -> Result<Password, SaslError> {
    Password::new(std::str::from_utf8(bytes).map_err(|_| SaslError::Malformed)?)
}
