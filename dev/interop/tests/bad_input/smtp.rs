//! SMTP, submission and LMTP: lines, bytes and commands that are none.

use crate::raw::{LOGIN, Raw, within};
use crate::{SMTP, counted, next_client_is_served};
use interop::{first, metrics, settings, trial};
use std::time::Duration;
use testkit::Trial;

/// Bytes of a line that no server has to take.
const LONG: usize = 6 * 1024 * 1024;

/// A session that has greeted.
fn hello(trial: &Trial, (listener, verb): (&str, &str)) -> Raw {
    let mut raw = Raw::greeted(trial, listener);
    raw.send(format!("{verb} client.test\r\n")).until("250 ");
    raw
}

/// A session of the MX that has been asked for content.
fn in_data(trial: &Trial) -> Raw {
    let mut raw = hello(trial, SMTP[0]);
    raw.send(format!("MAIL FROM:<a@client.test>\r\nRCPT TO:<{}>\r\nDATA\r\n", first(trial).address));
    raw.expect("250 ").expect("250 ").expect("354 ");
    raw
}

#[test]
fn a_line_without_measure_is_refused_and_the_session_goes_on() {
    let (trial, _folder) = trial();
    for wire in SMTP {
        within(&trial, 4, wire.0, || {
            let mut raw = hello(&trial, wire);
            raw.send("NOOP ").send("x".repeat(LONG)).send("\r\nNOOP\r\n");
            raw.expect("500 5.5.2 Line too long").expect("250 ");
        });
    }
    assert_eq!(counted(&trial, "tartan_receive_mistakes_total", &[]), 3);
    next_client_is_served(&trial, 10);
}

#[test]
fn bytes_that_are_no_text_are_refused_one_by_one() {
    let (trial, _folder) = trial();
    for wire in SMTP {
        let mut raw = hello(&trial, wire);
        raw.send(b"MAIL FROM:<a\0b@client.test>\r\n").expect("501 5.1.7 ");
        raw.send(b"MAIL FROM:<\xff\xfe@client.test>\r\n").expect("501 5.5.2 Not UTF-8");
        raw.send("NOOP\nNOOP\r\n").expect("500 5.5.2 Bare LF").expect("250 ");
        raw.send("NO\rOP\r\n").expect("500 5.5.2 Bare CR");
        raw.send("QUIT\r\n").expect("221 ");
    }
    assert_eq!(counted(&trial, "tartan_receive_mistakes_total", &["role=\"mx\""]), 4);
    next_client_is_served(&trial, 20);
}

#[test]
fn content_with_nul_or_bare_line_ends_is_refused_and_nothing_of_it_arrives() {
    let (trial, _folder) = trial();
    for (body, reply) in [
        (&b"a\0b"[..], "550 5.6.0 Message refused: NUL"),
        (b"a\nb", "550 5.5.2 Message refused: bare LF"),
        (b"a\rb", "550 5.5.2 Message refused: bare CR"),
        (b"a\n.\nMAIL FROM:<smuggled@client.test>", "550 5.5.2 Message refused: bare LF"),
    ] {
        let mut raw = in_data(&trial);
        raw.send("Subject: x\r\n\r\n")
            .send(body)
            .send("\r\n.\r\nNOOP\r\n")
            .expect(reply)
            .expect("250 2.0.0 ");
    }
    let refused = ["role=\"mx\"", "to=\"content\"", "result=\"refused\""];
    assert_eq!(counted(&trial, "tartan_receive_answers_total", &refused), 4);
    assert_eq!(counted(&trial, "tartan_spool_accepted_total", &[]), 0);
    next_client_is_served(&trial, 30);
}

