//! The directory with its journal compacted, and with each of its file operations failing in turn.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use directory::{DirectoryError, Embedded, PasswordSettings};
use disk::faults::{After, Mishap, fault_loop};
use disk::{Crash, Disk, FaultDisk};
use journal::{CompactionSettings, JournalSettings};
use proptest::prelude::*;
use tokio::runtime::Runtime;

fn try_open(disk: &FaultDisk) -> Result<Embedded, DirectoryError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let journal = JournalSettings { segment_bytes: 1_024, ..JournalSettings::default() };
    let domain = "a.example".parse().unwrap();
    Embedded::open_with(disk, Path::new("/directory"), domain, PasswordSettings::default(), journal)
}

fn open(disk: &FaultDisk) -> Embedded {
    try_open(disk).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// All rows in words.
fn shown(directory: &Embedded) -> Vec<String> {
    let domains = directory.domain_list().into_iter().map(|entry| format!("{entry:?}"));
    let accounts = directory.account_list().into_iter().map(|entry| format!("{entry:?}"));
    let addresses = directory.address_list().into_iter().map(|entry| format!("{entry:?}"));
    domains.chain(accounts).chain(addresses).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Domain(bool, u8),
    Account(bool, u8),
    Alias(bool, u8),
    Compact(u8),
    Crash(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let (add, number) = (any::<bool>, 0..6u8);
    prop_oneof![
        2 => (add(), number.clone()).prop_map(|(add, number)| Step::Domain(add, number)),
        5 => (add(), number.clone()).prop_map(|(add, number)| Step::Account(add, number)),
        5 => (add(), number).prop_map(|(add, number)| Step::Alias(add, number)),
        3 => (1..10u8).prop_map(Step::Compact),
        1 => any::<u8>().prop_map(Step::Crash),
    ]
}

fn compact(directory: &Embedded, tenths: u8) -> usize {
    let live_share_max = f64::from(tenths) / 10.0;
    let settings = CompactionSettings { live_share_max, ..CompactionSettings::eager() };
    let report = directory.compact(settings).unwrap();
    assert!(report.stuck.is_empty(), "{report}");
    report.compacted
}

/// Does what is asked for, where the directory's rules allow it.
fn change(runtime: &Runtime, directory: &Embedded, step: &Step) {
    let account = |number: u8| format!("user{number}@a.example").parse().unwrap();
    let _refused = runtime.block_on(async {
        match *step {
            Step::Domain(true, number) => {
                directory.domain_add(format!("{number}.example").parse().unwrap()).await
            }
            Step::Domain(false, number) => {
                directory.domain_delete(format!("{number}.example").parse().unwrap()).await
            }
            Step::Account(true, number) => directory.account_add(account(number), None, number == 0).await,
            Step::Account(false, number) => directory.account_delete(account(number)).await,
            Step::Alias(true, number) => {
                let target = format!("elsewhere{number}@far.example").parse().unwrap();
                directory.address_add(format!("Alias{number}@a.example").parse().unwrap(), vec![target]).await
            }
            Step::Alias(false, number) => {
                directory.address_delete(format!("alias{number}@a.example").parse().unwrap()).await
            }
            Step::Compact(_) | Step::Crash(_) => Ok(()),
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_journal_says_what_was_shown_before_it(steps in proptest::collection::vec(step(), 1..80)) {
        let (disk, runtime) = (FaultDisk::new(), runtime());
        let mut directory = open(&disk);
        runtime.block_on(directory.domain_add("a.example".parse().unwrap())).unwrap();
        for step in steps.iter().chain(&[Step::Compact(9), Step::Crash(1)]) {
            change(&runtime, &directory, step);
            let before = shown(&directory);
            match *step {
                Step::Compact(tenths) => drop(compact(&directory, tenths)),
                Step::Crash(seed) => {
                    disk.crash(if seed % 2 == 0 { Crash::Power } else { Crash::Torn(u64::from(seed)) });
                    directory = open(&disk);
                }
                _ => {}
            }
            prop_assert_eq!(shown(&directory), before);
            let report = directory.check().unwrap();
            prop_assert!(report.is_sound(), "{:?}", report);
        }
    }
}

#[test]
fn rows_that_were_changed_often_take_little_room() {
    let (disk, runtime) = (FaultDisk::new(), runtime());
    let directory = open(&disk);
    runtime.block_on(directory.domain_add("a.example".parse().unwrap())).unwrap();
    for round in 0..200 {
        change(&runtime, &directory, &Step::Alias(round % 2 == 0, 1));
    }
    let (before, full) = (shown(&directory), disk.used_bytes());
    // What says that a row is gone stays as long as an older segment has it: the oldest goes first.
    let compacted: usize =
        std::iter::repeat_with(|| compact(&directory, 9)).take_while(|count| *count > 0).sum();
    assert!(compacted > 5, "{compacted}");
    assert!(disk.used_bytes() < full / 2, "{} of {full} bytes", disk.used_bytes());
    disk.crash(Crash::Power);
    assert_eq!(shown(&open(&disk)), before);
}

/// Accounts that are there, and those of which it is not known: the answer to a change was an error.
#[derive(Debug, Default)]
struct Told {
    there: BTreeSet<u8>,
    gone: BTreeSet<u8>,
}

fn scenario(disk: &FaultDisk) -> (Told, Result<(), DirectoryError>) {
    let (mut told, runtime) = (Told::default(), runtime());
    let ended = try_open(disk).and_then(|directory| {
        let worked = runtime.block_on(work(&directory, &mut told));
        let compacted = directory.compact(CompactionSettings::eager()).map(drop);
        // What compaction could not do it will do another time.
        drop(compacted);
        worked.and(Ok(directory.stop()?))
    });
    (told, ended)
}

async fn work(directory: &Embedded, told: &mut Told) -> Result<(), DirectoryError> {
    directory.domain_add("a.example".parse().unwrap()).await?;
    for number in 0..12 {
        let account = || format!("user{number}@a.example").parse().unwrap();
        directory.account_add(account(), None, false).await?;
        told.there.insert(number);
        if number % 3 != 0 {
            told.there.remove(&number);
            directory.account_delete(account()).await?;
            told.gone.insert(number);
        }
    }
    Ok(())
}

fn check(disk: &FaultDisk, told: &Told, what: &str) {
    let directory = open(disk);
    let names: BTreeSet<_> =
        directory.account_list().into_iter().map(|entry| entry.name.to_string()).collect();
    let is_there = |number: &u8| names.contains(&format!("user{number}@a.example"));
    assert!(told.there.iter().all(is_there), "{what}: {told:?}, {names:?}");
    assert!(!told.gone.iter().any(is_there), "{what}: {told:?}, {names:?}");
    let report = directory.check().unwrap();
    assert!(report.is_sound(), "{what}: {report:?}");
    directory.stop().unwrap();
}

#[test]
fn a_mishap_at_any_operation_loses_no_change_that_was_acknowledged() {
    for mishap in Mishap::ALL {
        let operations = fault_loop(
            mishap,
            |_| {},
            scenario,
            |after: After<'_, _, _>| {
                check(after.disk, &after.acknowledged, &after.to_string());
            },
        );
        assert!(operations > 60, "the mishaps must reach the work: {operations}");
    }
}

/// The check sees what it is for: where syncing does nothing, a power failure loses what was acknowledged.
#[test]
fn without_syncing_the_check_finds_a_loss() {
    let disk = FaultDisk::new();
    disk.sync_ignored(true);
    let (told, ended) = scenario(&disk);
    ended.unwrap();
    disk.sync_ignored(false);
    disk.crash(Crash::Power);
    assert!(catch_unwind(AssertUnwindSafe(|| check(&disk, &told, "without syncing"))).is_err());
}
