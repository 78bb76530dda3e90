//! A client of IMAP that works on messages of its own in mailboxes that it shares with others.

use crate::model::{Change, Flags, Key, Known, MAILBOXES, Pending, Place, Share};
use crate::random::Random;
use crate::sender::{Load, size};
use std::io::Result;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::{Trial, imap, proof};

const FLAGS: [&str; 10] =
    ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Forwarded", "$Label1", "work", "later", "red", "blue"];
/// Messages of one client above which it expunges more than it adds.
const MESSAGES_WANTED: usize = 40;

/// The client, from its login until its connection breaks.
pub struct Worker<'a> {
    client: imap::Client,
    account: usize,
    selected: Option<Place>,
    random: Random,
    serials: &'a AtomicU64,
    share: &'a mut Share,
}

/// Logs in, waits until all have, and works until the connection breaks. Whatever is answered with NO or BAD panics.
pub fn work(trial: &Trial, account: usize, load: &Load, random: Random, mut share: Share) -> Share {
    let client = imap::Client::login(trial, &trial.contract.accounts[account]).expect("a login");
    load.all_connected.wait();
    let serials = &load.serials;
    let mut worker = Worker { client, account, selected: None, random, serials, share: &mut share };
    while worker.step().is_ok() {}
    share
}

impl Worker<'_> {
    fn step(&mut self) -> Result<()> {
        let crowded = self.share.messages.len() > MESSAGES_WANTED;
        match self.random.below(100) {
            ..35 if crowded => self.expunge(),
            ..30 => self.append(),
            30..60 => self.store(),
            60..75 => self.transfer(false),
            75..90 => self.transfer(true),
            _ => self.expunge(),
        }
    }

    fn append(&mut self) -> Result<()> {
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let (to, flags) = (self.place(), self.flags());
        let target = format!("{} ({})", to.name(), joined(&flags));
        self.share.pending = Some(Pending::Append { to, serial, flags: flags.clone() });
        let answer = self.client.append(&target, &proof::message(serial, size(serial)))?;
        let uid = numbers_after(&accepted(&answer), "[APPENDUID ").and_then(|sets| sets.into_iter().nth(1));
        let uid = uid.and_then(|uids| uids.first().copied()).expect("APPENDUID has a uid");
        self.hold((to, uid), Known { serial, flags, modseq: 0, digest: None });
        self.answered();
        Ok(())
    }

    fn store(&mut self) -> Result<()> {
        let Some((at, uids)) = self.choose(8)? else { return self.append() };
        let flags = self.flags();
        let change = match self.random.below(4) {
            0 => Change::Remove(flags),
            1 => Change::Replace(flags),
            _ => Change::Add(flags),
        };
        self.store_as(at, &uids, change)
    }

    fn store_as(&mut self, at: Place, uids: &[u32], change: Change) -> Result<()> {
        self.share.pending = Some(Pending::Store { at, uids: uids.to_vec(), change: change.clone() });
        self.command(&format!("UID STORE {} {}", set(uids), change.text()))?;
        for uid in uids {
            let known = self.share.messages.get_mut(&(at, *uid)).expect("it is this client's");
            known.flags = change.applied(&known.flags);
        }
        self.answered();
        Ok(())
    }

    /// COPY or MOVE to another mailbox of the account.
    fn transfer(&mut self, is_move: bool) -> Result<()> {
        let Some((from, uids)) = self.choose(6)? else { return self.append() };
        let to = Place { mailbox: (from.mailbox + 1 + self.random.below(MAILBOXES.len() - 1)) % 3, ..from };
        let verb = if is_move { "MOVE" } else { "COPY" };
        self.share.pending = Some(match is_move {
            true => Pending::Move { from, uids: uids.clone(), to },
            false => Pending::Copy { from, uids: uids.clone(), to },
        });
        let answer = self.command(&format!("UID {verb} {} {}", set(&uids), to.name()))?;
        let [_, old, new] = &numbers_after(&answer, "[COPYUID ").expect("COPYUID")[..] else {
            panic!("COPYUID is not whole: {answer}");
        };
        assert_eq!((old, new.len()), (&uids, uids.len()), "{answer}");
        for (old, new) in old.iter().zip(new) {
            let known = self.share.messages[&(from, *old)].clone();
            self.hold((to, *new), Known { modseq: 0, digest: None, ..known });
            if is_move {
                self.let_go((from, *old));
            }
        }
        self.answered();
        Ok(())
    }

    fn expunge(&mut self) -> Result<()> {
        let most = (self.share.messages.len() / 2).max(3);
        let Some((at, uids)) = self.choose(most)? else { return self.append() };
        self.store_as(at, &uids, Change::Add(Flags::from(["\\Deleted".to_owned()])))?;
        self.share.pending = Some(Pending::Expunge { at, uids: uids.clone() });
        self.command(&format!("UID EXPUNGE {}", set(&uids)))?;
        uids.iter().for_each(|uid| self.let_go((at, *uid)));
        self.answered();
        Ok(())
    }

    /// Some messages of one mailbox, which is selected; none where there are none.
    fn choose(&mut self, most: usize) -> Result<Option<(Place, Vec<u32>)>> {
        let at = self.place();
        let all: Vec<u32> = self.share.messages.keys().filter(|key| key.0 == at).map(|key| key.1).collect();
        let uids = self.random.some(&all, most);
        if uids.is_empty() {
            return Ok(None);
        }
        if self.selected != Some(at) {
            self.selected = Some(at);
            self.command(&format!("SELECT {}", at.name()))?;
        }
        Ok(Some((at, uids)))
    }

    fn place(&mut self) -> Place {
        Place { account: self.account, mailbox: self.random.below(MAILBOXES.len()) }
    }

    fn flags(&mut self) -> Flags {
        let count = self.random.below(4);
        (0..count).map(|_| (*self.random.pick(&FLAGS)).to_owned()).collect()
    }

    /// Sends a command and returns all that was answered, as text; notes each modseq in it.
    fn command(&mut self, command: &str) -> Result<String> {
        let answer = self.client.command(command)?;
        let text = accepted(&answer);
        let highest = self.selected.map(|at| self.share.modseqs.entry(at).or_default());
        if let (Some(highest), Some(told)) = (highest, modseqs(&text).max()) {
            *highest = told.max(*highest);
        }
        Ok(text)
    }

    fn hold(&mut self, key: Key, known: Known) {
        let before = self.share.messages.insert(key, known);
        assert!(before.is_none(), "{key:?} was given twice");
    }

    fn let_go(&mut self, key: Key) {
        let known = self.share.messages.remove(&key).expect("it is this client's");
        self.share.gone.push((key, known.serial));
    }

    fn answered(&mut self) {
        self.share.pending = None;
        self.share.acknowledged += 1;
    }
}

