//! The fault loop over everything that a journal does: the n-th file operation fails, and what was acknowledged is there.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use disk::faults::{After, Mishap, fault_loop};
use disk::{Crash, Disk, FaultDisk, OpenMode};
use journal::{Journal, JournalError, JournalSettings, SequencerError};
use kit::{Command, DIR, LogView, Opened, open_with, settings};

type Model = BTreeMap<u8, (Bytes, bool)>;

/// What a run was told.
#[derive(Debug, Clone, Default)]
struct Told {
    acknowledged: Vec<Command>,
    /// The command that failed: it may have become durable.
    in_doubt: Option<Command>,
}

type Ended = Result<(), SequencerError>;

fn value(number: u8) -> Bytes {
    Bytes::from(vec![number; 60])
}

/// Commands of every kind on few names.
fn commands(count: u8) -> impl Iterator<Item = Command> {
    (0..count).map(|number| match number % 5 {
        0 | 1 => Command::PutData(number % 7, value(number)),
        2 => Command::Put(number % 7, value(number)),
        3 => Command::Flag(number % 7, true),
        _ => Command::Delete((number + 3) % 7),
    })
}

fn model<'a>(commands: impl IntoIterator<Item = &'a Command>) -> Model {
    let mut model = Model::new();
    for command in commands {
        match command.clone() {
            Command::Put(name, value) | Command::PutData(name, value) => {
                model.insert(name, (value, false));
            }
            Command::Flag(name, flag) => {
                model.entry(name).and_modify(|row| row.1 = flag);
            }
            Command::Delete(name) => drop(model.remove(&name)),
            Command::Panic => unreachable!("not among the commands"),
        }
    }
    model
}

