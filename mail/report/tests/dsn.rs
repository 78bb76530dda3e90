//! Reports, read back by a parser that nobody here wrote.

#![allow(clippy::unwrap_used, reason = "a test may")]

use address::{Address, Envid, Orcpt};
use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders};
use report::{Dsn, DsnAction, DsnRecipient, Original};

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(784_111_777 + second).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn recipient(text: &str, action: DsnAction) -> DsnRecipient {
    DsnRecipient {
        orcpt: Some(Orcpt::parse("rfc822;first+2Bone@example.org").unwrap()),
        final_recipient: address(text),
        action,
        status: "5.1.1".into(),
        remote_mta: Some("mx.example.org".into()),
        diagnostic: Some("550 5.1.1 no such user".into()),
        is_reply: true,
        last_attempt: Some(time(60)),
        will_retry_until: None,
    }
}

fn build(recipients: &[DsnRecipient], original: Original<'_>, to: &Address) -> Vec<u8> {
    let envid = Envid::parse("QQ314159").unwrap();
    let dsn = Dsn {
        action: recipients[0].action,
        reporting_mta: "mail.example.com",
        received_from: Some("client.example.com"),
        arrival: time(0),
        envid: Some(&envid),
        to,
        now: time(90),
        id: "0abc",
        recipients,
        original,
    };
    dsn.build()
}

const HEADER: &[u8] = b"From: a@example.com\r\nSubject: hello\r\n\r\n";

#[test]
fn a_report_has_its_three_parts_and_a_sender_that_is_not_answered() {
    let failed = [recipient("one@example.org", DsnAction::Failed)];
    let report = build(&failed, Original::Header(HEADER), &address("sender@example.com"));
    let message = MessageParser::default().parse(&report).unwrap();
    assert_eq!(message.subject(), Some("Undelivered mail returned to sender"));
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-replied"));
    assert_eq!(message.message_id(), Some("0abc@mail.example.com"));
    assert_eq!(message.date().unwrap().to_timestamp(), time(90).as_second());
    let kind = message.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")));
    assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
    let types: Vec<_> =
        message.parts.iter().skip(1).map(|part| part.content_type().unwrap().subtype()).collect();
    assert_eq!(types[..3], [Some("plain"), Some("delivery-status"), Some("rfc822-headers")]);
}

#[test]
fn the_fields_say_what_is_known() {
    let failed =
        [recipient("one@example.org", DsnAction::Failed), recipient("two@example.org", DsnAction::Failed)];
    let report = build(&failed, Original::Header(HEADER), &address("sender@example.com"));
    let report = String::from_utf8(report).unwrap();
    let fields = "Original-Envelope-Id: QQ314159\r\n\
                  Reporting-MTA: dns; mail.example.com\r\n\
                  Received-From-MTA: dns; client.example.com\r\n\
                  Arrival-Date: Sun, 06 Nov 1994 08:49:37 +0000\r\n\
                  \r\n\
                  Original-Recipient: rfc822; first+one@example.org\r\n\
                  Final-Recipient: rfc822; one@example.org\r\n\
                  Action: failed\r\n\
                  Status: 5.1.1\r\n\
                  Remote-MTA: dns; mx.example.org\r\n\
                  Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\
                  Last-Attempt-Date: Sun, 06 Nov 1994 08:50:37 +0000\r\n\
                  \r\n\
                  Original-Recipient: rfc822; first+one@example.org\r\n\
                  Final-Recipient: rfc822; two@example.org\r\n";
    assert!(report.contains(fields), "{report}");
    assert!(
        report.contains("<one@example.org>:\r\n    mx.example.org said:\r\n    550 5.1.1 no such user\r\n")
    );
}

#[test]
fn our_own_words_are_not_told_as_a_reply_of_the_host() {
    let mut failed = recipient("one@example.org", DsnAction::Failed);
    failed.diagnostic = Some("4.4.1 connection refused".into());
    failed.is_reply = false;
    let report = build(&[failed], Original::Header(HEADER), &address("sender@example.com"));
    let report = String::from_utf8(report).unwrap();
    assert!(report.contains("Remote-MTA: dns; mx.example.org\r\n"), "{report}");
    assert!(report.contains("Diagnostic-Code: x-tartan; 4.4.1 connection refused\r\n"), "{report}");
    assert!(report.contains("    mx.example.org:\r\n    4.4.1 connection refused\r\n"), "{report}");
}

#[test]
fn a_delay_says_until_when_it_is_tried() {
    let mut delayed = recipient("one@example.org", DsnAction::Delayed);
    delayed.will_retry_until = Some(time(86_400));
    let report = build(&[delayed], Original::Header(HEADER), &address("sender@example.com"));
    let report = String::from_utf8(report).unwrap();
    assert!(report.contains("Action: delayed\r\n"));
    assert!(report.contains("Will-Retry-Until: Mon, 07 Nov 1994 08:49:37 +0000\r\n"));
}

#[test]
fn the_whole_message_comes_back_byte_by_byte_even_with_our_boundary_in_it() {
    let whole = b"Subject: x\r\n\r\n--=_0abc_0\r\n\x80 gr\xc3\xbc\xc3\x9fe\r\n";
    let failed = [recipient("one@example.org", DsnAction::Failed)];
    let report = build(&failed, Original::Whole(whole), &address("sender@example.com"));
    let message = MessageParser::default().parse(&report).unwrap();
    let original = message.parts.last().unwrap();
    assert_eq!(original.content_type().unwrap().subtype(), Some("rfc822"));
    assert!(memchr::memmem::find(&report, whole).is_some());
    assert_eq!(message.header_raw("Content-Transfer-Encoding").map(str::trim), Some("8bit"));
}

#[test]
fn addresses_beyond_ascii_make_a_global_report() {
    let failed = [recipient("grüße@example.org", DsnAction::Failed)];
    let report = build(&failed, Original::Header(HEADER), &address("sender@example.com"));
    let report = String::from_utf8(report).unwrap();
    assert!(report.contains("Content-Type: message/global-delivery-status\r\n"));
    assert!(report.contains("Content-Type: message/global-headers\r\n"));
    assert!(report.contains("Final-Recipient: utf-8; grüße@example.org\r\n"));
}

#[test]
fn what_another_host_says_cannot_break_the_report() {
    let mut failed = recipient("one@example.org", DsnAction::Failed);
    failed.diagnostic = Some(format!("550 \r\n\r\n--=_0abc_0--\r\nX: y {} \u{7}ü", "x".repeat(5_000)));
    let report = build(&[failed], Original::Header(HEADER), &address("sender@example.com"));
    assert!(report.is_ascii());
    assert!(report.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
    let message = MessageParser::default().parse(&report).unwrap();
    assert_eq!(message.parts.len(), 4);
}
