//! The grammar of a command line: RFC 5321 4.1 and its extensions; LMTP's LHLO from RFC 2033 4.1.
//!
//! A line is given without its CRLF. What is wrong with it comes back as the reply that says so: 500 for a verb
//! that is not known, 501 for arguments that break the grammar, 555 for a parameter that is not known.

use address::{ForwardPath, MailParams, Notify, Orcpt, ReversePath, split_path};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::xclient::Xclient;
use crate::{Flavour, Refusal, params, xclient};

/// A command whose syntax is sound. Whether it is in sequence is for the machine to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// HELO, EHLO or LHLO.
    Hello(Hello),
    /// STARTTLS, RFC 3207.
    StartTls,
    /// AUTH, RFC 4954.
    Auth(Auth),
    /// MAIL.
    Mail(Mail),
    /// RCPT.
    Rcpt(Rcpt),
    /// DATA.
    Data,
    /// BDAT, RFC 3030.
    Bdat(Chunk),
    /// A BDAT whose size cannot be read, so that nobody knows where the next command starts.
    BdatUnreadable,
    /// XCLIENT, of Postfix.
    Xclient(Box<Xclient>),
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// EXPN.
    Expn,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
}

/// Which greeting a client used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloVerb {
    /// HELO: no extensions.
    Helo,
    /// EHLO.
    Ehlo,
    /// LHLO: the EHLO of LMTP.
    Lhlo,
}

/// A client's greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The verb.
    pub verb: HelloVerb,
    /// The name that the client gives itself: a domain, an address literal, or what is printable of anything else.
    /// Never trusted, only recorded.
    pub name: String,
}

/// The arguments of AUTH.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// The mechanism, in upper case.
    pub mechanism: String,
    /// The initial response, decoded.
    pub initial: Option<Vec<u8>>,
}

/// A response may hold a password, so it is not shown.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// The arguments of MAIL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Where reports go.
    pub reverse_path: ReversePath,
    /// The parameters.
    pub params: MailParams,
}

/// The arguments of RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rcpt {
    /// Where the message goes.
    pub forward_path: ForwardPath,
    /// Whether the path came in ASCII, so that it needs no SMTPUTF8.
    pub is_ascii: bool,
    /// When the sender wants a report.
    pub notify: Notify,
    /// The address that the sender used first.
    pub orcpt: Option<Orcpt>,
}

/// The arguments of BDAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes that follow the command line.
    pub bytes: u64,
    /// Whether the message ends with this chunk.
    pub last: bool,
}

impl Command {
    /// Whether it brings no message any further.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Hello(_) | Self::Xclient(_) | Self::Rset | Self::Noop | Self::Vrfy | Self::Help)
    }

    /// Reads a command line without its CRLF.
    // RFC 5321 2.4: verbs in any case; 4.1.1: trailing white space is tolerated.
    pub fn parse(line: &[u8], flavour: Flavour) -> Result<Command, Refusal> {
        let Ok(text) = std::str::from_utf8(line) else {
            return if is_bdat(line) { Ok(Command::BdatUnreadable) } else { Err(malformed("Not UTF-8")) };
        };
        let line = text.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start();
        match (verb.to_ascii_uppercase().as_str(), flavour) {
            ("HELO", Flavour::Smtp | Flavour::Submission) => hello(HelloVerb::Helo, rest),
            ("EHLO", Flavour::Smtp | Flavour::Submission) => hello(HelloVerb::Ehlo, rest),
            ("LHLO", Flavour::Lmtp) => hello(HelloVerb::Lhlo, rest),
            ("STARTTLS", _) => bare(Command::StartTls, rest),
            ("AUTH", _) => auth(rest),
            ("MAIL", _) => mail(rest),
            ("RCPT", _) => rcpt(rest),
            ("DATA", _) => bare(Command::Data, rest),
            ("BDAT", _) => Ok(bdat(rest)),
            ("XCLIENT", _) => xclient::read(rest).map(|xclient| Command::Xclient(Box::new(xclient))),
            ("RSET", _) => bare(Command::Rset, rest),
            ("NOOP", _) => Ok(Command::Noop),
            ("VRFY", _) => named(Command::Vrfy, rest),
            ("EXPN", _) => named(Command::Expn, rest),
            ("HELP", _) => Ok(Command::Help),
            ("QUIT", _) => bare(Command::Quit, rest),
            _ if is_bdat(line.as_bytes()) => Ok(Command::BdatUnreadable),
            _ => Err(Refusal::new(500, (5, 5, 1), "Command not recognized")),
        }
    }
}

