//! kill -9 at random moments, also while it starts, under a load of SMTP, LMTP and IMAP APPEND, STORE, COPY, MOVE and
//! UID EXPUNGE from several clients at once, with compaction running. After each restart every acknowledged message is
//! there, whole, exactly once where it was sent once, and at most once more for each reply that was lost; flags are those that
//! were acknowledged; no uid is given twice, no modseq goes back, nothing expunged comes back. The same holds of a
//! view that is made again from the journal.
//!
//! `TARTAN_KILL_SEED` repeats the choices of a run; the moments of the kills are real time all the same.

mod dump;
mod model;
mod random;
mod sender;
mod verdict;
mod worker;

use interop::settings::{self, COMPACTING, Setting};
use interop::{metrics, trial};
use model::{Model, Share, Wire};
use random::Random;
use sender::Load;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};
use testkit::{Trial, program};
use verdict::Round;

/// Accounts of the load.
const ACCOUNTS: usize = 2;
/// The account of each IMAP client.
const WORKERS: [usize; 5] = [0, 0, 0, 0, 1];
/// Clients that hand messages over.
const SENDERS: [Wire; 4] = [Wire::Smtp, Wire::Smtp, Wire::Lmtp, Wire::Lmtp];
/// Connections of the relay to lmtpd, each with one message under way.
const RELAYED_AT_ONCE: usize = 4;
/// Rounds after each of which the views are made again.
const REBUILT_EVERY: u64 = 4;
/// Beside those that have everything compacted.
const RELAY: Setting<'_> = ("relay", "lmtp_connections", "4");

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Rounds in the test command; `make soak` asks for more.
fn rounds() -> u64 {
    number("TARTAN_KILL_ROUNDS").unwrap_or(20)
}

fn seed() -> u64 {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos();
    number("TARTAN_KILL_SEED").unwrap_or_else(|| u64::try_from(clock() % 1_000_000_007).expect("small"))
}

/// A system under load, and what is known of it.
struct Run {
    trial: Trial,
    model: Model,
    random: Random,
    load: Load,
    acknowledged: u64,
    doubled: usize,
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_gone_comes_back_at_any_kill() {
    let seed = seed();
    println!("TARTAN_KILL_SEED={seed}");
    let (mut trial, _folder) = trial();
    settings::set(&mut trial, &[&COMPACTING[..], &[RELAY]].concat());
    let random = Random::new(seed);
    let all_connected = Barrier::new(WORKERS.len() + SENDERS.len() + 1);
    let load = Load { serials: AtomicU64::new(1), all_connected };
    let mut run = Run { trial, model: Model::default(), random, load, acknowledged: 0, doubled: 0 };
    run.look(&Round { shares: Vec::new(), sent: Vec::new(), kills: 0, relayed_at_once: 0 }, "at first");
    for number in 0..rounds() {
        let round = run.round();
        run.look(&round, &format!("seed {seed}, round {number}"));
        if number % REBUILT_EVERY == REBUILT_EVERY - 1 {
            run.rebuild(&format!("seed {seed}, views made again after round {number}"));
        }
    }
    let (acknowledged, doubled) = (run.acknowledged, run.doubled);
    assert!(acknowledged > rounds() * 20, "only {acknowledged} commands were acknowledged: that was no load");
    let compacted = ["mailstore", "spool"].map(|store| run.compactions(store));
    assert!(compacted.iter().all(|times| *times >= rounds() / 4), "compacted only {compacted:?} times");
    println!("{acknowledged} commands acknowledged in {} rounds; {doubled} messages came twice", rounds());
    println!("mail store and queue were compacted {compacted:?} times");
}

impl Run {
    /// Load, a kill, sometimes more of them while it starts, and a start.
    fn round(&mut self) -> Round {
        let mut round = self.killed_under_load();
        self.trial.kill();
        while self.random.once_in(3) {
            let after = Duration::from_millis(self.random_below(400));
            self.killed_while_it_starts(after);
            round.kills += 1;
        }
        self.trial.restart();
        round
    }

    fn random_below(&mut self, bound: usize) -> u64 {
        u64::try_from(self.random.below(bound)).expect("64 bits")
    }