/// Submits until one fails for another reason than room.
fn submit(opened: &Opened, told: &mut Told, commands: impl IntoIterator<Item = Command>) -> Ended {
    for command in commands {
        match opened.submit(command.clone()) {
            Ok(_) => told.acknowledged.push(command),
            Err(SequencerError::NoSpace) => {}
            Err(error) => {
                told.in_doubt = Some(command);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// What is wrong with what a run has left, if something is.
fn wrong(disk: &FaultDisk, settings: &JournalSettings, told: &Told) -> Option<String> {
    let opened = match open_with(disk, LogView::default(), settings.clone()) {
        Ok(opened) => opened,
        Err(error) => return Some(format!("does not open: {error}")),
    };
    if !opened.journal.damage().is_empty() {
        return Some(format!("damaged: {:?}", opened.journal.damage()));
    }
    let shown = opened.shown();
    let with_doubt = told.acknowledged.iter().chain(&told.in_doubt);
    if shown != model(&told.acknowledged) && shown != model(with_doubt) {
        return Some(format!("lost: {told:?} and {shown:?}"));
    }
    let verified = opened.journal.verify().unwrap();
    if !verified.is_empty() {
        return Some(format!("not as written: {verified:?}"));
    }
    if let Err(error) = opened.submit(Command::Put(99, value(99))) {
        return Some(format!("takes nothing: {error}"));
    }
    let stopped = opened.sequencer.stop();
    let again = open_with(disk, LogView::default(), settings.clone()).unwrap();
    (stopped.is_err() || !again.shown().contains_key(&99)).then(|| "does not go on".to_owned())
}

/// Whether an error is what a process may say of a mishap: the disk's own error, or that it has no room.
fn is_fitting(mishap: Mishap, ended: &Ended) -> bool {
    match ended {
        Ok(()) => true,
        Err(SequencerError::NoSpace) => mishap == Mishap::NoSpace,
        Err(SequencerError::Journal(JournalError::Io { error, .. })) => {
            mishap != Mishap::NoSpace || disk::is_no_space(error)
        }
        Err(SequencerError::Journal(JournalError::Poisoned(_))) => mishap != Mishap::NoSpace,
        Err(_) => false,
    }
}

/// A scenario with all mishaps at each of its operations. Gives the operations of an undisturbed run.
fn loop_over(
    settings: &JournalSettings,
    prepare: impl Fn(&FaultDisk) -> Told,
    scenario: impl Fn(&FaultDisk, &mut Told) -> Ended,
) -> u64 {
    let loop_of = |mishap| {
        let prepared = RefCell::new(Told::default());
        let run = |disk: &FaultDisk| {
            let mut told = prepared.borrow().clone();
            let ended = scenario(disk, &mut told);
            (told, ended)
        };
        let check = |after: After<'_, Told, SequencerError>| {
            assert!(is_fitting(mishap, &after.ended), "{after}");
            let wrong = wrong(after.disk, settings, &after.acknowledged);
            assert!(wrong.is_none(), "{after}: {}", wrong.unwrap_or_default());
        };
        fault_loop(mishap, |disk| drop(prepared.replace(prepare(disk))), run, check)
    };
    Mishap::ALL.map(loop_of).into_iter().min().unwrap()
}

/// A journal with `count` commands in it, ended well.
fn written(disk: &FaultDisk, settings: &JournalSettings, count: u8) -> Told {
    let opened = open_with(disk, LogView::default(), settings.clone()).unwrap();
    let mut told = Told::default();
    submit(&opened, &mut told, commands(count)).unwrap();
    opened.sequencer.stop().unwrap();
    told
}

fn open_and_submit(disk: &FaultDisk, settings: &JournalSettings, told: &mut Told, count: u8) -> Ended {
    let opened = open_with(disk, LogView::default(), settings.clone())?;
    submit(&opened, told, commands(count))?;
    opened.sequencer.stop()
}

#[test]
fn appending_and_closing_under_faults_loses_nothing() {
    let settings = JournalSettings { ahead_bytes: 500, ..settings(1 << 20) };
    let operations =
        loop_over(&settings, |_| Told::default(), |disk, told| open_and_submit(disk, &settings, told, 8));
    assert!(operations > 20, "{operations}");
}

#[test]
fn rotating_under_faults_loses_nothing() {
    let settings = JournalSettings { ahead_bytes: 300, ..settings(400) };
    let operations =
        loop_over(&settings, |_| Told::default(), |disk, told| open_and_submit(disk, &settings, told, 14));
    assert!(operations > 50, "{operations}");
}

#[test]
fn opening_a_journal_with_a_torn_tail_under_faults_loses_nothing() {
    let settings = settings(400);
    let prepare = |disk: &FaultDisk| {
        let told = written(disk, &settings, 12);
        let opened = open_with(disk, LogView::default(), settings.clone()).unwrap();
        opened.submit(Command::Put(50, value(50))).unwrap();
        disk.crash(Crash::Process);
        drop(opened);
        let last =
            disk.list(Path::new(DIR)).unwrap().into_iter().rfind(|name| name.ends_with(".seg")).unwrap();
        let last = disk.open(&Path::new(DIR).join(last), OpenMode::Write).unwrap();
        last.set_len(last.len().unwrap() - 5).unwrap();
        last.sync_data().unwrap();
        told
    };
    let operations = loop_over(&settings, prepare, |disk, told| open_and_submit(disk, &settings, told, 2));
    assert!(operations > 20, "{operations}");
}

/// Opens, compacts, and goes on a little.
fn open_and_compact(disk: &FaultDisk, settings: &JournalSettings, told: &mut Told) -> Ended {
    let opened = open_with(disk, LogView::default(), settings.clone())?;
    // What fails here is told by the store, or is of one segment, which stays.
    let _ = opened.compaction().run_once();
    submit(&opened, told, commands(2))?;
    opened.sequencer.stop()
}

#[test]
fn compacting_under_faults_loses_nothing_and_brings_nothing_back() {
    let settings = JournalSettings { ahead_bytes: 300, ..settings(400) };
    let operations = loop_over(
        &settings,
        |disk| written(disk, &settings, 14),
        |disk, told| open_and_compact(disk, &settings, told),
    );
    assert!(operations > 100, "{operations}");
}

#[test]
fn joining_gaps_under_faults_loses_nothing_and_brings_nothing_back() {
    let settings = settings(400);
    let prepare = |disk: &FaultDisk| {
        let mut told = written(disk, &settings, 11);
        let opened = open_with(disk, LogView::default(), settings.clone()).unwrap();
        assert!(opened.compact().compacted > 0);
        submit(&opened, &mut told, commands(7)).unwrap();
        opened.sequencer.stop().unwrap();
        assert!(disk.list(Path::new(DIR)).unwrap().iter().any(|name| name.ends_with(".gap")));
        told
    };
    let operations = loop_over(&settings, prepare, |disk, told| open_and_compact(disk, &settings, told));
    assert!(operations > 100, "{operations}");
}

#[test]
fn making_and_giving_back_the_reserve_under_faults_loses_nothing() {
    let settings = JournalSettings { reserve_bytes: 2_000, space_low_bytes: 500, ..settings(1 << 20) };
    let prepare = |disk: &FaultDisk| {
        let told = written(disk, &settings, 4);
        disk.remove(&Path::new(DIR).join("RESERVE")).unwrap();
        told
    };
    let scenario = |disk: &FaultDisk, told: &mut Told| {
        let opened = open_with(disk, LogView::default(), settings.clone())?;
        submit(&opened, told, commands(4))?;
        if !disk.has_failed() {
            disk.capacity_set(disk.used_bytes() + 100);
        }
        submit(&opened, told, commands(6))?;
        opened.sequencer.stop()
    };
    let operations = loop_over(&settings, prepare, scenario);
    assert!(operations > 25, "{operations}");
}

/// The control: on a disk that ignores syncs the same check must find a loss, else it would see none anywhere.
#[test]
fn a_disk_that_ignores_syncs_is_found_out() {
    for crash in [Crash::Power, Crash::Torn(3)] {
        let disk = FaultDisk::new();
        let settings = settings(400);
        let mut told = written(&disk, &settings, 3);
        disk.sync_ignored(true);
        open_and_submit(&disk, &settings, &mut told, 12).unwrap();
        disk.sync_ignored(false);
        disk.crash(crash);
        assert!(wrong(&disk, &settings, &told).is_some(), "{crash:?}");
    }
}
