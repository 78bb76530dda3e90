//! XCLIENT: a trusted host says whom it speaks for, as Postfix's XCLIENT_README defines it.
//!
//! What a host says here takes the place of what the connection itself shows, so a server offers it to named hosts
//! only, and to nobody unless it is told to.

use std::fmt;
use std::net::IpAddr;

use address::xtext;

use crate::Refusal;
use crate::command::{HelloVerb, client_name};

/// The attributes that are known, as EHLO names them.
pub const ATTRIBUTES: [&str; 8] = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT"];

/// What is said of one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Told<T> {
    /// Nothing: what was known stays, but for a login, which each client has for himself.
    #[default]
    Nothing,
    /// `[UNAVAILABLE]` or `[TEMPUNAVAIL]`: nobody knows.
    Unknown,
    /// This.
    Is(T),
}

impl<T> Told<T> {
    /// Replaces what is known by what was told, if anything was.
    pub fn replace(self, known: &mut Option<T>) {
        match self {
            Self::Nothing => {}
            Self::Unknown => *known = None,
            Self::Is(value) => *known = Some(value),
        }
    }

    /// The value, if one was told.
    pub fn value(&self) -> Option<&T> {
        if let Self::Is(value) = self { Some(value) } else { None }
    }
}

/// The arguments of XCLIENT.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Xclient {
    /// NAME: the client's host name, as its address resolves.
    pub name: Told<String>,
    /// ADDR: the client's address.
    pub address: Told<IpAddr>,
    /// PORT: the client's port.
    pub port: Told<u16>,
    /// PROTO: SMTP or ESMTP.
    pub protocol: Told<HelloVerb>,
    /// HELO: the name that the client gave itself.
    pub helo: Told<String>,
    /// LOGIN: who has signed in.
    pub login: Told<String>,
    /// DESTADDR: the address that the client has connected to.
    pub destination_address: Told<IpAddr>,
    /// DESTPORT: the port that the client has connected to.
    pub destination_port: Told<u16>,
}

/// Reads the arguments of the command.
// xclient-command = XCLIENT 1*( SP attribute-name "=" attribute-value ); attribute-value = xtext
pub(crate) fn read(text: &str) -> Result<Xclient, Refusal> {
    let mut read = Xclient::default();
    for word in text.split_ascii_whitespace() {
        let (name, value) = word.split_once('=').ok_or_else(|| bad("Syntax: XCLIENT NAME=value ..."))?;
        let name = name.to_ascii_uppercase();
        let value = xtext::decode(value).map_err(|_| bad(&format!("{name}: malformed value")))?;
        read.attribute(&name, &value)
            .ok_or_else(|| bad(&format!("{name}: unknown attribute or bad value")))?;
    }
    if read == Xclient::default() { Err(bad("An attribute is needed")) } else { Ok(read) }
}

impl Xclient {
    fn attribute(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "NAME" => self.name = told(value, client_name)?,
            "ADDR" => self.address = told(value, ip)?,
            "PORT" => self.port = told(value, |value| value.parse().ok())?,
            "PROTO" => self.protocol = told(value, protocol)?,
            "HELO" => self.helo = told(value, client_name)?,
            "LOGIN" => self.login = told(value, login)?,
            "DESTADDR" => self.destination_address = told(value, ip)?,
            "DESTPORT" => self.destination_port = told(value, |value| value.parse().ok())?,
            _ => return None,
        }
        Some(())
    }
}

fn told<T>(value: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Told<T>> {
    let unknown = ["[UNAVAILABLE]", "[TEMPUNAVAIL]"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if unknown { Some(Told::Unknown) } else { parse(value).map(Told::Is) }
}

/// An IPv4 address, or an IPv6 address behind `IPV6:`; brackets are for elsewhere.
fn ip(value: &str) -> Option<IpAddr> {
    match value.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPV6:")) {
        Some(_) => value[5..].parse().ok().map(IpAddr::V6),
        None => value.parse().ok().map(IpAddr::V4),
    }
}

fn protocol(value: &str) -> Option<HelloVerb> {
    match value.to_ascii_uppercase().as_str() {
        "SMTP" => Some(HelloVerb::Helo),
        "ESMTP" => Some(HelloVerb::Ehlo),
        _ => None,
    }
}

fn login(value: &str) -> Option<String> {
    let fits = !value.is_empty() && value.len() <= limits::LOGIN_BYTES_MAX;
    fits.then(|| value.to_owned())
}

fn bad(text: &str) -> Refusal {
    Refusal::new(501, (5, 5, 4), text)
}

/// The arguments as they go on the wire, each with a space in front.
impl fmt::Display for Xclient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "NAME", &self.name, Clone::clone)?;
        write(f, "ADDR", &self.address, ip_shown)?;
        write(f, "PORT", &self.port, ToString::to_string)?;
        write(f, "PROTO", &self.protocol, |verb| protocol_shown(*verb).to_owned())?;
        write(f, "HELO", &self.helo, Clone::clone)?;
        write(f, "LOGIN", &self.login, Clone::clone)?;
        write(f, "DESTADDR", &self.destination_address, ip_shown)?;
        write(f, "DESTPORT", &self.destination_port, ToString::to_string)
    }
}

fn write<T>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    told: &Told<T>,
    show: impl Fn(&T) -> String,
) -> fmt::Result {
    match told {
        Told::Nothing => Ok(()),
        Told::Unknown => write!(f, " {name}=[UNAVAILABLE]"),
        Told::Is(value) => write!(f, " {name}={}", xtext::encode(&show(value))),
    }
}

fn ip_shown(ip: &IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("IPV6:{ip}"),
    }
}

fn protocol_shown(verb: HelloVerb) -> &'static str {
    if verb == HelloVerb::Helo { "SMTP" } else { "ESMTP" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_and_written_back() {
        let text = " NAME=spike.example ADDR=192.0.2.9 PORT=4000 PROTO=ESMTP HELO=spike LOGIN=a+2Bb@example.org \
                    DESTADDR=IPV6:2001:db8::1 DESTPORT=25";
        let read = read(text).unwrap();
        assert_eq!(read.login, Told::Is("a+b@example.org".into()));
        assert_eq!(read.to_string(), text);
    }

    #[test]
    fn what_nobody_knows_is_told_apart_from_what_is_not_said() {
        let read = read("NAME=[TEMPUNAVAIL] addr=[unavailable]").unwrap();
        assert_eq!((read.name, read.address, read.helo), (Told::Unknown, Told::Unknown, Told::Nothing));
    }

    #[test]
    fn malformed_attributes_are_refused() {
        for text in [
            "",
            "NAME",
            "NAME=",
            "ADDR=host",
            "ADDR=::1",
            "ADDR=IPV6:192.0.2.1",
            "PORT=65536",
            "PROTO=X",
            "X=y",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