/// Whether a line that is broken somewhere announces a chunk: what follows it could then be content, and to take
/// that for commands would let a message give them.
pub(crate) fn is_bdat(line: &[u8]) -> bool {
    let is_verb = line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
    is_verb && !line.get(4).is_some_and(u8::is_ascii_alphanumeric)
}

fn malformed(text: &str) -> Refusal {
    Refusal::new(501, (5, 5, 2), text)
}

fn bad_arguments(text: &str) -> Refusal {
    Refusal::new(501, (5, 5, 4), text)
}

/// A command that takes no argument.
fn bare(command: Command, rest: &str) -> Result<Command, Refusal> {
    if rest.is_empty() { Ok(command) } else { Err(bad_arguments("No argument allowed")) }
}

/// A command that takes a string.
fn named(command: Command, rest: &str) -> Result<Command, Refusal> {
    if rest.is_empty() { Err(bad_arguments("Argument missing")) } else { Ok(command) }
}

// ehlo = "EHLO" SP ( Domain / address-literal ) CRLF; helo = "HELO" SP Domain CRLF (RFC 5321 4.1.1.1).
// RFC 5321 4.1.4 lets no server refuse a message for what stands here, and much else does: anything that can be
// printed is taken.
fn hello(verb: HelloVerb, rest: &str) -> Result<Command, Refusal> {
    match client_name(rest) {
        Some(name) => Ok(Command::Hello(Hello { verb, name })),
        None => Err(bad_arguments("A domain or an address literal is needed")),
    }
}

/// The argument as it may stand in a `Received` field: a name or a literal as it is, of anything else the letters,
/// digits, dots, hyphens and underscores, with a `?` for each other character.
pub(crate) fn client_name(argument: &str) -> Option<String> {
    if argument.is_empty() || argument.chars().any(char::is_control) {
        return None;
    }
    let name = argument.strip_suffix('.').unwrap_or(argument);
    if is_client_name(name) {
        return Some(name.to_owned());
    }
    let shown = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '?' };
    Some(argument.chars().take(CLIENT_NAME_BYTES_MAX).map(shown).collect())
}

/// Bytes of a domain name, RFC 5321 4.5.3.1.2.
const CLIENT_NAME_BYTES_MAX: usize = 255;

/// Letters, digits, hyphens and the underscores that hosts have in practice, in labels; or `[literal]`.
fn is_client_name(name: &str) -> bool {
    let length_ok = (1..=CLIENT_NAME_BYTES_MAX).contains(&name.len());
    match name.strip_prefix('[') {
        Some(literal) => length_ok && literal.strip_suffix(']').is_some_and(is_literal_content),
        None => length_ok && name.split('.').all(is_label),
    }
}

fn is_label(label: &str) -> bool {
    let bytes_ok = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    bytes_ok && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}

// General-address-literal = Standardized-tag ":" 1*dcontent; dcontent = %d33-90 / %d94-126 (RFC 5321 4.1.3)
fn is_literal_content(content: &str) -> bool {
    let ip = || match content.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")) {
        Some(_) => content[5..].parse::<std::net::Ipv6Addr>().is_ok(),
        None => content.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    let general = |(tag, rest): (&str, &str)| {
        !tag.eq_ignore_ascii_case("IPv6")
            && is_label(tag)
            && !rest.is_empty()
            && rest.bytes().all(|b| matches!(b, 33..=90 | 94..=126))
    };
    ip() || content.split_once(':').is_some_and(general)
}

