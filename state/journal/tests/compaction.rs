//! Compaction: what remains gives the view that was maintained, whatever happens in between.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use disk::{Crash, Disk, FaultDisk, OpenMode};
use journal::{
    Class, Compaction, CompactionError, CompactionSettings, GapKind, Journal, JournalError, JournalSettings,
    Lsn, SequencerError, ViewRead,
};
use kit::{Command, DIR, LogView, Opened, Value, open, open_with, rebuilt, rows, settings, shown};
use proptest::prelude::*;

fn value(number: usize) -> Bytes {
    Bytes::from(format!("value {number} ").repeat(8))
}

fn files(disk: &FaultDisk, suffix: &str) -> Vec<String> {
    let names = disk.list(Path::new(DIR)).unwrap();
    names.into_iter().filter(|name| name.ends_with(suffix)).collect()
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

/// Overwrites few names many times, so that most segments hold nothing that is needed.
fn overwrite(opened: &Opened, times: usize) {
    for number in 0..times {
        opened.submit(Command::PutData(number as u8 % 4, value(number))).unwrap();
    }
}

/// Compacts until nothing more qualifies.
fn compact_all(opened: &Opened) -> usize {
    let rounds = (0..50).map(|_| opened.compact().compacted);
    rounds.take_while(|compacted| *compacted > 0).sum()
}

#[test]
fn dead_segments_make_room_and_what_is_live_stays_readable() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    opened.submit(Command::PutData(200, value(9_999))).unwrap();
    overwrite(&opened, 100);
    let (before, shown) = (disk.used_bytes(), opened.shown());
    let report = opened.compact();
    assert!(report.compacted > 10 && report.freed_bytes > 5 * report.written_bytes, "{report}");
    assert!(disk.used_bytes() < before / 3);
    assert_eq!(opened.shown(), shown);
    assert_eq!(files(&disk, ".gap").len(), 1, "neighbouring gaps are one");
    assert!(opened.journal.verify().unwrap().is_empty());
    drop(opened);
    assert_eq!(open(&disk).unwrap().shown(), shown);
}

#[test]
fn a_place_in_a_segment_that_is_gone_is_told_apart_from_damage_and_the_view_has_the_new_one() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    opened.submit(Command::PutData(200, value(1))).unwrap();
    let Value::At(old) = rows(&*opened.view).unwrap()[&200].value.clone() else { panic!("data") };
    overwrite(&opened, 40);
    opened.compact();
    assert!(
        matches!(opened.journal.record_read(&old), Err(JournalError::SegmentGone(place)) if place == old)
    );
    let Value::At(new) = rows(&*opened.view).unwrap()[&200].value.clone() else { panic!("data") };
    assert_eq!(opened.journal.record_read(&new).unwrap(), value(1));
}

#[test]
fn what_was_deleted_does_not_come_back_when_the_segment_of_its_removal_goes_first() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    // The first segment stays: nearly all of it is live. The removal stands in the second.
    for name in 200..203 {
        opened.submit(Command::Put(name, value(1))).unwrap();
    }
    opened.submit(Command::Put(7, Bytes::from_static(b"x"))).unwrap();
    opened.submit(Command::Delete(7)).unwrap();
    overwrite(&opened, 60);
    compact_all(&opened);
    assert_eq!(opened.journal.gaps()[0].first, Lsn(5), "the segment of the removal is gone");
    assert!(!opened.shown().contains_key(&7));
    drop(opened);
    let opened = open(&disk).unwrap();
    assert!(!opened.shown().contains_key(&7) && opened.shown().contains_key(&200));
}

#[test]
fn removals_go_too_when_no_older_segment_speaks_of_what_they_remove() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    for name in 0..60 {
        opened.submit(Command::PutData(name, value(1))).unwrap();
    }
    for name in 0..60 {
        opened.submit(Command::Delete(name)).unwrap();
    }
    overwrite(&opened, 8);
    compact_all(&opened);
    let left: usize =
        opened.journal.read(Lsn::FIRST).unwrap().map(|frame| frame.unwrap().records.len()).sum();
    assert!(left < 40, "{left} records are left of eight values");
    assert_eq!(opened.shown().len(), 4);
}

