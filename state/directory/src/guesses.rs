//! What is remembered of logins, so that guessing gets slow and signing in does not.
//!
//! Failures are counted for each address and for each account; what they cost grows with their number and is forgiven
//! with time. An account that has signed in from an address is known there: somebody else's guesses, at that account or
//! from that address, do not hold it up. All of it is in memory and bounded.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::DirectoryError;

/// The memory of all logins of a directory. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guesses(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    addresses: HashMap<IpAddr, Failures>,
    /// By a keyed hash of the login, which is as long as a client likes.
    accounts: HashMap<u64, Failures>,
    /// Accounts at addresses that they have signed in from.
    known: HashMap<(IpAddr, u64), Failures>,
    turns: HashMap<IpAddr, Arc<Semaphore>>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Who tries to log in, and as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    address: IpAddr,
    account: u64,
}

/// Leave to look at a login, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held until dropped")] Option<OwnedSemaphorePermit>);

impl Guesses {
    /// An attempt from `address` to log in as `account`, in its canonical form.
    pub(crate) fn attempt(&self, address: IpAddr, account: &str) -> Attempt {
        let account = self.0.lock().hasher.hash_one(account);
        Attempt { address: counted_as(address), account }
    }

    /// Waits as long as this attempt deserves: for others from its address, a few at a time, and then for what the
    /// failures before it cost.
    pub(crate) async fn turn(&self, attempt: Attempt) -> Result<Turn, DirectoryError> {
        if self.0.lock().is_known(attempt) {
            return Ok(Turn(None));
        }
        let turns = self.0.lock().turns(attempt.address);
        let turn = timeout(limits::SIGN_IN_WAIT_TIME_MAX, turns.acquire_owned()).await;
        let turn = turn.map_err(|_| DirectoryError::Busy)?.expect("the semaphore is never closed");
        let delay = self.0.lock().delay(attempt, Instant::now());
        sleep(delay).await;
        Ok(Turn(Some(turn)))
    }

    /// The attempt has failed.
    pub(crate) fn failed(&self, attempt: Attempt) {
        self.0.lock().failed(attempt, Instant::now());
    }

    /// The attempt has succeeded.
    pub(crate) fn succeeded(&self, attempt: Attempt) {
        let (key, last) = ((attempt.address, attempt.account), Instant::now());
        *remember(&mut self.0.lock().known, key, last) = Failures { count: 0, last };
    }

    /// The attempt was counted as failed before its end was known, and has succeeded.
    pub(crate) fn forgiven(&self, attempt: Attempt) {
        let mut remembered = self.0.lock();
        let Remembered { addresses, accounts, .. } = &mut *remembered;
        let counted = [addresses.get_mut(&attempt.address), accounts.get_mut(&attempt.account)];
        counted.into_iter().flatten().for_each(|failures| failures.count = failures.count.saturating_sub(1));
    }
}

impl Remembered {
    fn is_known(&self, attempt: Attempt) -> bool {
        let known = self.known.get(&(attempt.address, attempt.account));
        known.is_some_and(|failures| failures.count < limits::SIGN_IN_FAILURES_KNOWN_MAX)
    }

