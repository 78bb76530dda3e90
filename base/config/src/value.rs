//! The types that an option can have: how each is read, what it is called, how it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// A value in the file, with its place.
pub type Found<'a> = Spanned<DeValue<'a>>;

/// Something wrong with a value, and its place in bytes.
#[derive(Debug)]
pub struct Mistake {
    /// Where.
    pub span: Range<usize>,
    /// What.
    pub message: String,
}

/// A type of option.
pub trait Value: Sized + PartialEq {
    /// What it is called in the reference and in errors, with its units.
    fn what() -> String;

    /// Reads it from the file.
    ///
    /// # Errors
    /// Every mistake in it (a list may hold several).
    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>>;

    /// Writes it as TOML; [`Value::read`] gives it back.
    fn show(&self) -> String;
}

fn mistake<T>(found: &Found<'_>, message: String) -> Result<T, Vec<Mistake>> {
    Err(vec![Mistake { span: found.span(), message }])
}

fn wrong_type<T: Value>(found: &Found<'_>) -> Result<T, Vec<Mistake>> {
    mistake(found, format!("expected {}, found {}", T::what(), found.get_ref().type_str()))
}

/// Reads a string by `parse`, which gives the reason where it does not fit.
fn from_text<T: Value>(
    found: &Found<'_>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Vec<Mistake>> {
    match found.get_ref().as_str() {
        Some(text) => parse(text).or_else(|reason| mistake(found, reason)),
        None => wrong_type(found),
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value for bool {
    fn what() -> String {
        "true or false".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        found.get_ref().as_bool().map_or_else(|| wrong_type(found), Ok)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for NonZeroU32 {
    fn what() -> String {
        "a whole number from 1 on".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        let Some(number) = found.get_ref().as_integer() else { return wrong_type(found) };
        let number = u32::from_str_radix(number.as_str(), number.radix()).ok().and_then(Self::new);
        number.map_or_else(|| mistake(found, format!("not a whole number from 1 to {}", Self::MAX)), Ok)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A limit that need not be.
impl Value for Option<NonZeroU32> {
    fn what() -> String {
        "a whole number from 1 on, or \"any\"".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        match found.get_ref().as_str() {
            Some("any") => Ok(None),
            Some(text) => mistake(found, format!("{text:?} is neither a whole number nor \"any\"")),
            None => NonZeroU32::read(found).map(Some),
        }
    }

    fn show(&self) -> String {
        self.map_or_else(|| quoted("any"), |number| number.to_string())
    }
}

impl Value for u16 {
    fn what() -> String {
        "a port number".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        let Some(number) = found.get_ref().as_integer() else { return wrong_type(found) };
        match Self::from_str_radix(number.as_str(), number.radix()) {
            Ok(port) if port > 0 => Ok(port),
            _ => mistake(found, format!("{number} is not a port, from 1 to {}", Self::MAX)),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    fn what() -> String {
        "a text".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| Ok(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Value for PathBuf {
    fn what() -> String {
        "a path".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| match text {
            "" => Err("a path cannot be empty".to_owned()),
            path => Ok(Self::from(path)),
        })
    }

    fn show(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Value for SocketAddr {
    fn what() -> String {
        "an address with port".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| {
            text.parse().map_err(|_| {
                format!("{text:?} is not an address with port: write \"192.0.2.1:25\" or \"[::]:25\"")
            })
        })
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl<T: Value> Value for Vec<T> {
    fn what() -> String {
        format!("a list, each {}", T::what())
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        let Some(list) = found.get_ref().as_array() else { return wrong_type(found) };
        gather(list.iter().map(T::read))
    }

    fn show(&self) -> String {
        let shown: Vec<String> = self.iter().map(T::show).collect();
        format!("[{}]", shown.join(", "))
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn what() -> String {
        format!("a table from name to {}", T::what())
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        let Some(table) = found.get_ref().as_table() else { return wrong_type(found) };
        let rows = table.iter();
        gather(rows.map(|(name, value)| Ok((name.get_ref().clone().into_owned(), T::read(value)?))))
    }

    fn show(&self) -> String {
        let shown: Vec<String> =
            self.iter().map(|(name, value)| format!("{} = {}", quoted(name), value.show())).collect();
        if shown.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", shown.join(", ")) }
    }
}

/// All values, or all mistakes.
fn gather<T, C: FromIterator<T>>(
    reads: impl Iterator<Item = Result<T, Vec<Mistake>>>,
) -> Result<C, Vec<Mistake>> {
    let (mut values, mut mistakes) = (Vec::new(), Vec::new());
    for read in reads {
        match read {
            Ok(value) => values.push(value),
            Err(more) => mistakes.extend(more),
        }
    }
    if mistakes.is_empty() { Ok(values.into_iter().collect()) } else { Err(mistakes) }
}

/// Splits `20 MiB` into number and unit.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// Finds `unit` in `units` and multiplies. Nothing that has a unit may be zero.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor).filter(|amount| *amount > 0)
}

/// The largest unit that divides `amount`.
fn shown_in(amount: u64, units: &[(&str, u64)]) -> (u64, String) {
    let fits = |(_, factor): &&(&str, u64)| amount != 0 && amount.is_multiple_of(*factor);
    let (unit, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    (amount / factor, (*unit).to_owned())
}

const SIZE_UNITS: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIME_UNITS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// The bytes, on this machine's word.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Value for ByteSize {
    fn what() -> String {
        "a size in B, KiB, MiB or GiB".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| {
            scaled(text, SIZE_UNITS).map(Self).ok_or_else(|| {
                format!(
                    "{text:?} is not a size: write a whole number from 1 on and B, KiB, MiB or GiB, as in \"20 MiB\""
                )
            })
        })
    }

    fn show(&self) -> String {
        let (number, unit) = shown_in(self.0, SIZE_UNITS);
        format!("\"{number} {unit}\"")
    }
}

impl Value for Duration {
    fn what() -> String {
        "a time in ms, s, m, h or d".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| {
            scaled(text, TIME_UNITS).map(Self::from_millis).ok_or_else(|| {
                format!("{text:?} is not a time: write a whole number from 1 on and ms, s, m, h or d, as in \"5d\"")
            })
        })
    }

    fn show(&self) -> String {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let (number, unit) = shown_in(millis, TIME_UNITS);
        format!("\"{number}{unit}\"")
    }
}

/// A host or domain name: labels of letters (of any script), digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomainName(pub String);

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || c == '-';
    !label.is_empty() && label.len() <= 63 && label.chars().all(is_inner) && !label.starts_with('-')
}

/// Whether the text is a host or domain name.
pub(crate) fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

impl Value for DomainName {
    fn what() -> String {
        "a host or domain name".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| match is_domain(text) {
            true => Ok(Self(text.to_lowercase())),
            false => Err(format!("{text:?} is not a host or domain name")),
        })
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// A host by name or address, with a port where it is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl HostPort {
    fn parse(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().ok()?),
            None if rest.is_empty() => None,
            None => return None,
        };
        let is_host = host.parse::<IpAddr>().is_ok() || is_domain(host);
        is_host.then(|| Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Value for HostPort {
    fn what() -> String {
        "a host, with :port where it is not the usual one".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| {
            Self::parse(text).ok_or_else(|| {
                format!("{text:?} is not a host: write \"mail.example.org\" or \"192.0.2.1:2525\"")
            })
        })
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

/// The addresses that share the first `prefix` bits of `address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// One of them.
    pub address: IpAddr,
    /// Bits that count: 32 or 128 for the address alone.
    pub prefix: u8,
}

impl AddressRange {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(one, other)| (one, Some(other)));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok())?;
        (prefix <= bits).then_some(Self { address, prefix })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Value for AddressRange {
    fn what() -> String {
        "an address or address/prefix".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        from_text(found, |text| {
            Self::parse(text)
                .ok_or_else(|| format!("{text:?} is not a range: write \"192.0.2.1\" or \"192.0.2.0/24\""))
        })
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

/// Where mail for local mailboxes is handed in by LMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LmtpEndpoint {
    /// To the lmtpd of the same process, over an in-memory pipe.
    Pipe,
    /// To a host, by its address.
    Address(SocketAddr),
}

impl Value for LmtpEndpoint {
    fn what() -> String {
        "\"pipe\" or an address with port".to_owned()
    }

    fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
        match found.get_ref().as_str() {
            None => wrong_type(found),
            Some("pipe") => Ok(Self::Pipe),
            Some(_) => SocketAddr::read(found).map(Self::Address),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Pipe => quoted("pipe"),
            Self::Address(address) => address.show(),
        }
    }
}

/// Declares an enum whose variants are written as words.
macro_rules! words {
    ($(#[$attr:meta])* $Name:ident { $($(#[$vattr:meta])* $Variant:ident = $word:literal),* $(,)? }) => {
        $(#[$attr])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Name { $($(#[$vattr])* $Variant),* }

        impl $Name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Variant),*];

            /// The word in the file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $word),* }
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Value for $Name {
            fn what() -> String {
                let words: Vec<String> = Self::ALL.iter().map(|one| format!("\"{one}\"")).collect();
                format!("one of {}", words.join(", "))
            }

            fn read(found: &Found<'_>) -> Result<Self, Vec<Mistake>> {
                from_text(found, |text| {
                    let named = Self::ALL.iter().copied().find(|one| one.as_str() == text);
                    named.ok_or_else(|| format!("{text:?} is not {}", Self::what()))
                })
            }

            fn show(&self) -> String {
                quoted(self.as_str())
            }
        }
    };
}

words! {
    /// A part of the system that a process can run.
    Role {
        /// Takes mail from other hosts by SMTP.
        Mx = "mx",
        /// Takes mail from users by SMTP with a login.
        Submission = "submission",
        /// Sends on what the spool holds.
        Relay = "relay",
        /// Takes mail for mailboxes by LMTP.
        Lmtpd = "lmtpd",
        /// Serves mailboxes by IMAP.
        Imapd = "imapd",
    }
}

words! {
    /// What IMAP does otherwise for clients with bugs or habits of their own; docs/imap.md tells which and why.
    ImapQuirk {
        /// Those that are known of a client, once it has said by ID who it is.
        ByClient = "by-client",
        /// New messages and expunges are told in answer to NOOP, CHECK, EXPUNGE, MOVE and IDLE only.
        DelayNewMail = "delay-new-mail",
        /// One separator at the end of a mailbox name is passed over.
        ExtraSeparator = "extra-separator",
        /// LSUB says `\Noselect` of names that cannot be selected.
        LsubNoselect = "lsub-noselect",
        /// LSUB tells special uses.
        LsubSpecialUse = "lsub-special-use",
        /// The words of a text in SEARCH may be apart from each other.
        SearchWords = "search-words",
    }
}

words! {
    /// How a log line is written.
    LogStyle {
        /// A readable line.
        Text = "text",
        /// A JSON object.
        Json = "json",
    }
}
