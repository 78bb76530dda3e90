//! The envelope: who a message is from, who it is for, and what the sender asked for.

use std::fmt;

use compact_str::CompactString;

use crate::{Address, AddressError, Orcpt, ReversePath, xtext};

/// A message's envelope. It has a compact binary form: [`Envelope::encode`], [`Envelope::decode`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Envelope {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// Who it is for, at most `limits::SMTP_RECIPIENTS_MAX`.
    pub recipients: Vec<Recipient>,
    /// The parameters of MAIL.
    pub params: MailParams,
}

/// One recipient with the parameters of its RCPT.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Recipient {
    /// Where the message goes.
    pub address: Address,
    /// When the sender wants a report.
    pub notify: Notify,
    /// The address that the sender used first.
    pub orcpt: Option<Orcpt>,
}

impl Recipient {
    /// A recipient without parameters.
    pub fn new(address: Address) -> Self {
        Self { address, notify: Notify::default(), orcpt: None }
    }
}

/// The parameters of MAIL.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MailParams {
    /// What a failure report gives back (RFC 3461 4.3).
    pub ret: Option<Ret>,
    /// The sender's name for the transaction (RFC 3461 4.4).
    pub envid: Option<Envid>,
    /// The message needs SMTPUTF8 (RFC 6531 3.4).
    pub smtputf8: bool,
    /// What the body is made of (RFC 6152 3, RFC 3030 3).
    pub body: BodyKind,
    /// Who submitted the message, as far as the sender vouches for it (RFC 4954 5).
    pub auth: Option<AuthParam>,
    /// The size that was announced, in bytes (RFC 1870 3).
    pub size: Option<u64>,
}

/// RET: what a failure report gives back (RFC 3461 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Ret {
    /// The whole message.
    Full,
    /// The headers.
    Headers,
}

/// BODY: what the body is made of (RFC 6152 3, RFC 3030 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum BodyKind {
    /// ASCII in lines.
    #[default]
    SevenBit,
    /// Any octets but NUL, in lines.
    EightBitMime,
    /// Any octets (needs CHUNKING).
    BinaryMime,
}

/// ENVID, kept decoded; `Display` gives the wire form (RFC 3461 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Envid(CompactString);

/// AUTH on MAIL (RFC 4954 5); `Display` gives the wire form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum AuthParam {
    /// `<>`: the submitter is not known, or not vouched for.
    Unknown,
    /// The submitter's mailbox, decoded.
    Mailbox(CompactString),
}

/// NOTIFY: when the sender wants a report about a recipient (RFC 3461 4.1).
///
/// The default is that no NOTIFY was given: failures are reported, and delays where the local policy says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Notify(u8);

const NEVER: u8 = 1;
const SUCCESS: u8 = 2;
const FAILURE: u8 = 4;
const DELAY: u8 = 8;

impl Notify {
    /// NOTIFY=NEVER.
    pub const NEVER: Notify = Notify(NEVER);

    /// A NOTIFY with any of its three conditions; none of them is the same as no NOTIFY.
    pub fn when(success: bool, failure: bool, delay: bool) -> Self {
        let bit = |set, bit| if set { bit } else { 0 };
        Self(bit(success, SUCCESS) | bit(failure, FAILURE) | bit(delay, DELAY))
    }

    /// Reads `NEVER` or a list of `SUCCESS`, `FAILURE`, `DELAY`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let bits = text.split(',').map(condition);
        bits.reduce(|all, bit| Ok(all? | bit?)).unwrap_or(Err(AddressError::Parameter)).map(Self)
    }

    /// True when RCPT had a NOTIFY.
    pub fn is_given(self) -> bool {
        self.0 != 0
    }

    /// True when a delivery is reported: only where asked for.
    pub fn on_success(self) -> bool {
        self.0 & SUCCESS != 0
    }

    /// True when a failure is reported: where asked for, and by default.
    pub fn on_failure(self) -> bool {
        !self.is_given() || self.0 & FAILURE != 0
    }

    /// True when a delay is reported: where asked for, and by default.
    pub fn on_delay(self) -> bool {
        !self.is_given() || self.0 & DELAY != 0
    }

    /// What is still wanted where the delivery itself need not be reported any more (RFC 3461 5.2.7.3): of SUCCESS alone
    /// nothing is left, and that is NEVER.
    pub fn without_success(self) -> Self {
        if self.0 == SUCCESS { Self::NEVER } else { Self(self.0 & !SUCCESS) }
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// None for bits that no NOTIFY has.
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        (bits == NEVER || bits & !(SUCCESS | FAILURE | DELAY) == 0).then_some(Self(bits))
    }
}

fn condition(text: &str) -> Result<u8, AddressError> {
    match text.to_ascii_uppercase().as_str() {
        "SUCCESS" => Ok(SUCCESS),
        "FAILURE" => Ok(FAILURE),
        "DELAY" => Ok(DELAY),
        _ => Err(AddressError::Parameter),
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("NEVER");
        }
        let names = [(SUCCESS, "SUCCESS"), (FAILURE, "FAILURE"), (DELAY, "DELAY")];
        let given: Vec<&str> =
            names.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| *name).collect();
        f.write_str(&given.join(","))
    }
}

impl Ret {
    /// Reads `FULL` or `HDRS`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.to_ascii_uppercase().as_str() {
            "FULL" => Ok(Self::Full),
            "HDRS" => Ok(Self::Headers),
            _ => Err(AddressError::Parameter),
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

impl BodyKind {
    /// Reads `7BIT`, `8BITMIME` or `BINARYMIME`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.to_ascii_uppercase().as_str() {
            "7BIT" => Ok(Self::SevenBit),
            "8BITMIME" => Ok(Self::EightBitMime),
            "BINARYMIME" => Ok(Self::BinaryMime),
            _ => Err(AddressError::Parameter),
        }
    }
}

impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        })
    }
}

impl Envid {
    /// Reads xtext of at most 100 bytes (RFC 3461 4.4).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::ENVID_BYTES_MAX {
            return Err(AddressError::ParameterTooLong);
        }
        let decoded = xtext::decode(text)?;
        if decoded.is_empty() || !decoded.is_ascii() {
            return Err(AddressError::Parameter);
        }
        Ok(Self(decoded.into()))
    }

    /// The name, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_decoded(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Envid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&xtext::encode(&self.0))
    }
}

impl AuthParam {
    /// Reads `<>` or an xtext mailbox (RFC 4954 5).
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > limits::PATH_BYTES_MAX {
            return Err(AddressError::ParameterTooLong);
        }
        match text {
            "<>" => Ok(Self::Unknown),
            "" => Err(AddressError::Parameter),
            _ => Ok(Self::Mailbox(xtext::decode(text)?.into())),
        }
    }
}

impl fmt::Display for AuthParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("<>"),
            Self::Mailbox(mailbox) => f.write_str(&xtext::encode(mailbox)),
        }
    }
}