#[test]
fn a_journal_of_removals_that_are_still_needed_is_not_written_again_and_again() {
    let disk = FaultDisk::new();
    let opened = open_with(&disk, LogView::default(), settings(2_000)).unwrap();
    for name in 0..20 {
        opened.submit(Command::Put(100 + name, value(1))).unwrap();
        opened.submit(Command::Put(name, Bytes::new())).unwrap();
    }
    for name in 0..20 {
        opened.submit(Command::Delete(name)).unwrap();
    }
    for _ in 0..40 {
        opened.submit(Command::Put(250, value(2))).unwrap();
    }
    compact_all(&opened);
    let before = opened.journal.lsn_next();
    (0..5).for_each(|_| drop(opened.compact()));
    assert_eq!(opened.journal.lsn_next(), before);
}

#[test]
fn data_that_is_damaged_and_live_keeps_its_segment_which_is_named_and_others_go() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    opened.submit(Command::PutData(200, value(1))).unwrap();
    overwrite(&opened, 60);
    let Value::At(place) = rows(&*opened.view).unwrap()[&200].value.clone() else { panic!("data") };
    disk.damage(&path("00000000000000000001.seg"), place.offset);
    let report = opened.compact();
    assert_eq!(report.stuck.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [Lsn(1)]);
    assert!(report.compacted > 5);
    assert!(disk.exists(&path("00000000000000000001.seg")).unwrap());
    let mut compaction = opened.compaction();
    while compaction.run_once().unwrap().compacted > 0 {}
    let next = opened.journal.lsn_next();
    assert_eq!(compaction.run_once().unwrap().stuck.len(), 1);
    assert_eq!(opened.journal.lsn_next(), next, "what has to stay is not written again and again");
    opened.submit(Command::Delete(200)).unwrap();
    assert!(opened.compact().stuck.is_empty(), "a damaged body that nobody needs is let go");
    assert!(!disk.exists(&path("00000000000000000001.seg")).unwrap());
}

#[test]
fn a_store_that_says_not_yet_keeps_its_segments_without_an_alert() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    overwrite(&opened, 40);
    opened.busy.store(true, Ordering::Relaxed);
    let report = opened.compact();
    assert!(report.compacted == 0 && report.stuck[0].1.contains("not yet"), "{report}");
    opened.busy.store(false, Ordering::Relaxed);
    assert!(opened.compact().compacted > 5);
}

#[test]
fn nothing_is_removed_while_segments_are_pinned_and_a_backup_has_all_files() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    overwrite(&opened, 40);
    let pin = opened.journal.pin();
    let listed = opened.journal.backup_files(&pin).unwrap();
    assert!(opened.compact().is_pinned);
    assert_eq!(listed.iter().filter(|file| !file.is_sealed).count(), 1);
    assert!(listed.iter().all(|file| disk.exists(&path(&file.name)).unwrap()));
    assert_eq!(listed.len(), files(&disk, ".seg").len());
    drop(pin);
    assert!(opened.compact().compacted > 5);
}

/// Copies what a backup lists to another disk.
fn copy(from: &FaultDisk, opened: &Opened) -> FaultDisk {
    let to = FaultDisk::new();
    to.create_dir(Path::new(DIR)).unwrap();
    let pin = opened.journal.pin();
    for file in opened.journal.backup_files(&pin).unwrap() {
        let bytes = disk::read_exact_at(
            &*from.open(&path(&file.name), OpenMode::Read).unwrap(),
            file.bytes as usize,
            0,
        );
        to.open(&path(&file.name), OpenMode::Create).unwrap().write_at(&bytes.unwrap(), 0).unwrap();
    }
    to
}

#[test]
fn a_copy_of_the_files_that_a_backup_lists_opens_and_shows_the_same() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    overwrite(&opened, 60);
    opened.compact();
    overwrite(&opened, 7);
    let other = copy(&disk, &opened);
    assert_eq!(open(&other).unwrap().shown(), opened.shown());
}

#[test]
fn a_missing_gap_is_damage_and_so_is_a_damaged_one() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    overwrite(&opened, 40);
    opened.compact();
    let gap = path(&files(&disk, ".gap")[0]);
    drop(opened);
    disk.damage(&gap, 20);
    let broken = open(&disk).unwrap();
    assert!(
        broken.journal.damage().iter().any(|damage| damage.segment == gap),
        "{:?}",
        broken.journal.damage()
    );
    assert!(broken.submit(Command::Put(1, value(1))).is_err());
    drop(broken);
    disk.remove(&gap).unwrap();
    let broken = open(&disk).unwrap();
    assert!(broken.journal.damage().iter().any(|damage| damage.class == Class::State));
    assert!(broken.submit(Command::Put(1, value(1))).is_err());
}

