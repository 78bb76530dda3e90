//! Messages that are monsters: headers, parts, nesting and lines without measure, by SMTP and by APPEND, read again.

use crate::raw::{LOGIN, within};
use crate::{next_client_is_served, signed_in};
use interop::{arrived, first, trial};
use testkit::{Trial, imap, smtp};

/// What search looks for.
const NEEDLE: &str = "needle-in-it";

fn many_parts() -> Vec<u8> {
    let part = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(10_000);
    format!("Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{part}--b\r\n\r\n{NEEDLE}\r\n--b--\r\n")
        .into_bytes()
}

fn deep() -> Vec<u8> {
    let level = |n: usize| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
    let levels: String = (0..1_000).map(level).collect();
    format!("Subject: deep\r\n{levels}\r\n{NEEDLE}\r\n").into_bytes()
}

fn messages_in_messages() -> Vec<u8> {
    let level = "Subject: inner\r\nContent-Type: message/rfc822\r\n\r\n".repeat(1_000);
    format!("{level}Subject: last\r\n\r\n{NEEDLE}\r\n").into_bytes()
}

fn long_line() -> Vec<u8> {
    format!("Subject: line\r\n\r\n{} {NEEDLE}\r\n", "x".repeat(3_000_000)).into_bytes()
}

/// Reads all that FETCH can show of a message, and some of it, and looks for it by its text.
fn read(client: &mut imap::Client, uid: u32, is_found: bool) {
    for items in [
        "ENVELOPE",
        "BODYSTRUCTURE",
        "BODY",
        "BODY.PEEK[HEADER]",
        "BODY.PEEK[1.1.1.1.1.1]",
        "BODY.PEEK[1.MIME]",
        "BODY.PEEK[10001]",
        "BODY.PEEK[TEXT]<0.100>",
    ] {
        let answer = client.command(&format!("UID FETCH {uid} ({items})")).expect("the server goes on");
        assert!(answer.tagged.starts_with("OK"), "{items}: {}", answer.tagged);
        assert_eq!(answer.untagged.len(), 1, "{items}: one response");
        let bytes = answer.untagged[0].len();
        assert!(bytes < 4_000_000, "{items}: {bytes} bytes");
    }
    let depths = ".1".repeat(60);
    let answer =
        client.command(&format!("UID FETCH {uid} BODY.PEEK[1{depths}]")).expect("the server goes on");
    assert!(answer.tagged.starts_with("OK") || answer.tagged.starts_with("BAD"), "{}", answer.tagged);
    let found = client.ok(&format!("UID SEARCH UID {uid} BODY {NEEDLE}")).expect("a search");
    let expected = if is_found { format!("* SEARCH {uid}") } else { "* SEARCH".to_owned() };
    assert_eq!(String::from_utf8_lossy(&found[0]).trim_end(), expected);
}

fn send(trial: &Trial, message: &[u8]) -> smtp::Reply {
    let client = smtp::Client::smtp(&trial.address("mx"));
    let sent = client.and_then(|mut client| client.send("a@client.test", &[&first(trial).address], message));
    sent.expect("a reply").remove(0)
}

#[test]
fn monstrous_messages_are_kept_shown_and_found() {
    let (trial, _folder) = trial();
    let mut client = signed_in(&trial);
    client.ok("SELECT INBOX").expect("the inbox");
    // What stands below the deepest part that is described is its content, and no text.
    let monsters = [
        ("parts", many_parts(), true),
        ("deep", deep(), false),
        ("inner", messages_in_messages(), false),
        ("line", long_line(), true),
    ];
    for (number, (subject, message, is_found)) in (0u32..).zip(&monsters) {
        let most = LOGIN + 8 + 4 * u64::try_from(message.len() / (1024 * 1024)).expect("64 bits");
        within(&trial, most, subject, || {
            assert!(send(&trial, message).is_accepted(), "{subject}");
            let arrived = arrived(&trial, &first(&trial), &format!("Subject: {subject}"));
            assert!(arrived.ends_with(&message[message.len() - 1_000..]), "{subject} has changed");
            client.ok("NOOP").expect("news of it");
            read(&mut client, 2 * number + 1, *is_found);
            let answer = client.append("INBOX", message).expect("an answer");
            assert!(answer.tagged.starts_with("OK"), "{subject}: {}", answer.tagged);
            read(&mut client, 2 * number + 2, *is_found);
        });
    }
    next_client_is_served(&trial, 10);
}

#[test]
fn headers_without_measure_are_refused_by_smtp_and_kept_by_append() {
    let (trial, _folder) = trial();
    let long_field = format!("Subject: {}\r\n\r\n{NEEDLE}\r\n", "x".repeat(5_000_000));
    let many_fields = format!("{}\r\n{NEEDLE}\r\n", "X-Field: value\r\n".repeat(300_000));
    let mut client = signed_in(&trial);
    client.ok("SELECT INBOX").expect("the inbox");
    for (number, message) in (1u32..).zip([long_field, many_fields]) {
        within(&trial, LOGIN + 16, "a header", || {
            let reply = send(&trial, message.as_bytes());
            assert_eq!((reply.code, &reply.text[..]), (552, "5.3.4 Header too big"));
            let answer = client.append("INBOX", message.as_bytes()).expect("an answer");
            assert!(answer.tagged.starts_with("OK"), "{}", answer.tagged);
            let envelope =
                client.ok(&format!("UID FETCH {number} (ENVELOPE BODYSTRUCTURE)")).expect("an envelope");
            assert!(envelope[0].len() < 600_000, "{} bytes of envelope", envelope[0].len());
        });
    }
    next_client_is_served(&trial, 20);
}