    /// Runs all clients, and kills the process under them.
    fn killed_under_load(&mut self) -> Round {
        let moment = Duration::from_millis(50 + self.random_below(1_200));
        let shares = self.shares();
        let (trial, load, random) = (&self.trial, &self.load, &mut self.random);
        std::thread::scope(|scope| {
            let workers = shares.into_iter().zip(WORKERS).map(|(share, account)| {
                let random = random.fork();
                scope.spawn(move || worker::work(trial, account, load, random, share))
            });
            let workers: Vec<_> = workers.collect();
            let senders = SENDERS.map(|wire| {
                let random = random.fork();
                scope.spawn(move || sender::send(trial, wire, load, random))
            });
            load.all_connected.wait();
            std::thread::sleep(moment);
            kill(trial.pid());
            let shares = workers.into_iter().map(|worker| worker.join().expect("no command is refused"));
            let sent = senders.into_iter().flat_map(|sender| sender.join().expect("a sender never panics"));
            let (shares, sent) = (shares.collect(), sent.collect());
            Round { shares, sent, kills: 1, relayed_at_once: RELAYED_AT_ONCE }
        })
    }

    /// Gives each message to one of the clients of its account.
    fn shares(&mut self) -> Vec<Share> {
        let mut shares: Vec<Share> = WORKERS.iter().map(|_| Share::default()).collect();
        for (key, known) in &self.model.messages {
            let own: Vec<usize> = (0..WORKERS.len()).filter(|n| WORKERS[*n] == key.0.account).collect();
            let client = *self.random.pick(&own);
            shares[client].messages.insert(*key, known.clone());
        }
        shares
    }

    /// Starts the process and kills it before it may be ready.
    fn killed_while_it_starts(&self, after: Duration) {
        let mut starting = Command::new(testkit::trial::binary())
            .args(["serve", "--config"])
            .arg(&self.trial.contract.config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tartan starts");
        std::thread::sleep(after);
        starting.kill().expect("it can be killed");
        starting.wait().expect("the killed process can be waited for");
    }

    /// Waits until the queue is empty, reads everything and compares it with what is known.
    fn look(&mut self, round: &Round, when: &str) {
        self.drain(when);
        let dump = dump::dump(&self.trial, ACCOUNTS);
        let (problems, doubled) = verdict::judge(&self.model, round, &dump);
        assert!(problems.is_empty(), "{when}:\n{}\n{}", problems.join("\n"), self.trial.log());
        self.model = verdict::learned(&self.model, round, &dump);
        self.acknowledged += round.shares.iter().map(|share| share.acknowledged).sum::<u64>();
        self.doubled += doubled;
    }

    /// What SMTP had accepted may still be in the spool: it has 30 seconds to arrive.
    fn drain(&self, when: &str) {
        let is_empty = || metrics::sum(&self.trial, "tartan_spool_messages", &[]) < 0.5;
        program::eventually(Duration::from_secs(30), &format!("{when}: an empty queue"), || {
            is_empty().then_some(())
        });
    }

    /// How often all processes so far have said that they compacted a store.
    fn compactions(&self, store: &str) -> u64 {
        let said = format!("compaction store=\"{store}\"");
        u64::try_from(self.trial.log().matches(&said).count()).expect("64 bits")
    }

    /// Has everything checked, stops, removes the views, starts: everything is as it was.
    fn rebuild(&mut self, when: &str) {
        let before = dump::dump(&self.trial, ACCOUNTS);
        self.trial.tartan(&["check"]);
        assert!(self.trial.terminate(), "{when}: it ends cleanly");
        for store in ["mailstore", "spool"] {
            let view = self.trial.contract.data.join(store).join("view");
            std::fs::remove_dir_all(&view).unwrap_or_else(|error| panic!("{}: {error}", view.display()));
        }
        self.trial.restart();
        let after = dump::dump(&self.trial, ACCOUNTS);
        let problems = verdict::changed(ACCOUNTS, &before, &after);
        assert!(problems.is_empty(), "{when}:\n{}", problems.join("\n"));
    }
}

/// Ends the process while its clients still hold it.
fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success());
}
