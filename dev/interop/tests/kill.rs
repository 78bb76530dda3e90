//! kill -9 under a load of SMTP, LMTP and IMAP APPEND: after each restart every acknowledged message is there,
//! whole, and at most once more for each reply that was lost.

use interop::trial;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::trial::Account;
use testkit::{Trial, imap, proof, smtp};

/// Rounds in the test command; `make soak` asks for more.
fn rounds() -> u64 {
    std::env::var("TARTAN_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

/// What was handed over so far: the serial numbers that were acknowledged, and those whose reply never came.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    acknowledged: Mutex<Vec<u64>>,
    unanswered: Mutex<Vec<u64>>,
}

impl Ledger {
    fn serial(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn record(&self, serial: u64, acknowledged: Option<bool>) {
        match acknowledged {
            Some(true) => self.acknowledged.lock().expect("no panic in a holder").push(serial),
            Some(false) => {}
            None => self.unanswered.lock().expect("no panic in a holder").push(serial),
        }
    }
}

/// Hands messages over until the connection breaks or the round ends.
type Load = fn(&Trial, &Account, &Ledger, &AtomicBool) -> std::io::Result<()>;

fn by_smtp(trial: &Trial, account: &Account, ledger: &Ledger, stop: &AtomicBool) -> std::io::Result<()> {
    by_session(smtp::Client::smtp(&trial.address("mx"))?, account, ledger, stop)
}

fn by_lmtp(trial: &Trial, account: &Account, ledger: &Ledger, stop: &AtomicBool) -> std::io::Result<()> {
    by_session(smtp::Client::lmtp(&trial.address("lmtp"))?, account, ledger, stop)
}

fn by_session(
    mut client: smtp::Client,
    account: &Account,
    ledger: &Ledger,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let serial = ledger.serial();
        let sent =
            client.send("load@client.test", &[&account.address], &proof::message(serial, size(serial)));
        ledger.record(serial, sent.as_ref().ok().map(|replies| replies[0].is_accepted()));
        sent?;
    }
    Ok(())
}

fn by_append(trial: &Trial, account: &Account, ledger: &Ledger, stop: &AtomicBool) -> std::io::Result<()> {
    let mut client = imap::Client::login(trial, account)?;
    while !stop.load(Ordering::Relaxed) {
        let serial = ledger.serial();
        let answer = client.append("INBOX", &proof::message(serial, size(serial)));
        ledger.record(serial, answer.as_ref().ok().map(|answer| answer.tagged.starts_with("OK")));
        answer?;
    }
    Ok(())
}

/// Mostly small; every 50th is larger than what is kept in memory.
fn size(serial: u64) -> usize {
    if serial.is_multiple_of(50) {
        1_500_000
    } else {
        200 + usize::try_from(serial % 7).expect("below 7") * 1_100
    }
}

fn spawn(
    load: Load,
    trial: &Arc<Trial>,
    account: &Account,
    ledger: &Arc<Ledger>,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (trial, account) = (Arc::clone(trial), account.clone());
    let (ledger, stop) = (Arc::clone(ledger), Arc::clone(stop));
    // A connection that broke is what a kill looks like; what it left unanswered is in the ledger.
    std::thread::spawn(move || drop(load(&trial, &account, &ledger, &stop)))
}

/// How often each serial number is in the account's INBOX; panics at a damaged message.
fn stored(trial: &Trial, account: &Account) -> BTreeMap<u64, usize> {
    let mut client = imap::Client::login(trial, account).expect("a login after the restart");
    client.ok("EXAMINE INBOX").expect("INBOX is there after the restart");
    let mut found = BTreeMap::new();
    for message in client.messages().expect("every message can be read") {
        let serial = proof::check(&message).expect("only proofs were sent").expect("the message is whole");
        *found.entry(serial).or_default() += 1;
    }
    found
}

fn missing(ledger: &Ledger, found: &BTreeMap<u64, usize>) -> Vec<u64> {
    let acknowledged = ledger.acknowledged.lock().expect("no panic in a holder");
    acknowledged.iter().copied().filter(|serial| !found.contains_key(serial)).collect()
}

fn empty(trial: &Trial, account: &Account) {
    let mut client = imap::Client::login(trial, account).expect("a login");
    client.ok("SELECT INBOX").expect("INBOX");
    client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)").expect("flags");
    client.ok("EXPUNGE").expect("an empty mailbox");
}

#[test]
fn every_acknowledged_message_is_there_and_whole_after_each_kill() {
    let (trial, _folder) = trial();
    let account = trial.contract.accounts[0].clone();
    let mut trial = Arc::new(trial);
    let mut total = 0;
    for round in 0..rounds() {
        let ledger = Arc::new(Ledger::default());
        ledger.next.store(round * 1_000_000, Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let loads: [Load; 6] = [by_smtp, by_smtp, by_lmtp, by_lmtp, by_append, by_append];
        let threads: Vec<_> =
            loads.into_iter().map(|load| spawn(load, &trial, &account, &ledger, &stop)).collect();
        // Moments spread over the life of a process, different in each round.
        std::thread::sleep(Duration::from_millis(150 + (round * 389) % 1_300));
        kill(&trial);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().expect("a load never panics"));
        let mut own = Arc::into_inner(trial).expect("the loads have ended");
        own.restart();
        total += verify(round, &own, &account, &ledger);
        empty(&own, &account);
        trial = Arc::new(own);
    }
    assert!(total > rounds() * 10, "only {total} messages were acknowledged in all: that was no load");
    println!("{total} acknowledged messages in {} rounds, all there and whole", rounds());
}

/// Ends the process while the loads still hold the trial.
fn kill(trial: &Trial) {
    let status = std::process::Command::new("kill").args(["-9", &trial.pid().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

fn verify(round: u64, trial: &Trial, account: &Account, ledger: &Ledger) -> u64 {
    // What SMTP had accepted may still be in the spool: it has 30 seconds to arrive.
    let end = Instant::now() + Duration::from_secs(30);
    let mut found = stored(trial, account);
    while !missing(ledger, &found).is_empty() {
        assert!(Instant::now() < end, "{}", account_of_loss(round, trial, &missing(ledger, &found)));
        std::thread::sleep(Duration::from_millis(200));
        found = stored(trial, account);
    }
    let unanswered = ledger.unanswered.lock().expect("no panic in a holder").len();
    let doubled: usize = found.values().map(|count| count - 1).sum();
    // A reply that was lost between relay and lmtpd may cost one more copy: at most one for each worker's message in flight.
    assert!(
        doubled <= unanswered + RELAYS_IN_FLIGHT,
        "round {round}: {doubled} doubled, {unanswered} unanswered"
    );
    ledger.acknowledged.lock().expect("no panic in a holder").len() as u64
}

/// What an engineer needs to know of messages that are not there.
fn account_of_loss(round: u64, trial: &Trial, missing: &[u64]) -> String {
    let traces: String = missing
        .iter()
        .take(3)
        .map(|serial| trial.tartan(&["trace", &format!("<proof-{serial}@client.test>")]))
        .collect();
    let spool = trial.tartan(&["spool", "list"]);
    format!("round {round}: not there: {missing:?}\n{traces}\n{spool}\n{}", trial.log())
}

/// Messages that the relay may have handed to lmtpd at once.
const RELAYS_IN_FLIGHT: usize = 64;