#[test]
fn a_view_that_has_seen_less_than_was_compacted_is_made_again() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    opened.submit(Command::Put(7, value(1))).unwrap();
    let old = opened.view.crash(1);
    assert_eq!(old.applied_lsn(), Lsn(1));
    opened.submit(Command::Delete(7)).unwrap();
    overwrite(&opened, 60);
    compact_all(&opened);
    let shown = opened.shown();
    assert!(matches!(opened.journal.read(Lsn(2)), Err(JournalError::Compacted(Lsn(2)))));
    drop(opened);
    let again = open_with(&disk, old, settings(600)).unwrap();
    assert_eq!(again.shown(), shown);
}

#[test]
fn a_follower_that_falls_behind_a_compaction_is_told_to_start_anew() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let mut tail = opened.journal.tail(Lsn(1));
    let mut late = opened.journal.tail(Lsn(2));
    overwrite(&opened, 60);
    opened.compact();
    assert!(tail.next_now().unwrap().is_some(), "from nothing it can follow");
    assert!(matches!(late.next_now(), Err(JournalError::Compacted(_))));
}

#[test]
fn the_thread_compacts_by_itself_and_ends_with_its_store() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let compactor = opened.compaction().start().unwrap();
    overwrite(&opened, 200);
    while opened.journal.gaps().is_empty() {
        std::thread::yield_now();
    }
    let shown = opened.shown();
    compactor.stop();
    let second = opened.compaction().start().unwrap();
    drop(opened);
    drop(second);
    assert_eq!(open(&disk).unwrap().shown(), shown);
}

/// Each thread has names of its own, so that it knows what they must show.
#[test]
fn compaction_beside_many_writers_and_readers_loses_nothing() {
    let disk = FaultDisk::new();
    let opened =
        open_with(&disk, LogView::default(), JournalSettings { ahead_bytes: 200, ..settings(2_000) })
            .unwrap();
    let compactor = opened.compaction().start().unwrap();
    let write = |thread: u8| {
        let mut model = Model::new();
        for number in 0..400u32 {
            let name = thread * 8 + (number % 7) as u8;
            let command = match number % 6 {
                0..3 => Command::PutData(name, value(number as usize)),
                3 => Command::Flag(name, true),
                4 => Command::Put(name, value(number as usize)),
                _ => Command::Delete(name),
            };
            opened.submit(command.clone()).unwrap();
            model_do(&mut model, command);
            assert_eq!(found(&opened, name), model.get(&name).cloned(), "{name}");
        }
        model
    };
    let mut expected = Model::new();
    std::thread::scope(|scope| {
        let write = &write;
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || write(thread))).collect();
        threads.into_iter().for_each(|thread| expected.extend(thread.join().unwrap()));
    });
    compactor.stop();
    assert!(!opened.journal.gaps().is_empty());
    check(&opened, &expected).unwrap();
    opened.sequencer.stop().unwrap();
    check(&open(&disk).unwrap(), &expected).unwrap();
}

/// What a reader finds, who looks again where compaction has moved data between two looks.
fn found(opened: &Opened, name: u8) -> Option<(Bytes, bool)> {
    loop {
        let row = kit::row(&*opened.view, name).unwrap()?;
        match row.value {
            Value::Here(value) => return Some((value, row.flag)),
            Value::At(place) => match opened.journal.record_read(&place) {
                Err(JournalError::SegmentGone(_)) => {}
                value => return Some((value.unwrap(), row.flag)),
            },
        }
    }
}

#[test]
fn a_round_after_the_end_of_its_store_says_why() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    let mut compaction = opened.compaction();
    opened.sequencer.stop().unwrap();
    let ended = compaction.run_once();
    assert!(matches!(ended, Err(CompactionError::Sequencer(SequencerError::Stopped))), "{ended:?}");
}

#[test]
fn a_bounded_rate_makes_it_wait_and_a_stop_ends_the_wait() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    overwrite(&opened, 40);
    // A byte a second: it would take hours.
    let settings = CompactionSettings { bytes_per_second: 1, ..CompactionSettings::eager() };
    let handle = opened.sequencer.handle();
    let compaction = Compaction::new(handle, opened.journal.clone(), opened.view.clone(), settings);
    let compactor = compaction.start().unwrap();
    compactor.stop();
    assert!(opened.journal.gaps().is_empty());
}

