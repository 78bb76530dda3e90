//! What one client may take of us, where a transcript would be too long.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use bytes::BytesMut;
use smtp::server::{Event, ServerSettings, Session};
use smtp::{Flavour, Refusal};

#[test]
fn an_envelope_is_bounded_in_bytes_and_what_is_over_may_come_later() {
    let mut session = Session::new(Arc::new(ServerSettings::new(Flavour::Smtp, "mx.example.org")), false);
    session.accept();
    let long = format!("RCPT TO:<ann@example.org> ORCPT=rfc822;{}\r\n", "a".repeat(900));
    let group = format!("EHLO client.example\r\nMAIL FROM:<>\r\n{}", long.repeat(600));
    let mut input = BytesMut::from(group.as_bytes());
    let mut recipients = 0;
    while let Some(event) = session.next(&mut input) {
        recipients += usize::from(matches!(event, Event::Rcpt(_)));
        session.accept();
    }
    assert_eq!(recipients, limits::SMTP_ENVELOPE_BYTES_MAX / (long.len() - 2));
    let output = String::from_utf8(session.output()).unwrap();
    assert!(output.ends_with("452 4.5.3 Too many recipients\r\n"));
}

/// A session of this dialect in which message after message is refused; whether it is still served.
fn is_served_after_refusals(flavour: Flavour, hello: &str) -> bool {
    let mut session = Session::new(Arc::new(ServerSettings::new(flavour, "mx.example.org")), true);
    session.accept();
    let message = "MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nRSET\r\n".repeat(500);
    let mut input = BytesMut::from(format!("{hello} client.example\r\n{message}").as_bytes());
    while let Some(event) = session.next(&mut input) {
        match event {
            Event::Rcpt(_) => session.refuse(Refusal::new(451, (4, 2, 0), "Not now")),
            Event::Close => return false,
            _ => session.accept(),
        }
    }
    true
}

#[test]
fn a_relay_is_not_cut_off_from_lmtp_for_mail_that_cannot_be_taken_now() {
    assert!(is_served_after_refusals(Flavour::Lmtp, "LHLO"));
    assert!(!is_served_after_refusals(Flavour::Smtp, "EHLO"));
}
