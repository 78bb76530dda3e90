//! Everything that can be read of the mailboxes, by IMAP.

use crate::model::{Flags, Place, places};
use crate::worker::modseqs;
use std::collections::BTreeMap;
use testkit::{Trial, imap, proof};

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub serial: u64,
    pub flags: Flags,
    /// Zero where the server tells none.
    pub modseq: u64,
    /// Of all bytes of the message.
    pub digest: u64,
    /// Internal date, size, envelope and structure, as on the wire.
    pub rendered: String,
}

/// What a mailbox is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    pub uid_validity: u64,
    pub uid_next: u32,
    pub highest_modseq: u64,
    pub messages: BTreeMap<u32, Message>,
}

/// All mailboxes of the load.
pub type Dump = BTreeMap<Place, Shown>;

/// Reads everything; panics at a damaged message.
pub fn dump(trial: &Trial, accounts: usize) -> Dump {
    let login = |account| imap::Client::login(trial, account).expect("a login after the restart");
    let mut clients: Vec<_> = trial.contract.accounts[..accounts].iter().map(login).collect();
    places(accounts).map(|place| (place, shown(&mut clients[place.account], place))).collect()
}

fn shown(client: &mut imap::Client, place: Place) -> Shown {
    let has_modseq = has_modseq(client);
    let selected = client.ok(&format!("EXAMINE {}", place.name())).expect("the mailbox is there");
    let selected: String = selected.iter().map(|line| String::from_utf8_lossy(line)).collect();
    let items = if has_modseq { "UID FLAGS MODSEQ BODY.PEEK[]" } else { "UID FLAGS BODY.PEEK[]" };
    let mut messages = BTreeMap::new();
    for response in client.ok(&format!("UID FETCH 1:* ({items})")).expect("every message can be read") {
        messages.extend(message(&response));
    }
    let rendered = "UID FETCH 1:* (INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)";
    for response in client.ok(rendered).expect("every message has a structure") {
        let text = String::from_utf8_lossy(&response).into_owned();
        let uid = number_after(&text, "UID ").expect("a uid");
        let uid = u32::try_from(uid).expect("32 bits");
        messages.get_mut(&uid).expect("it was just there").rendered = text;
    }
    Shown {
        uid_validity: number_after(&selected, "[UIDVALIDITY ").expect("UIDVALIDITY"),
        uid_next: number_after(&selected, "[UIDNEXT ").and_then(|n| u32::try_from(n).ok()).expect("UIDNEXT"),
        highest_modseq: number_after(&selected, "[HIGHESTMODSEQ ").unwrap_or_default(),
        messages,
    }
}

fn has_modseq(client: &mut imap::Client) -> bool {
    let lines = client.ok("CAPABILITY").expect("capabilities");
    lines.iter().any(|line| String::from_utf8_lossy(line).contains("CONDSTORE"))
}

/// The message in a FETCH response; none where it is another response.
fn message(response: &[u8]) -> Option<(u32, Message)> {
    let body = imap::literal(response)?;
    let begin = response.windows(3).position(|bytes| bytes == b"}\r\n").expect("a literal has a header") + 3;
    let around = [&response[..begin], &response[begin + body.len()..]].concat();
    let text = String::from_utf8_lossy(&around).into_owned();
    let uid = number_after(&text, "UID ").and_then(|uid| u32::try_from(uid).ok()).expect("a uid");
    let serial = proof::check(body).expect("only proofs were sent");
    let serial = serial.unwrap_or_else(|damage| panic!("uid {uid} is damaged: {damage}"));
    let (_, flags) = text.split_once("FLAGS (").expect("flags");
    let (flags, _) = flags.split_once(')').expect("flags end");
    let flags = flags.split_whitespace().filter(|flag| *flag != "\\Recent").map(str::to_owned).collect();
    let modseq = modseqs(&text).next().unwrap_or_default();
    let digest = proof::checksum(body);
    Some((uid, Message { serial, flags, modseq, digest, rendered: String::new() }))
}

fn number_after(text: &str, what: &str) -> Option<u64> {
    let (_, rest) = text.split_once(what)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}
