//! Inputs to begin with, made from the transcripts, from test messages and by our own encoders.

use std::path::{Path, PathBuf};
use testkit::proof;

/// A folder of another crate, below the workspace's root.
fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("two folders below the root");
    root.join(name)
}

/// The content of all files of an extension, in the order of their names.
fn files(name: &str, extension: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("it was listed")).collect()
}

/// What one side says in a transcript: the rest of each line that begins so.
fn said(transcript: &[u8], who: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(transcript);
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start_matches(|c: char| c == '*' || c.is_ascii_digit() || c == ' ');
        who.iter().find_map(|who| line.strip_prefix(who)).map(|rest| rest.trim_start().to_owned())
    });
    lines.map(|line| line.replace("\\r\\n", "\r\n")).collect()
}

/// Each of them behind some bytes that choose how it is treated.
fn chosen(choices: &[&[u8]], inputs: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let with = |(number, input): (usize, Vec<u8>)| [choices[number % choices.len()], &input[..]].concat();
    inputs.into_iter().enumerate().map(with).collect()
}

fn wire(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

/// What clients say in the transcripts of SMTP and LMTP, as each dialect.
pub fn smtp_server() -> Vec<Vec<u8>> {
    let all = files("proto/smtp/transcripts", "txt");
    let sessions = all.iter().map(|transcript| wire(&said(transcript, &["C:", "c:"])));
    chosen(&[&[8, 1], &[12, 2], &[9, 3], &[10, 4], &[24, 5]], sessions)
}

/// What servers say there.
pub fn smtp_client() -> Vec<Vec<u8>> {
    let all = files("proto/smtp/transcripts", "txt");
    let replies = all.iter().map(|transcript| wire(&said(transcript, &["S:"])));
    let whole =
        b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 1000\r\n250 ok\r\n250 ok\r\n\
        550 5.1.1 no\r\n250 ok\r\n354 go\r\n250 2.0.0 taken\r\n451-4.3.0 one\r\n451 4.3.0 two\r\n221 bye\r\n";
    chosen(&[&[8, 1], &[9, 2], &[2, 3], &[0xa, 9]], replies.chain(std::iter::repeat_n(whole.to_vec(), 4)))
}

/// Single command lines.
pub fn smtp_command() -> Vec<Vec<u8>> {
    let all = files("proto/smtp/transcripts", "txt");
    let lines = all.iter().flat_map(|transcript| said(transcript, &["C:"]));
    lines.map(String::into_bytes).collect()
}

/// Messages with their dots and ends.
pub fn smtp_content() -> Vec<Vec<u8>> {
    let dots = b"1Subject: x\r\n\r\n..\r\n.a\r\n.\r\nRSET\r\n".to_vec();
    let bare = b"2a\nb\rc\r\n.\n.\r\n\r.\r\n.\r\n".to_vec();
    let proofs = (0..6).map(|serial| proof::message(serial, 300));
    chosen(&[&[1], &[2], &[9]], proofs.chain([dots, bare]))
}

/// What clients say in the transcripts of IMAP.
pub fn imap_frames() -> Vec<Vec<u8>> {
    let all = files("proto/imap/transcripts", "txt");
    let sessions = all.iter().map(|transcript| wire(&said(transcript, &["C:", "C1:", "C2:"])));
    let literals = b"a LOGIN {4+}\r\nuser {3}\r\nabc\r\nb X {99999999999999999999+}\r\nc NOOP\r\n".to_vec();
    chosen(&[&[0, 1], &[1, 2], &[2, 3]], sessions.chain(std::iter::repeat_n(literals, 3)))
}

/// Single lines, of both sides.
pub fn imap_grammar() -> Vec<Vec<u8>> {
    let all = files("proto/imap/transcripts", "txt");
    let lines = all.iter().flat_map(|transcript| said(transcript, &["C:", "S:", "U:"]));
    let words =
        ["1:3,7,*", "INBOX/&AOk-", "&-", " 7-Feb-1994 21:52:25 -0800", "a*b%\naxb/c"].map(str::to_owned);
    lines.chain(words).map(String::into_bytes).collect()
}

/// An exchange of each mechanism, right and wrong.
pub fn sasl() -> Vec<Vec<u8>> {
    let plain = sasl_line(format!("\0user\0{}", crate::target::sasl::PASSWORD).as_bytes());
    let first = sasl_line(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    let last = sasl_line(b"c=biws,r=fyko+d2lbbFgONRv9qkxdawLBwcHBwcHBwcHBwcHBwcHBwcHBwcH,p=AAAA");
    let texts = [
        format!("PLAIN\n{plain}"),
        format!("SCRAM-SHA-256\n{first}\n{last}\n"),
        format!("SCRAM-SHA-256\n\n{first}\n{last}\n"),
        format!("LOGIN\n{}\n{}", sasl_line(b"user"), sasl_line(b"secret")),
        format!("EXTERNAL\n{}", sasl_line(b"user@example.org")),
        "PLAIN\n=\n*".to_owned(),
    ];
    [5u8, 4, 0, 1, 6, 5]
        .into_iter()
        .zip(texts)
        .map(|(choice, text)| [&[choice], text.as_bytes()].concat())
        .collect()
}

fn sasl_line(message: &[u8]) -> String {
    sasl::line::challenge(message)
}

/// The golden messages of `message` and of the transcripts, and proofs.
fn messages() -> Vec<Vec<u8>> {
    let golden = files("mail/message/tests/golden", "eml");
    let transcripts = files("proto/imap/transcripts/messages", "eml");
    let proofs = (0..3).map(|serial| proof::message(serial, 100));
    golden.into_iter().chain(transcripts).chain(proofs).filter(|message| message.len() < 20_000).collect()
}

/// Messages.
pub fn mime() -> Vec<Vec<u8>> {
    chosen(&[&[1], &[2], &[3], &[9]], messages())
}

/// Messages, for what stands in their headers.
pub fn text() -> Vec<Vec<u8>> {
    let words = b"Re: [list] Fwd: =?utf-8?q?caf=C3=A9?= =?iso-2022-jp?B?GyRCJDMbKEI=?= (fwd)".to_vec();
    let date = b"Date: Tue, 24 Nov 2026 12:00:00 +0000 (UTC)\r\n\r\n".to_vec();
    let group = b"Friends: \"A. B\" <a@b.example>, c@[192.0.2.1] (comment (nested));, d@e".to_vec();
    chosen(&[&[0], &[1], &[3], &[4], &[6]], messages().into_iter().chain([words, date, group]))
}

/// Addresses, parameters, a stored envelope.
pub fn address() -> Vec<Vec<u8>> {
    let texts = [
        "anna@example.org",
        "\"a \\\" b\"@[192.0.2.1]",
        "x@[IPv6:2001:db8::1]",
        "j\u{f6}rg+tag@b\u{fc}cher.example",
        "<@a.example,@b.example:c@d.example>",
        "<>",
        "<Postmaster>",
        "rfc822;joe+2Bx@example.com",
        "SUCCESS,FAILURE,DELAY",
        "a+2Bb",
        "BINARYMIME",
    ];
    let stored =
        b"\x01\x13<jane@example.org>\x00\x00\x00\x00\x00\x00\x01\x0fjoe@example.com\x00\x00".to_vec();
    texts.iter().map(|text| text.as_bytes().to_vec()).chain([stored]).collect()
}

/// Headers of both versions.
pub fn proxy() -> Vec<Vec<u8>> {
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let v4 = b"\x21\x11\x00\x10\xc0\x00\x02\x01\xc0\x00\x02\x02\x0f\xa0\x00\x19\x04\x00\x01\x07EHLO x\r\n";
    let local = b"\x20\x00\x00\x00EHLO x\r\n";
    let v6 = [&b"\x21\x21\x00\x24"[..], &[1; 36], b"rest"].concat();
    let binary = [&v4[..], local, &v6].map(|rest| [signature, rest].concat());
    let lines = ["TCP4 192.0.2.1 192.0.2.2 4000 25", "TCP6 2001:db8::1 2001:db8::2 4000 25", "UNKNOWN"];
    let lines = lines.map(|line| format!("PROXY {line}\r\nEHLO x\r\n").into_bytes());
    chosen(&[&[1], &[2], &[9]], lines.into_iter().chain(binary))
}

/// The texts of reports.
pub fn report() -> Vec<Vec<u8>> {
    let original = String::from_utf8_lossy(&proof::message(1, 100)).into_owned();
    let texts = [
        format!("a@b.example\0c@d.example\0mx.d.example\0550 5.1.1 no such user\0[192.0.2.1]\0{original}"),
        format!(
            "j\u{f6}rg@b.example\0\"x y\"@d.example\0mx\0{}\0\u{e9}\0Subject: x\r\n",
            "long ".repeat(300)
        ),
        "\0\0\0\r\n--injected\r\nX: y\0\0".to_owned(),
    ];
    chosen(&[&[0, 0], &[1, 6], &[2, 9]], texts.map(String::into_bytes))
}

/// Journals of several frames, whole and with each kind of damage.
pub fn journal() -> Vec<Vec<u8>> {
    [
        &[5, 100][..],
        &[11, 40, 0x80, 0, 60, 1],
        &[7, 200, 0, 1, 90, 0],
        &[4, 10, 0x40, 0, 0, b'T', 0x81, 0, 20, 0xff],
        &[9, 250, 0xc0, 3, 70, 9, 0xc0, 1, 2, 3],
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}
