//! The part of an address in front of the `@`.

use std::fmt::{self, Write as _};

use compact_str::CompactString;

use crate::AddressError;

/// A local part, kept without quotes and in the case in which it came.
///
/// Equality is exact, as RFC 5321 2.4 asks of everybody but the final host; the final host compares
/// [`LocalPart::folded`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(CompactString);

impl LocalPart {
    /// Reads a local part from its wire form, a dot-string or a quoted string (RFC 5321 4.1.2).
    pub fn parse(wire: &str) -> Result<Self, AddressError> {
        if let Some(inner) = wire.strip_prefix('"') {
            return Self::from_content(&unquoted(inner)?);
        }
        if is_dot_string(wire) { Self::from_content(wire) } else { Err(AddressError::LocalPart) }
    }

    /// Takes text that is not quoted; `Display` quotes it where the wire needs that.
    ///
    /// The empty text is allowed: its wire form is `""`.
    pub fn from_content(content: &str) -> Result<Self, AddressError> {
        if content.len() > limits::LOCAL_PART_BYTES_MAX {
            return Err(AddressError::LocalPartTooLong);
        }
        if content.chars().any(char::is_control) {
            return Err(AddressError::LocalPart);
        }
        Ok(Self(content.into()))
    }

    /// The text without quotes.
    pub fn content(&self) -> &str {
        &self.0
    }

    /// The form in which the final host compares local parts: lower case.
    pub fn folded(&self) -> LocalPart {
        Self(self.0.to_lowercase())
    }

    /// True for `postmaster` in any case (RFC 5321 4.5.1).
    pub fn is_postmaster(&self) -> bool {
        self.0.eq_ignore_ascii_case("postmaster")
    }

    /// Splits `base+detail` at the first separator that has something in front of it (RFC 5233 1).
    pub fn split_detail(&self, separator: char) -> (LocalPart, Option<&str>) {
        match self.0.split_once(separator) {
            Some((base, detail)) if !base.is_empty() => (Self(base.into()), Some(detail)),
            _ => (self.clone(), None),
        }
    }
}

/// RFC 5321 4.1.2: `Dot-string = Atom *("." Atom)`.
fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 3.2.3 `atext`, with `UTF8-non-ascii` as RFC 6531 3.3 adds it.
pub(crate) fn is_atext(char: char) -> bool {
    char.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(char)
        || (!char.is_ascii() && !char.is_control())
}

/// The content of a quoted string whose opening quote has been taken off.
///
/// RFC 5321 4.1.2: `QcontentSMTP = qtextSMTP / quoted-pairSMTP`.
fn unquoted(inner: &str) -> Result<String, AddressError> {
    let mut content = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    loop {
        match chars.next() {
            Some('"') if chars.as_str().is_empty() => return Ok(content),
            Some('"') | None => return Err(AddressError::LocalPart),
            Some('\\') => content.push(chars.next().filter(char::is_ascii).ok_or(AddressError::LocalPart)?),
            Some(char) => content.push(char),
        }
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_char('"')?;
        for char in self.0.chars() {
            if matches!(char, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(char)?;
        }
        f.write_char('"')
    }
}
