//! What is wrong with a configuration, all at once.

use std::fmt;

/// One mistake and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, counted from 1; none for something that is missing from the whole file.
    pub line: Option<usize>,
    /// What is wrong and, where that is known, what to write instead.
    pub message: String,
}

/// Every mistake of one file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// The file's name for messages.
    pub file: String,
    /// At least one.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    /// `FILE:LINE: message`, one a line, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            match error.line {
                Some(line) => write!(f, "{newline}{}:{line}: {}", self.file, error.message)?,
                None => write!(f, "{newline}{}: {}", self.file, error.message)?,
            }
        }
        Ok(())
    }
}
