//! The `Received` field: RFC 5321 4.4, with the protocol names of RFC 3848 and RFC 6531.

use std::fmt::Display;

use address::Envelope;
use jiff::Timestamp;
use net::Peer;
use smtp::command::HelloVerb;

use crate::SessionInfo;

/// The field, folded, with its CRLF.
///
/// `for` stands there only where the message has a single recipient, so that nobody learns of another.
// Stamp = From-domain By-domain Opt-info [CFWS] ";" FWS date-time (RFC 5321 4.4)
pub(crate) fn field(session: &SessionInfo, envelope: &Envelope, id: &dyn Display, at: Timestamp) -> String {
    let from = from_domain(session);
    let tls = session.tls.as_ref().map(|tls| format!("\r\n\t({} {})", tls.version, tls.cipher));
    let with = protocol(session, envelope.params.smtputf8);
    let only = match envelope.recipients.as_slice() {
        [only] => format!("\r\n\tfor <{}>", only.address),
        _ => String::new(),
    };
    format!(
        "Received: from {from}{tls}\r\n\tby {by} with {with} id {id}{only};\r\n\t{date}\r\n",
        tls = tls.unwrap_or_default(),
        by = session.hostname,
        date = date_time(at),
    )
}

/// `date-time` of RFC 5322 3.3, in UTC.
pub fn date_time(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

// Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" ) / ( address-literal FWS "(" TCP-info ")" )
fn from_domain(session: &SessionInfo) -> String {
    let name = session.hello_name();
    // TCP-info = address-literal / ( Domain FWS address-literal )
    let client = session.client_name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
    match &session.peer {
        Peer::Tcp(address) => match address.ip().to_canonical() {
            std::net::IpAddr::V4(ip) => format!("{name} ({client}[{ip}])"),
            std::net::IpAddr::V6(ip) => format!("{name} ({client}[IPv6:{ip}])"),
        },
        Peer::Pipe { .. } => name.to_owned(),
    }
}

/// SMTP, ESMTP or LMTP with S for TLS and A for AUTH (RFC 3848); UTF8SMTP and UTF8LMTP where the message needs
/// SMTPUTF8 (RFC 6531 4.3).
fn protocol(session: &SessionInfo, smtputf8: bool) -> String {
    let base = match (session.hello.as_ref().map(|hello| hello.verb), smtputf8) {
        (Some(HelloVerb::Lhlo), false) => "LMTP",
        (Some(HelloVerb::Lhlo), true) => "UTF8LMTP",
        (Some(HelloVerb::Ehlo), false) => "ESMTP",
        (Some(HelloVerb::Ehlo), true) => "UTF8SMTP",
        _ => return "SMTP".to_owned(),
    };
    let tls = if session.tls.is_some() { "S" } else { "" };
    let auth = if session.account.is_some() { "A" } else { "" };
    format!("{base}{tls}{auth}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use address::{Address, MailParams, Recipient, ReversePath};
    use net::{RoleName, TlsInfo};
    use smtp::command::Hello;
    use telemetry::SessionId;

    fn session(verb: HelloVerb) -> SessionInfo {
        SessionInfo {
            id: SessionId::next(),
            role: "mx",
            hostname: "mx.example.org".into(),
            peer: Peer::Tcp("192.0.2.1:4000".parse().unwrap()),
            client_name: None,
            hello: Some(Hello { verb, name: "client.example".into() }),
            tls: None,
            account: None,
        }
    }

    fn envelope(recipients: &[&str]) -> Envelope {
        let recipients = recipients.iter().map(|r| Recipient::new(Address::parse(r).unwrap())).collect();
        Envelope { reverse_path: ReversePath::Null, recipients, params: MailParams::default() }
    }

    fn at() -> Timestamp {
        "2026-11-24T11:38:27Z".parse().unwrap()
    }

    #[test]
    fn the_field_says_from_by_with_id_for_and_when() {
        let field = field(&session(HelloVerb::Ehlo), &envelope(&["a@example.org"]), &"Q1", at());
        assert_eq!(
            field,
            "Received: from client.example ([192.0.2.1])\r\n\tby mx.example.org with ESMTP id Q1\
             \r\n\tfor <a@example.org>;\r\n\tTue, 24 Nov 2026 11:38:27 +0000\r\n"
        );
    }

    #[test]
    fn no_recipient_learns_of_another() {
        let field =
            field(&session(HelloVerb::Ehlo), &envelope(&["a@example.org", "b@example.org"]), &"Q1", at());
        assert!(!field.contains("example.org>") && field.contains("id Q1;"));
    }

    #[test]
    fn the_protocol_names_tls_auth_and_utf8() {
        let mut session = session(HelloVerb::Ehlo);
        session.tls = Some(TlsInfo { version: "TLS1.3", cipher: "X".into(), sni: None });
        assert_eq!(protocol(&session, false), "ESMTPS");
        session.account = Some(address::AccountName::parse("a@example.org").unwrap());
        assert_eq!(protocol(&session, false), "ESMTPSA");
        assert_eq!(protocol(&session, true), "UTF8SMTPSA");
        session.hello = Some(Hello { verb: HelloVerb::Lhlo, name: "x".into() });
        assert_eq!(protocol(&session, false), "LMTPSA");
        session.hello = Some(Hello { verb: HelloVerb::Helo, name: "x".into() });
        assert_eq!(protocol(&session, false), "SMTP");
    }

    #[test]
    fn ipv6_peers_are_literals_and_pipes_have_no_address() {
        let mut session = session(HelloVerb::Lhlo);
        session.peer = Peer::Tcp("[2001:db8::1]:4000".parse().unwrap());
        assert_eq!(from_domain(&session), "client.example ([IPv6:2001:db8::1])");
        session.client_name = Some("host.example".into());
        assert_eq!(from_domain(&session), "client.example (host.example [IPv6:2001:db8::1])");
        session.peer = Peer::Pipe { role: RoleName::new("relay") };
        assert_eq!(from_domain(&session), "client.example");
    }
}