/// Everything that was answered, without line ends between; panics where it is not OK.
fn accepted(answer: &imap::Answer) -> String {
    assert!(answer.tagged.starts_with("OK"), "{answer:?}");
    let untagged: String = answer.untagged.iter().map(|line| String::from_utf8_lossy(line)).collect();
    untagged + &answer.tagged
}

fn joined(flags: &Flags) -> String {
    flags.iter().cloned().collect::<Vec<_>>().join(" ")
}

fn set(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The sets of numbers between `code` and the next `]`.
fn numbers_after(text: &str, code: &str) -> Option<Vec<Vec<u32>>> {
    let (_, rest) = text.split_once(code)?;
    let (sets, _) = rest.split_once(']')?;
    Some(sets.split(' ').map(numbers).collect())
}

/// `1:3,7` as 1, 2, 3, 7.
fn numbers(set: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once(':').unwrap_or((part, part));
        let number = |text: &str| text.parse::<u32>().unwrap_or_else(|_| panic!("not a number: {set}"));
        number(first)..=number(last)
    };
    set.split(',').flat_map(range).collect()
}

/// Each number behind `MODSEQ (` and `HIGHESTMODSEQ `.
pub fn modseqs(text: &str) -> impl Iterator<Item = u64> {
    text.match_indices("MODSEQ ").filter_map(|(at, word)| {
        let rest = text[at + word.len()..].trim_start_matches('(');
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse().ok()
    })
}