// "AUTH" SP mechanism [ SP initial-response ]; initial-response = base64 / "=" (RFC 4954 4)
fn auth(rest: &str) -> Result<Command, Refusal> {
    let mut words = rest.split_ascii_whitespace();
    let mechanism = words.next().ok_or_else(|| bad_arguments("A mechanism is needed"))?.to_ascii_uppercase();
    let initial = words.next().map(initial_response).transpose()?;
    match words.next() {
        None => Ok(Command::Auth(Auth { mechanism, initial })),
        Some(_) => Err(bad_arguments("Too many arguments")),
    }
}

fn initial_response(word: &str) -> Result<Vec<u8>, Refusal> {
    if word == "=" { Ok(vec![]) } else { auth_response(word.as_bytes()) }
}

/// A line of an AUTH exchange, decoded.
pub(crate) fn auth_response(line: &[u8]) -> Result<Vec<u8>, Refusal> {
    BASE64.decode(line).map_err(|_| malformed("Cannot decode base64"))
}

/// `bytes` as a line of an AUTH exchange.
pub(crate) fn auth_challenge(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

// mail = "MAIL FROM:" Reverse-path [ SP Mail-parameters ] CRLF (RFC 5321 4.1.1.2)
fn mail(rest: &str) -> Result<Command, Refusal> {
    let (path, parameters) = path_and_parameters(rest, "FROM:")?;
    let reverse_path = ReversePath::parse(path).map_err(|e| bad_path(e, "sender"))?;
    let params = params::mail(parameters)?;
    if !path.is_ascii() && !params.smtputf8 {
        return Err(Refusal::new(553, (5, 6, 7), "SMTPUTF8 is needed for that sender address"));
    }
    Ok(Command::Mail(Mail { reverse_path, params }))
}

// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [ SP Rcpt-parameters ] CRLF
// (RFC 5321 4.1.1.3)
fn rcpt(rest: &str) -> Result<Command, Refusal> {
    let (path, parameters) = path_and_parameters(rest, "TO:")?;
    let forward_path = ForwardPath::parse(path).map_err(|e| bad_path(e, "recipient"))?;
    let (notify, orcpt) = params::rcpt(parameters)?;
    Ok(Command::Rcpt(Rcpt { forward_path, is_ascii: path.is_ascii(), notify, orcpt }))
}

/// Splits `FROM:<path> parameters`. White space behind the colon is no grammar, but common and harmless.
fn path_and_parameters<'a>(rest: &'a str, keyword: &str) -> Result<(&'a str, &'a str), Refusal> {
    let start = rest.get(..keyword.len()).filter(|start| start.eq_ignore_ascii_case(keyword));
    let after = start.map(|_| rest[keyword.len()..].trim_start());
    let split = after.and_then(split_path).filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '));
    split.ok_or_else(|| bad_arguments(&format!("Syntax: {keyword}<address>")))
}

/// RFC 3463 3.2: X.1.3 for a bad recipient address, X.1.7 for a bad sender address.
fn bad_path(error: address::AddressError, whose: &str) -> Refusal {
    let detail = if whose == "sender" { 7 } else { 3 };
    Refusal::new(501, (5, 1, detail), format!("Bad {whose} address: {error}"))
}

// bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF; end-marker = "LAST" (RFC 3030 2)
fn bdat(rest: &str) -> Command {
    let mut words = rest.split_ascii_whitespace();
    let size = words.next().filter(|w| w.bytes().all(|b| b.is_ascii_digit())).and_then(|w| w.parse().ok());
    let last = words.next().map(|word| word.eq_ignore_ascii_case("LAST"));
    match (size, last, words.next()) {
        (Some(bytes), None, None) => Command::Bdat(Chunk { bytes, last: false }),
        (Some(bytes), Some(true), None) => Command::Bdat(Chunk { bytes, last: true }),
        _ => Command::BdatUnreadable,
    }
}