#[test]
fn a_client_that_sends_nothing_but_nonsense_is_sent_away() {
    let (trial, _folder) = trial();
    let noise: Vec<u8> = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for wire in SMTP {
        within(&trial, 4, wire.0, || {
            let mut raw = hello(&trial, wire);
            let heard = raw.send(&noise).rest();
            let heard = String::from_utf8_lossy(&heard);
            let last = heard.lines().last().unwrap_or_default();
            // Where the server closes with noise unread, TCP may take the last words away.
            assert!(last.starts_with("421 4.7.0 Too many errors") || last.starts_with("500 "), "{heard}");
        });
        let mut raw = hello(&trial, wire);
        raw.send("NONSENSE\r\n".repeat(20));
        for _ in 0..20 {
            raw.expect("500 5.5.1 ");
        }
        raw.expect("421 4.7.0 Too many errors");
        assert!(raw.rest().is_empty());
    }
    assert!(counted(&trial, "tartan_receive_mistakes_total", &[]) >= 60);
    next_client_is_served(&trial, 40);
}

#[test]
fn a_chunk_whose_size_cannot_be_read_ends_the_session() {
    let (trial, _folder) = trial();
    let mut raw = hello(&trial, SMTP[0]);
    raw.send(format!("MAIL FROM:<a@client.test>\r\nRCPT TO:<{}>\r\n", first(&trial).address));
    raw.expect("250 ").expect("250 ").send("BDAT 99999999999999999999 LAST\r\nQUIT\r\n");
    raw.expect("501 5.5.4 ").expect("421 4.7.0 ");
    next_client_is_served(&trial, 50);
}

#[test]
fn slow_senders_are_sent_away_in_time() {
    let (mut trial, _folder) = trial();
    settings::set(&mut trial, &[("mx", "command_time", "\"2s\""), ("mx", "data_time", "\"2s\"")]);
    let pause = Duration::from_millis(400);
    let commands = std::thread::scope(|scope| {
        let slow =
            scope.spawn(|| Raw::greeted(&trial, "mx").send_slowly(b"EHLO client.test\r\n", pause).rest());
        let mut raw = in_data(&trial);
        raw.send("Subject: x").expect("421 4.4.2 ");
        assert!(raw.rest().is_empty());
        next_client_is_served(&trial, 60);
        slow.join().expect("no panic")
    });
    let said = String::from_utf8_lossy(&commands);
    assert!(said.is_empty() || said.starts_with("421 4.4.2 "), "{said}");
    assert_eq!(counted(&trial, "tartan_receive_late_total", &["limit=\"command\""]), 1);
    assert_eq!(counted(&trial, "tartan_receive_late_total", &["limit=\"data\""]), 1);
    assert_eq!(metrics::sum(&trial, "tartan_spool_messages", &[]) as u64, 0);
}

#[test]
fn what_a_lost_connection_leaves_behind_is_nothing() {
    let (trial, _folder) = trial();
    for _ in 0..10 {
        let mut raw = in_data(&trial);
        raw.send("Subject: lost\r\n\r\nhalf a mess");
        raw.reset();
        let mut raw = in_data(&trial);
        raw.send("Subject: lost\r\n\r\nhalf a message\r\n").half_close();
        assert_eq!(String::from_utf8_lossy(&raw.rest()), "");
    }
    let mut raw = Raw::greeted(&trial, "mx");
    raw.send("EHLO client.test\r\nNOOP\r\n").half_close();
    raw.until("250 LIMITS");
    raw.expect("250 2.0.0 ");
    assert!(raw.rest().is_empty());
    next_client_is_served(&trial, 70);
    assert_eq!(counted(&trial, "tartan_spool_accepted_total", &[]), 1);
    let incoming = std::fs::read_dir(trial.contract.data.join("incoming")).expect("the folder").count();
    assert_eq!(incoming, 0, "a lost message left a file");
}

#[test]
fn a_client_that_never_reads_holds_no_memory() {
    let (trial, _folder) = trial();
    within(&trial, LOGIN + 4, "replies that nobody reads", || {
        let mut raw = Raw::connect(&trial, "mx");
        let pipeline = "EHLO client.test\r\n".repeat(40_000);
        std::thread::scope(|scope| {
            // The server stops reading when its replies are not taken, so this waits and is cut off.
            let writer = scope.spawn(|| {
                raw.send(pipeline);
            });
            next_client_is_served(&trial, 80);
            writer.join().expect("no panic");
        });
    });
}
