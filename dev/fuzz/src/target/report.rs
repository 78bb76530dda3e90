//! Reports to senders.

use crate::cuts::{same, split};
use address::{Address, Envid, Orcpt};
use jiff::Timestamp;
use message::{PartKind, scan};
use report::{Dsn, DsnAction, DsnRecipient, Original};

const ACTIONS: [DsnAction; 5] =
    [DsnAction::Failed, DsnAction::Delayed, DsnAction::Delivered, DsnAction::Relayed, DsnAction::Expanded];

/// A report with any words of a remote host and any original in it: it is a message of three parts whose lines are
/// lines of RFC 5322, and what was given back is in it unchanged.
pub fn build(bytes: &[u8]) {
    let ([choice, kind], input) = split::<2>(bytes);
    let mut texts = input.splitn(6, |byte| *byte == 0).map(String::from_utf8_lossy);
    let mut text = || texts.next().unwrap_or_default().into_owned();
    let to = Address::parse(&text()).unwrap_or_else(|_| address("sender@example.org"));
    let recipient = Address::parse(&text()).unwrap_or_else(|_| address("to@example.org"));
    let (mta, said, from) = (text(), text(), text());
    let original = text().into_bytes();
    let action = ACTIONS[usize::from(choice) % ACTIONS.len()];
    let recipients = [DsnRecipient {
        orcpt: Orcpt::parse(&said).ok().or_else(|| Some(Orcpt::of(&recipient))),
        final_recipient: recipient,
        action,
        status: "5.1.1".to_owned(),
        remote_mta: Some(mta),
        diagnostic: Some(said.clone()),
        is_reply: kind & 1 == 0,
        last_attempt: Some(Timestamp::UNIX_EPOCH),
        will_retry_until: (kind & 2 == 0).then_some(Timestamp::UNIX_EPOCH),
    }];
    let original = &original[..];
    let envid = Envid::parse(&from).ok();
    let dsn = Dsn {
        action,
        reporting_mta: "mx.example.org",
        received_from: (kind & 4 == 0).then_some(&from[..]),
        arrival: Timestamp::UNIX_EPOCH,
        envid: envid.as_ref(),
        to: &to,
        now: Timestamp::UNIX_EPOCH,
        id: "0123456789abcdef",
        recipients: &recipients,
        original: if kind & 8 == 0 { Original::Whole(original) } else { Original::Header(original) },
    };
    check(&dsn.build(), original);
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn check(report: &[u8], original: &[u8]) {
    let scanned = scan(report);
    let parts = scanned.structure.parts();
    let root = scanned.structure.root();
    assert_eq!(root.kind, PartKind::Multipart, "{}", report.escape_ascii());
    assert_eq!(root.children.len(), 3, "{}", report.escape_ascii());
    let third = &parts[root.children[2] as usize];
    let body = &report[third.body.start as usize..third.body.end as usize];
    // Where the original ends within its header, the blank line in front of the boundary is taken for its end.
    let body = if body.len() > original.len() { body.strip_suffix(b"\r\n").unwrap_or(body) } else { body };
    same(body, original);
    let ours = &report[..third.header.end as usize];
    for line in ours.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = line.strip_suffix(b"\r").unwrap_or_else(|| panic!("a bare LF: {}", ours.escape_ascii()));
        assert!(line.len() <= 998, "a line of {}", line.len());
        assert!(!line.contains(&b'\r') && !line.contains(&0), "{}", line.escape_ascii());
    }
}
