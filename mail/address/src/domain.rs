//! Domain names.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

use crate::AddressError;

/// Bytes of one label (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A mail domain in its canonical form: lower case, A-labels, no dot at the end.
///
/// Two spellings of one domain (`Bücher.example`, `xn--bcher-kva.EXAMPLE`) are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(CompactString);

impl Domain {
    /// Reads a domain of ASCII labels or U-labels.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > 4 * limits::DOMAIN_BYTES_MAX {
            return Err(AddressError::DomainTooLong);
        }
        let ascii = ascii_form(text)?;
        check_labels(&ascii)?;
        Ok(Self(CompactString::from(ascii)))
    }

    /// The canonical form: lower case, A-labels. This is what goes on every wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form with U-labels, for people to read (RFC 5890 2.3.2.1).
    pub fn unicode(&self) -> String {
        idna::domain_to_unicode(&self.0).0
    }

    /// True when `self` is `parent` or stands below it.
    pub fn is_within(&self, parent: &Domain) -> bool {
        let rest = self.0.strip_suffix(parent.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Lower case and A-labels; text without non-ASCII characters is not otherwise judged here.
fn ascii_form(text: &str) -> Result<Cow<'_, str>, AddressError> {
    if text.is_ascii() {
        return Ok(Cow::Owned(text.to_ascii_lowercase()));
    }
    idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY).map_err(|_| AddressError::Domain)
}

/// RFC 5321 4.1.2: `Domain = sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]`.
fn check_labels(ascii: &str) -> Result<(), AddressError> {
    if ascii.len() > limits::DOMAIN_BYTES_MAX {
        return Err(AddressError::DomainTooLong);
    }
    ascii.split('.').try_for_each(check_label)
}

/// A label, with one leniency: `_` is taken, because hosts with it in their names do send mail.
fn check_label(label: &str) -> Result<(), AddressError> {
    if label.len() > LABEL_BYTES_MAX {
        return Err(AddressError::DomainTooLong);
    }
    let hyphen_at_end = label.starts_with('-') || label.ends_with('-');
    let sound = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if label.is_empty() || hyphen_at_end || !sound {
        return Err(AddressError::Domain);
    }
    Ok(())
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0.into()
    }
}