#[test]
fn a_trimmed_journal_has_a_gap_of_that_kind_and_cannot_be_read_from_nothing() {
    let disk = FaultDisk::new();
    let opened = open(&disk).unwrap();
    overwrite(&opened, 40);
    opened.journal.trim(Lsn(30)).unwrap();
    let gaps = opened.journal.gaps();
    assert!(matches!(&gaps[..], [gap] if gap.kind == GapKind::Trimmed && gap.first == Lsn(1)), "{gaps:?}");
    assert!(matches!(opened.journal.read(Lsn::FIRST), Err(JournalError::Trimmed(_))));
    assert!(opened.journal.verify().unwrap().is_empty());
}

/// What may happen to a store.
#[derive(Debug, Clone)]
enum Step {
    Do(Command),
    Compact,
    /// The process dies; the view keeps some of what it had not synced.
    Die(usize),
    /// The power fails in the middle of a round, at the n-th file operation.
    FailAt(u64, u64),
    /// It ends in good order and its view is thrown away.
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0u8..12;
    let bytes = || (0usize..400, any::<u8>()).prop_map(|(len, byte)| Bytes::from(vec![byte; len]));
    let command = prop_oneof![
        4 => (name(), bytes()).prop_map(|(name, value)| Command::Put(name, value)),
        4 => (name(), bytes()).prop_map(|(name, value)| Command::PutData(name, value)),
        3 => (name(), any::<bool>()).prop_map(|(name, flag)| Command::Flag(name, flag)),
        4 => name().prop_map(Command::Delete),
    ];
    prop_oneof![
        20 => command.prop_map(Step::Do),
        3 => Just(Step::Compact),
        1 => any::<usize>().prop_map(Step::Die),
        1 => (1u64..300, any::<u64>()).prop_map(|(n, seed)| Step::FailAt(n, seed)),
        1 => Just(Step::Rebuild),
    ]
}

/// What the rows must be.
type Model = BTreeMap<u8, (Bytes, bool)>;

fn model_do(model: &mut Model, command: Command) {
    match command {
        Command::Put(name, value) | Command::PutData(name, value) => drop(model.insert(name, (value, false))),
        Command::Flag(name, flag) => {
            model.entry(name).and_modify(|row| row.1 = flag);
        }
        Command::Delete(name) => drop(model.remove(&name)),
        Command::Panic => unreachable!("not among the steps"),
    }
}

fn check(opened: &Opened, model: &Model) -> Result<(), TestCaseError> {
    prop_assert!(opened.journal.damage().is_empty(), "{:?}", opened.journal.damage());
    prop_assert_eq!(&opened.shown(), model);
    let (once, twice) = (rebuilt(&opened.journal, 1), rebuilt(&opened.journal, 2));
    prop_assert_eq!(rows(&once).unwrap(), rows(&*opened.view).unwrap(), "rebuilt and maintained");
    prop_assert_eq!(rows(&twice).unwrap(), rows(&once).unwrap(), "replayed twice and once");
    prop_assert_eq!(&shown(&opened.journal, &once), model);
    prop_assert!(opened.journal.verify().unwrap().is_empty());
    Ok(())
}

/// Small segments, with zeros ahead of frames.
fn ahead() -> JournalSettings {
    JournalSettings { ahead_bytes: 200, ..settings(600) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn what_remains_gives_the_view_that_was_maintained(steps in prop::collection::vec(step(), 1..160)) {
        let disk = FaultDisk::new();
        let mut opened = open_with(&disk, LogView::default(), ahead()).unwrap();
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Do(command) => {
                    opened.submit(command.clone()).unwrap();
                    model_do(&mut model, command);
                    continue;
                }
                Step::Compact => drop(opened.compact()),
                Step::Die(chance) => {
                    let view = opened.view.crash(chance);
                    disk.crash(Crash::Process);
                    drop(opened);
                    opened = open_with(&disk, view, ahead()).unwrap();
                }
                Step::FailAt(n, seed) => {
                    disk.die_at(n);
                    let _ = opened.compaction().run_once();
                    disk.heal();
                    let view = opened.view.crash(seed as usize);
                    disk.crash(Crash::Torn(seed));
                    drop(opened);
                    opened = open_with(&disk, view, ahead()).unwrap();
                }
                Step::Rebuild => {
                    opened.sequencer.stop().unwrap();
                    opened = open_with(&disk, LogView::default(), ahead()).unwrap();
                }
            }
            check(&opened, &model)?;
        }
        compact_all(&opened);
        check(&opened, &model)?;
    }
}
