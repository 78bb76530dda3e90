//! The embedded directory: the contract, and what a crash leaves of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use address::{AccountName, Address};
use contract::FIXTURE;
use directory::{Directory, DirectoryError, Embedded, PasswordSettings, Resolution};
use disk::{Crash, Disk, FaultDisk, RealDisk};
use sasl::Password;
use telemetry::Fault;

/// Hashes that cost little.
fn cheap() -> PasswordSettings {
    PasswordSettings {
        argon2_memory_kib: 1_024,
        argon2_passes: 1,
        scram_iterations: 4_096,
        ..Default::default()
    }
}

fn open_with(disk: &Arc<dyn Disk>, dir: &Path, passwords: PasswordSettings) -> Embedded {
    Embedded::open(disk.clone(), dir, FIXTURE.default_domain.parse().unwrap(), passwords).unwrap()
}

fn open(disk: &Arc<dyn Disk>) -> Embedded {
    open_with(disk, Path::new("/directory"), cheap())
}

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// Makes the entries of the fixture.
async fn fill(directory: &Embedded) {
    for domain in FIXTURE.domains {
        directory.domain_add(domain.parse().unwrap()).await.unwrap();
    }
    for (name, text, admin) in FIXTURE.accounts {
        let text = text.map(password);
        directory.account_add(account(name), text.as_ref(), *admin).await.unwrap();
    }
    for (text, targets) in FIXTURE.addresses {
        let targets = targets.iter().map(|target| address(target)).collect();
        directory.address_add(address(text), targets).await.unwrap();
    }
}

