//! What one client may take of us, where a transcript would be too long.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use bytes::BytesMut;
use smtp::Flavour;
use smtp::server::{Event, ServerSettings, Session};

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
