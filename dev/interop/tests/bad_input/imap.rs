//! IMAP: lines, literals and bytes that are none.

use crate::raw::{LOGIN, Raw, within};
use crate::{counted, next_client_is_served, signed_in};
use interop::{first, settings, trial};
use std::time::Duration;
use testkit::line::Lines;
use testkit::{Trial, proof};

/// A session that has logged in, of which every byte is this test's own.
fn logged_in(trial: &Trial) -> Lines {
    let certificate = &trial.contract.certificate;
    let wait = Duration::from_secs(30);
    let mut lines =
        Lines::connect_tls(&trial.address("imaps"), certificate, "localhost", wait).expect("a connection");
    let account = first(trial);
    lines.line().expect("a greeting");
    lines
        .send(format!("l LOGIN \"{}\" \"{}\"\r\n", account.login, account.password).as_bytes())
        .expect("it is taken");
    assert!(line(&mut lines).starts_with("l OK "));
    lines
}

fn line(lines: &mut Lines) -> String {
    String::from_utf8_lossy(&lines.line().expect("a line")).trim_end().to_owned()
}

/// Sends bytes and expects lines that begin so.
fn exchange(lines: &mut Lines, sent: &[u8], expected: &[&str]) {
    lines.send(sent).expect("it is taken");
    for start in expected {
        let line = line(lines);
        assert!(line.starts_with(start), "{line:?} instead of {start:?} to {}", sent.escape_ascii());
    }
}

#[test]
fn lines_without_measure_are_answered_bad_and_the_session_goes_on() {
    let (trial, _folder) = trial();
    within(&trial, 4, "a long line before the login", || {
        let mut raw = Raw::greeted(&trial, "imap");
        raw.send("a LOGIN ").send("x".repeat(6_000_000)).send("\r\nb NOOP\r\n");
        raw.expect("a BAD Line too long").expect("b OK ");
        raw.send("x".repeat(100_000)).send("\r\nc NOOP\r\n");
        raw.expect("* BAD Line too long").expect("c OK ");
    });
    let mut lines = logged_in(&trial);
    within(&trial, 4, "a long line after the login", || {
        let long = [&b"a SEARCH TEXT "[..], &vec![b'x'; 6_000_000], b"\r\nb NOOP\r\n"].concat();
        exchange(&mut lines, &long, &["a BAD Line too long", "b OK "]);
    });
    assert_eq!(counted(&trial, "tartan_imapd_bad_commands_total", &[]), 3);
    next_client_is_served(&trial, 10);
}

#[test]
fn literals_without_measure_are_refused_before_they_are_sent() {
    let (trial, _folder) = trial();
    let mut lines = logged_in(&trial);
    within(&trial, 4, "literals", || {
        let mut raw = Raw::greeted(&trial, "imap");
        raw.send("a LOGIN {4000000+}\r\n").send("x".repeat(4_000_000)).send(" y\r\nb NOOP\r\n");
        raw.expect("a BAD [TOOBIG]").expect("b OK ");
        raw.send("c LOGIN {99999999999999999999}\r\n").expect("c BAD Literal too large").expect("* BYE ");
        assert!(raw.rest().is_empty());
        exchange(&mut lines, b"a APPEND INBOX {4000000000}\r\n", &["a NO [TOOBIG]"]);
        exchange(&mut lines, b"b APPEND INBOX {100000000000000}\r\n", &["b NO [TOOBIG]"]);
        let many = "{1+}\r\nx ".repeat(101);
        exchange(&mut lines, format!("c SEARCH {many}\r\n").as_bytes(), &["c BAD "]);
        exchange(&mut lines, b"d NOOP\r\n", &["d OK "]);
    });
    assert_eq!(counted(&trial, "tartan_imapd_bad_commands_total", &[]), 3);
    next_client_is_served(&trial, 20);
}

#[test]
fn bytes_that_are_no_text_are_answered_bad() {
    let (trial, _folder) = trial();
    let mut lines = logged_in(&trial);
    exchange(&mut lines, b"a NO\0OP\r\n", &["a BAD "]);
    exchange(&mut lines, b"b SELECT \"\xff\xfe\"\r\n", &["b "]);
    exchange(&mut lines, b"c SELECT \"IN\0BOX\"\r\n", &["c BAD "]);
    exchange(&mut lines, b"\r\n", &["* BAD "]);
    exchange(&mut lines, b"\xf0\x28\x8c\xbc x\r\n", &["* BAD "]);
    exchange(&mut lines, b"d APPEND INBOX {5+}\r\na\0b\r\n\r\n", &["d "]);
    exchange(&mut lines, b"e NOOP\r\n", &["e OK "]);
    next_client_is_served(&trial, 30);
}

#[test]
fn a_client_that_sends_nothing_but_nonsense_is_sent_away() {
    let (trial, _folder) = trial();
    let mut raw = Raw::greeted(&trial, "imap");
    raw.send("a NONSENSE\r\n".repeat(50));
    for _ in 0..50 {
        raw.expect("a BAD ");
    }
    raw.expect("* BYE Too many bad commands");
    assert!(raw.rest().is_empty());
    let noise: Vec<u8> = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    within(&trial, 4, "noise", || Raw::greeted(&trial, "imap").send(&noise).rest());
    assert!(counted(&trial, "tartan_imapd_bad_commands_total", &[]) >= 50);
    next_client_is_served(&trial, 40);
}

#[test]
fn a_client_that_does_not_log_in_in_time_is_sent_away() {
    let (mut trial, _folder) = trial();
    settings::set(&mut trial, &[("imapd", "login_time", "\"2s\"")]);
    let mut raw = Raw::greeted(&trial, "imap");
    let said = raw.send_slowly(b"a NOOP\r\nb NOOP\r\n", Duration::from_millis(300)).rest();
    let said = String::from_utf8_lossy(&said);
    assert!(said.ends_with("* BYE Autologout, idle for too long\r\n"), "{said}");
    assert_eq!(counted(&trial, "tartan_imapd_late_total", &[]), 1);
    next_client_is_served(&trial, 50);
}

#[test]
fn an_append_whose_connection_is_lost_leaves_nothing() {
    let (trial, _folder) = trial();
    for _ in 0..5 {
        let mut lines = logged_in(&trial);
        lines.send(b"a APPEND INBOX {2000000+}\r\nSubject: lost\r\n\r\n").expect("it is taken");
        lines.send(&vec![b'x'; 1_500_000]).expect("it is taken");
    }
    next_client_is_served(&trial, 60);
    let answer = signed_in(&trial).ok("STATUS INBOX (MESSAGES)").expect("the inbox");
    assert!(String::from_utf8_lossy(&answer[0]).contains("MESSAGES 2)"), "{answer:?}");
}

#[test]
fn a_client_that_never_reads_holds_no_memory() {
    let (trial, _folder) = trial();
    let mut client = signed_in(&trial);
    for serial in 0..8 {
        assert!(client.append("INBOX", &proof::message(serial, 2_000_000)).is_ok());
    }
    within(&trial, LOGIN + 8, "responses that nobody reads", || {
        let mut lines = logged_in(&trial);
        exchange(&mut lines, b"s EXAMINE INBOX\r\n", &["* "]);
        lines.send("f UID FETCH 1:* BODY[]\r\n".repeat(200).as_bytes()).expect("it is taken");
        next_client_is_served(&trial, 70);
    });
}