/// With the hashes that are used in earnest, on a real disk.
#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_before_and_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let directory = open_with(&disk, dir.path(), PasswordSettings::default());
    fill(&directory).await;
    contract::holds(&directory).await;
    directory.stop().unwrap();
    drop(directory);
    contract::holds(&open_with(&disk, dir.path(), PasswordSettings::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_crash_and_the_decoys_stay() {
    for crash in [Crash::Process, Crash::Power, Crash::Torn(1), Crash::Torn(2)] {
        let fault = FaultDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(fault.clone());
        let directory = open(&disk);
        fill(&directory).await;
        let (domains, accounts) = (directory.domain_list(), directory.account_list());
        let (addresses, decoy) = (directory.address_list(), directory.credentials("nobody").await.unwrap());
        fault.crash(crash);
        drop(directory);
        let reopened = open(&disk);
        assert_eq!(reopened.domain_list(), domains);
        assert_eq!(reopened.account_list(), accounts);
        assert_eq!(reopened.address_list(), addresses);
        assert_eq!(reopened.credentials("nobody").await.unwrap(), decoy);
        contract::holds(&reopened).await;
    }
}

/// Each operation of the disk fails once; a change is then either refused and absent or answered and there.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_answered_only_if_it_is_there_after_a_crash() {
    for nth in 1..200 {
        let fault = FaultDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(fault.clone());
        let directory = open(&disk);
        directory.domain_add("example.com".parse().unwrap()).await.unwrap();
        let before = fault.operations();
        fault.fail_nth(nth, ErrorKind::Other);
        let answer = directory.account_add(account("joe@example.com"), None, true).await;
        let untouched = fault.operations() - before < nth;
        fault.heal();
        fault.crash(Crash::Power);
        drop(directory);
        let there = open(&disk).account(&account("joe@example.com")).await.unwrap().is_some();
        assert_eq!(answer.is_ok(), there, "operation {nth}: {answer:?}");
        if untouched {
            assert!(nth > 1 && answer.is_ok(), "a change that touches the disk in no way");
            return;
        }
        let error = answer.expect_err("the disk failed");
        assert!(matches!(error.fault(), Fault::Local | Fault::Temporary), "{error}");
    }
    panic!("a change takes fewer operations than that");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_replaces_the_old_one_for_all_mechanisms() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let directory = open(&disk);
    fill(&directory).await;
    let jane = account("jane@example.com");
    let before = directory.credentials("jane").await.unwrap();
    directory.account_passwd(jane.clone(), &password("new")).await.unwrap();
    assert_eq!(directory.verify_password("jane", &password("jane's password")).await.unwrap(), None);
    assert_eq!(directory.verify_password("jane", &password("new")).await.unwrap(), Some(jane));
    assert_ne!(directory.credentials("jane").await.unwrap().keys, before.keys);
    let unknown = directory.account_passwd(account("nobody@example.com"), &password("new")).await;
    assert!(matches!(unknown, Err(DirectoryError::AccountUnknown(_))), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_no_client_can_send_is_refused() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let directory = open(&disk);
    fill(&directory).await;
    let refused = directory.account_passwd(account("jane@example.com"), &password("a\u{7}")).await;
    assert!(matches!(&refused, Err(DirectoryError::Password(_))), "{refused:?}");
    assert_eq!(refused.unwrap_err().fault(), Fault::Policy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_with_its_addresses_and_its_login() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let directory = open(&disk);
    fill(&directory).await;
    let jane = account("jane@example.com");
    let refused = directory.account_delete(jane.clone()).await;
    assert!(matches!(refused, Err(DirectoryError::StillTarget { .. })), "{refused:?}");
    for alias in ["everybody@example.com", "staff@example.com"] {
        directory.address_delete(address(alias)).await.unwrap();
    }
    directory.account_delete(jane).await.unwrap();
    let resolution = directory.resolve(&address("jane.doe@example.com")).await.unwrap();
    assert_eq!(resolution, Resolution::Unknown);
    assert_eq!(directory.verify_password("jane", &password("jane's password")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_without_any_account_keeps_its_postmaster_waiting() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let directory = open(&disk);
    directory.domain_add("example.com".parse().unwrap()).await.unwrap();
    let error = directory.resolve(&address("postmaster@example.com")).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Temporary);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_equal_additions_at_once_one_is_refused() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let directory = open(&disk);
    directory.domain_add("example.com".parse().unwrap()).await.unwrap();
    let add = || directory.account_add(account("joe@example.com"), None, false);
    let (one, other) = tokio::join!(add(), add());
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|done| **done).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_beyond_the_queue_are_told_to_come_back() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let settings = PasswordSettings { hashes_at_once: 1, hashes_waiting: 0, ..cheap() };
    let directory = open_with(&disk, Path::new("/directory"), settings);
    let answer = directory.verify_password("joe", &password("x")).await;
    assert_eq!(answer.unwrap_err().fault(), Fault::Temporary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_directory_answers_and_changes_nothing() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let directory = open(&disk);
    fill(&directory).await;
    directory.stop().unwrap();
    assert!(directory.domain_add("new.example".parse().unwrap()).await.is_err());
    assert!(directory.account(&account("jane@example.com")).await.unwrap().is_some());
}

#[tokio::test]
async fn who_guesses_passwords_waits_longer_and_longer_and_nobody_else_does() {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let embedded = open(&disk);
    fill(&embedded).await;
    let directory: Arc<dyn Directory> = Arc::new(embedded);
    let guesser = directory::for_session(&directory, "192.0.2.1".parse().unwrap());
    let user = directory::for_session(&directory, "192.0.2.2".parse().unwrap());
    let mut waited = Vec::new();
    for number in 0..9 {
        let start = Instant::now();
        guesser.verify_password("jane", &password(&format!("guess {number}"))).await.unwrap();
        waited.push(start.elapsed());
    }
    assert!(waited[8] >= limits::SIGN_IN_DELAY_TIME_MIN * 8, "{waited:?}");
    let start = Instant::now();
    let joe = user.verify_password("joe@example.org", &password("joe's p\u{e4}ssword")).await.unwrap();
    assert_eq!(joe, Some(account("joe@example.org")));
    assert!(start.elapsed() < limits::SIGN_IN_DELAY_TIME_MIN * 8);
}