    fn turns(&mut self, address: IpAddr) -> Arc<Semaphore> {
        if self.turns.len() >= limits::SIGN_INS_REMEMBERED_MAX {
            self.turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = self.turns.entry(address);
        turns.or_insert_with(|| Arc::new(Semaphore::new(limits::SIGN_INS_PER_ADDRESS_MAX))).clone()
    }

    fn delay(&self, attempt: Attempt, now: Instant) -> Duration {
        let failures = [self.addresses.get(&attempt.address), self.accounts.get(&attempt.account)];
        failures.into_iter().flatten().map(|failures| delay(failures.at(now))).max().unwrap_or_default()
    }

    fn failed(&mut self, attempt: Attempt, now: Instant) {
        remember(&mut self.addresses, attempt.address, now).add(now);
        remember(&mut self.accounts, attempt.account, now).add(now);
        if let Some(known) = self.known.get_mut(&(attempt.address, attempt.account)) {
            known.count = known.count.saturating_add(1);
        }
    }
}

impl Failures {
    /// Those that are not forgiven yet.
    fn at(&self, now: Instant) -> u32 {
        let forgiven = (now - self.last).as_secs() / limits::SIGN_IN_FORGIVEN_TIME.as_secs();
        self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    fn add(&mut self, now: Instant) {
        *self = Self { count: self.at(now).saturating_add(1), last: now };
    }
}

/// The entry of `key`, made where there is none; the one untouched for longest makes room for it.
fn remember<K: Copy + Eq + std::hash::Hash>(
    map: &mut HashMap<K, Failures>,
    key: K,
    now: Instant,
) -> &mut Failures {
    if map.len() >= limits::SIGN_INS_REMEMBERED_MAX && !map.contains_key(&key) {
        let oldest = map.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| *key);
        oldest.map(|oldest| map.remove(&oldest));
    }
    map.entry(key).or_insert(Failures { count: 0, last: now })
}

fn delay(failures: u32) -> Duration {
    let Some(costly) = failures.checked_sub(limits::SIGN_IN_FAILURES_FREE) else { return Duration::ZERO };
    let factor = 2_u32.saturating_pow(costly);
    limits::SIGN_IN_DELAY_TIME_MIN.saturating_mul(factor).min(limits::SIGN_IN_DELAY_TIME_MAX)
}

/// One customer has a /64 of IPv6 addresses at the least, so that is what is counted.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    async fn guess(guesses: &Guesses, from: &str, account: &str) -> Duration {
        let (attempt, start) = (guesses.attempt(address(from), account), Instant::now());
        let _turn = guesses.turn(attempt).await.expect("a turn");
        guesses.failed(attempt);
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_get_slower_up_to_a_limit_and_are_forgiven_with_time() {
        let guesses = Guesses::default();
        let mut taken = Vec::new();
        for number in 0..20 {
            taken.push(guess(&guesses, "192.0.2.1", &format!("account {number}")).await);
        }
        assert!(taken[..5].iter().all(Duration::is_zero) && taken.is_sorted(), "{taken:?}");
        assert!(taken[19] >= limits::SIGN_IN_DELAY_TIME_MAX && taken[19] < Duration::from_secs(6));
        assert_eq!(guess(&guesses, "192.0.2.2", "somebody").await, Duration::ZERO, "another address");
        sleep(limits::SIGN_IN_FORGIVEN_TIME * 20).await;
        assert_eq!(guess(&guesses, "192.0.2.1", "somebody").await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_many_addresses_guess_at_is_slow_but_not_where_it_is_known() {
        let guesses = Guesses::default();
        let home = guesses.attempt(address("198.51.100.1"), "ann");
        guesses.succeeded(home);
        for number in 0..30 {
            guess(&guesses, &format!("192.0.2.{number}"), "ann").await;
        }
        assert!(guess(&guesses, "192.0.2.200", "ann").await >= limits::SIGN_IN_DELAY_TIME_MAX);
        let start = Instant::now();
        let _turn = guesses.turn(home).await.expect("a turn");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_signs_in_again_and_again_stays_known_when_others_come() {
        let guesses = Guesses::default();
        let home = guesses.attempt(address("198.51.100.1"), "ann");
        guesses.succeeded(home);
        for number in 0..limits::SIGN_INS_REMEMBERED_MAX {
            tokio::time::advance(Duration::from_millis(1)).await;
            guesses.succeeded(home);
            guesses.succeeded(guesses.attempt(address("192.0.2.1"), &format!("account {number}")));
        }
        assert!(guesses.0.lock().is_known(home));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_is_guessed_at_where_it_is_known_gets_slow_there_too() {
        let guesses = Guesses::default();
        guesses.succeeded(guesses.attempt(address("192.0.2.1"), "ann"));
        let mut last = Duration::ZERO;
        for _ in 0..30 {
            last = guess(&guesses, "192.0.2.1", "ann").await;
        }
        assert!(last >= limits::SIGN_IN_DELAY_TIME_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_logins_of_one_address_are_looked_at_at_one_time_and_those_of_another_beside_them() {
        let guesses = Guesses::default();
        let one = guesses.attempt(address("2001:db8::1"), "ann");
        let mut held = Vec::new();
        for _ in 0..limits::SIGN_INS_PER_ADDRESS_MAX {
            held.push(guesses.turn(one).await.expect("a turn"));
        }
        let same_network = guesses.attempt(address("2001:db8::2"), "bob");
        let refused = guesses.turn(same_network).await;
        assert!(matches!(refused, Err(DirectoryError::Busy)), "{refused:?}");
        let other = guesses.attempt(address("2001:db8:0:1::1"), "bob");
        assert!(timeout(Duration::from_secs(1), guesses.turn(other)).await.is_ok());
        drop(held);
        assert!(timeout(Duration::from_secs(1), guesses.turn(same_network)).await.is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut map, now) = (HashMap::new(), Instant::now());
        for key in 0..limits::SIGN_INS_REMEMBERED_MAX + 10 {
            remember(&mut map, key, now + Duration::from_millis(key as u64)).count = 1;
        }
        assert_eq!(map.len(), limits::SIGN_INS_REMEMBERED_MAX);
    }
}
