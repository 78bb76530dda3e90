//! The journal in foul weather: crashes, failing operations, damaged media.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::{Crash, Disk, FaultDisk, OpenMode};
use journal::{Class, Epoch, Journal, JournalError, JournalSettings, LocalJournal, Lsn, Place, Record};

const DIR: &str = "/journal";

fn open_with(disk: &FaultDisk, segment_bytes: u64, witness: Lsn) -> Result<LocalJournal, JournalError> {
    let settings = JournalSettings { segment_bytes, ahead_bytes: 0, ..JournalSettings::default() };
    LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), settings, witness)
}

/// With segments of two frames.
fn open(disk: &FaultDisk) -> Result<LocalJournal, JournalError> {
    open_with(disk, 2_048, Lsn::ZERO)
}

/// The records of a frame, which say which they are: a body long enough to be torn, and state.
fn records(number: usize) -> [Record; 2] {
    let body = format!("body {number} ").repeat(100);
    [Record::body(2, body), Record::state(1, format!("state {number}"))]
}

fn append(journal: &LocalJournal, number: usize) -> Result<Place, JournalError> {
    journal.append(journal.epoch(), &records(number)).map(|synced| synced.places()[0])
}

fn append_all(journal: &LocalJournal, count: usize) {
    append_all_from(journal, 0, count);
}

fn append_all_from(journal: &LocalJournal, from: usize, to: usize) {
    for number in from..to {
        append(journal, number).unwrap();
    }
}

/// The frames in the journal, each checked to be whole; frame `n` must be that of `records(n)`.
fn frames(journal: &LocalJournal) -> usize {
    let frames = journal.read(Lsn::FIRST).unwrap().map(Result::unwrap);
    let count = |(number, frame): (usize, journal::Frame)| {
        let stored: Vec<_> = frame.records.into_iter().map(|stored| stored.record).collect();
        assert_eq!(stored, records(number), "frame {number}");
    };
    frames.enumerate().map(count).count()
}

fn segment(first: u64) -> PathBuf {
    Path::new(DIR).join(format!("{first:020}.seg"))
}

fn last_segment(disk: &FaultDisk) -> PathBuf {
    Path::new(DIR).join(disk.list(Path::new(DIR)).unwrap().pop().unwrap())
}

fn cut(disk: &FaultDisk, path: &Path, bytes: u64) {
    disk.open(path, OpenMode::Write).unwrap().set_len(bytes).unwrap();
}

fn len(disk: &FaultDisk, path: &Path) -> u64 {
    disk.open(path, OpenMode::Read).unwrap().len().unwrap()
}

#[test]
fn acknowledged_frames_survive_every_kind_of_crash() {
    for seed in 0..200 {
        let crash = match seed {
            0 => Crash::Process,
            1 => Crash::Power,
            seed => Crash::Torn(seed),
        };
        let disk = FaultDisk::new();
        let mut acknowledged = 0;
        for round in 1..4 {
            let journal = open(&disk).unwrap();
            assert!(journal.damage().is_empty(), "{crash:?}: {:?}", journal.damage());
            assert_eq!(journal.epoch(), Epoch(round));
            assert_eq!(frames(&journal), acknowledged, "{crash:?}");
            for _ in 0..5 {
                append(&journal, acknowledged).unwrap();
                acknowledged += 1;
            }
            disk.crash(crash);
        }
    }
}

/// Fails the n-th operation, n = 1, 2, 3 ... until all succeeds; crashes; opens; checks that what was acknowledged is
/// there, that at most one frame more is there, and that the journal works on.
fn faults_until_success(crash: impl Fn(u64) -> Crash, forever: bool) {
    for n in 1.. {
        let disk = FaultDisk::new();
        match forever {
            true => disk.fail_from(n, ErrorKind::StorageFull),
            false => disk.fail_nth(n, ErrorKind::Other),
        }
        let mut acknowledged = 0;
        let run = open(&disk).and_then(|journal| {
            for number in 0..8 {
                append(&journal, number)?;
                acknowledged += 1;
            }
            journal.close()
        });
        disk.heal();
        disk.crash(crash(n));
        let journal = open(&disk).unwrap_or_else(|error| panic!("fault {n}: {error}"));
        assert!(journal.damage().is_empty(), "fault {n}: {:?}", journal.damage());
        let there = frames(&journal);
        assert!((acknowledged..=acknowledged + 1).contains(&there), "fault {n}: {acknowledged} and {there}");
        append(&journal, there).unwrap();
        disk.crash(Crash::Power);
        assert_eq!(frames(&open(&disk).unwrap()), there + 1, "fault {n}");
        if run.is_ok() {
            assert!(n > 30, "the faults must reach the work");
            return;
        }
    }
}

#[test]
fn a_failed_operation_and_a_process_crash_lose_nothing_acknowledged() {
    faults_until_success(|_| Crash::Process, false);
    faults_until_success(|_| Crash::Process, true);
}

#[test]
fn a_failed_operation_and_a_power_failure_lose_nothing_acknowledged() {
    faults_until_success(|_| Crash::Power, false);
    faults_until_success(|_| Crash::Power, true);
}

#[test]
fn a_failed_operation_and_a_torn_disk_lose_nothing_acknowledged() {
    for seed in 0..20 {
        faults_until_success(|n| Crash::Torn(seed << 32 | n), false);
    }
}

#[test]
fn faults_while_opening_after_a_crash_lose_nothing_acknowledged() {
    for n in 1.. {
        let disk = FaultDisk::new();
        let journal = open(&disk).unwrap();
        append_all(&journal, 8);
        drop(journal);
        let path = last_segment(&disk);
        cut(&disk, &path, len(&disk, &path) - 3);
        let whole = frames(&{
            let twin = open(&disk).unwrap();
            disk.crash(Crash::Process);
            drop(twin);
            open(&disk).unwrap()
        });
        disk.crash(Crash::Process);
        disk.fail_nth(n, ErrorKind::Other);
        let opened = open(&disk).is_ok();
        disk.heal();
        disk.crash(Crash::Torn(n));
        assert_eq!(frames(&open(&disk).unwrap()), whole, "fault {n}");
        if opened {
            return;
        }
    }
}

#[test]
fn nothing_is_acknowledged_after_a_failed_sync() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, 0).unwrap();
    disk.fail_nth(2, ErrorKind::Other);
    assert!(matches!(append(&journal, 1), Err(JournalError::Io { .. })));
    assert!(matches!(append(&journal, 1), Err(JournalError::Poisoned(_))));
    assert_eq!(journal.lsn_next(), Lsn(3));
    assert_eq!(frames(&journal), 1);
}

/// A failed sync leaves the frame in the cache, marked clean: reads show it, no later sync writes it.
#[test]
fn a_frame_that_only_the_cache_holds_is_written_again_before_others_follow() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, 0).unwrap();
    disk.fail_nth(2, ErrorKind::Other);
    append(&journal, 1).unwrap_err();
    drop(journal);
    let journal = open(&disk).unwrap();
    assert_eq!(frames(&journal), 2, "the cache still has it");
    append(&journal, 2).unwrap();
    disk.crash(Crash::Power);
    let journal = open(&disk).unwrap();
    assert!(journal.damage().is_empty());
    assert_eq!(frames(&journal), 3);
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_as_a_whole() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, 0).unwrap();
    let start = len(&disk, &segment(1));
    append(&journal, 1).unwrap();
    let end = len(&disk, &segment(1));
    disk.crash(Crash::Process);
    let frame =
        disk::read_exact_at(&*disk.open(&segment(1), OpenMode::Read).unwrap(), (end - start) as usize, start);
    let frame = frame.unwrap();
    for bytes in 0..frame.len() {
        cut(&disk, &segment(1), start);
        disk.open(&segment(1), OpenMode::Write).unwrap().write_at(&frame[..bytes], start).unwrap();
        let journal = open(&disk).unwrap();
        assert!(journal.damage().is_empty(), "cut at {bytes}");
        assert_eq!((frames(&journal), journal.lsn_next()), (1, Lsn(3)), "cut at {bytes}");
        assert_eq!(
            len(&disk, &segment(1)),
            start + MARK_BYTES,
            "the tail is gone and a mark stands in its place"
        );
        disk.crash(Crash::Process);
    }
}

#[test]
fn the_record_numbers_of_a_cut_tail_are_given_again() {
    let disk = FaultDisk::new();
    append(&open(&disk).unwrap(), 0).unwrap();
    let start = len(&disk, &segment(1));
    append(&open(&disk).unwrap(), 1).unwrap();
    cut(&disk, &segment(1), start + 100);
    let journal = open(&disk).unwrap();
    assert_eq!(append(&journal, 1).unwrap().lsn, Lsn(3));
    assert_eq!(frames(&journal), 2);
}

/// Three frames in one segment.
/// The length of the frame that begins a term.
const MARK_BYTES: u64 = 48;

fn three_frames() -> (FaultDisk, [Place; 3]) {
    let disk = FaultDisk::new();
    let journal = open_with(&disk, 1 << 20, Lsn::ZERO).unwrap();
    let places = [0, 1, 2].map(|number| append(&journal, number).unwrap());
    disk.crash(Crash::Process);
    (disk, places)
}

#[test]
fn damaged_state_makes_the_journal_read_only_and_is_named() {
    let (disk, places) = three_frames();
    let state = places[1].offset + u64::from(places[1].len);
    disk.damage(&segment(1), state);
    let journal = open(&disk).unwrap();
    assert_eq!(journal.damage().iter().map(|damage| damage.class).collect::<Vec<_>>(), [Class::State]);
    assert!(matches!(append(&journal, 3), Err(JournalError::Damaged(_))));
    let read: Vec<_> = journal.read(Lsn::FIRST).unwrap().collect();
    assert!(matches!(&read[..], [Ok(_), Err(JournalError::Damaged(damage))] if damage.lsn == Lsn(4)));
}

#[test]
fn every_damaged_byte_before_the_last_frame_is_noticed_and_nothing_is_cut() {
    let (disk, places) = three_frames();
    let bytes = len(&disk, &segment(1));
    for offset in (40..places[2].offset - 48).step_by(7) {
        disk.damage(&segment(1), offset);
        assert!(!open(&disk).unwrap().damage().is_empty(), "byte {offset}");
        disk.damage(&segment(1), offset);
        assert!(len(&disk, &segment(1)) >= bytes, "byte {offset}");
        disk.crash(Crash::Process);
    }
}

#[test]
fn a_damaged_body_costs_that_body_alone() {
    let (disk, places) = three_frames();
    disk.damage(&segment(1), places[1].offset + 5);
    let journal = open(&disk).unwrap();
    let [damage] = &journal.damage()[..] else { panic!("one damage") };
    assert_eq!((damage.class, damage.lsn), (Class::Body, places[1].lsn));
    assert!(matches!(journal.record_read(&places[1]), Err(JournalError::RecordDamaged(_))));
    assert!(journal.record_read(&places[2]).is_ok());
    let intact: Vec<_> = journal
        .read(Lsn::FIRST)
        .unwrap()
        .flat_map(|frame| frame.unwrap().records)
        .map(|r| r.intact)
        .collect();
    assert_eq!(intact, [true, true, false, true, true, true]);
    append(&journal, 3).unwrap();
}

#[test]
fn the_last_frame_is_damaged_and_not_torn_if_a_view_has_seen_it() {
    let (disk, places) = three_frames();
    disk.damage(&segment(1), places[2].offset + u64::from(places[2].len));
    let journal = open_with(&disk, 2_048, Lsn(6)).unwrap();
    assert_eq!(journal.damage().len(), 1);
    assert!(matches!(append(&journal, 3), Err(JournalError::Damaged(_))));
}

#[test]
fn the_last_frame_is_damaged_and_not_torn_if_the_term_ended_well() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    let place = append(&journal, 0).unwrap();
    journal.close().unwrap();
    drop(journal);
    disk.damage(&segment(1), place.offset + u64::from(place.len));
    assert_eq!(open(&disk).unwrap().damage().len(), 1);
}

#[test]
fn records_that_a_view_has_seen_and_the_journal_has_not_are_damage() {
    let (disk, _) = three_frames();
    let journal = open_with(&disk, 2_048, Lsn(9)).unwrap();
    assert_eq!(journal.damage().iter().map(|damage| damage.lsn).collect::<Vec<_>>(), [Lsn(7)]);
    assert!(append(&journal, 3).is_err());
}

#[test]
fn a_missing_segment_is_damage() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append_all(&journal, 12);
    drop(journal);
    let names = disk.list(Path::new(DIR)).unwrap();
    assert!(names.len() > 4);
    disk.remove(&Path::new(DIR).join(&names[2])).unwrap();
    assert_eq!(open(&disk).unwrap().damage().len(), 1);
}

#[test]
fn zeros_behind_the_frames_of_a_full_segment_are_no_damage_but_zeros_in_place_of_frames_are() {
    let disk = FaultDisk::new();
    append_all(&open(&disk).unwrap(), 12);
    let place = {
        let journal = open(&disk).unwrap();
        journal.read(Lsn::FIRST).unwrap().nth(1).unwrap().unwrap().records[0].place
    };
    let end = len(&disk, &segment(1));
    let zeros = |from: u64, to: u64| {
        let file = disk.open(&segment(1), OpenMode::Write).unwrap();
        file.write_at(&vec![0; (to - from) as usize], from).unwrap();
    };
    zeros(end, end + 700);
    let journal = open(&disk).unwrap();
    assert!(journal.damage().is_empty() && journal.verify().unwrap().is_empty());
    assert_eq!(frames(&journal), 12);
    drop(journal);
    assert_eq!((place.segment, place.lsn), (Lsn(1), Lsn(3)));
    zeros(place.offset - 72, end);
    let journal = open(&disk).unwrap();
    assert_eq!(journal.damage().iter().map(|damage| damage.lsn).collect::<Vec<_>>(), [Lsn(3)]);
    assert_eq!(journal.verify().unwrap().len(), 1);
    assert_eq!(journal.read(Lsn::FIRST).unwrap().take_while(Result::is_ok).count(), 1);
}

#[test]
fn zeros_ahead_of_frames_are_cut_off_at_the_end_and_after_a_crash_and_bound_by_the_segment() {
    let disk = FaultDisk::new();
    let settings =
        || JournalSettings { segment_bytes: 10_000, ahead_bytes: 4_096, ..JournalSettings::default() };
    let open = || LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), settings(), Lsn::ZERO).unwrap();
    let journal = open();
    append(&journal, 0).unwrap();
    assert_eq!(len(&disk, &segment(1)), 4_096);
    append_all_from(&journal, 1, 16);
    let last = journal.read(Lsn::FIRST).unwrap().flat_map(|frame| frame.unwrap().records);
    let last = last.filter(|record| record.place.segment == Lsn(1)).last().unwrap().place;
    assert_eq!(
        len(&disk, &segment(1)),
        last.offset + u64::from(last.len),
        "a full segment ends with its last frame"
    );
    assert!(len(&disk, &last_segment(&disk)) <= 10_000);
    disk.crash(Crash::Process);
    drop(journal);
    let journal = open();
    assert_eq!(frames(&journal), 16);
    let place = append(&journal, 16).unwrap();
    journal.close().unwrap();
    let last = last_segment(&disk);
    let state = format!("state {}", 16).len() as u64;
    assert_eq!(len(&disk, &last), place.offset + u64::from(place.len) + state + MARK_BYTES);
}

#[test]
fn a_damaged_head_of_a_segment_is_damage() {
    for first in [true, false] {
        let disk = FaultDisk::new();
        append_all(&open(&disk).unwrap(), 40);
        let segments = disk.list(Path::new(DIR)).unwrap();
        let segments: Vec<_> = segments.iter().filter(|name| name.ends_with(".seg")).collect();
        assert!(segments.len() > 2);
        let hit = if first { segments[0] } else { segments[segments.len() - 1] };
        disk.damage(&Path::new(DIR).join(hit), 12);
        let journal = open(&disk).unwrap();
        let damage = journal.damage();
        assert!(damage[0].segment.ends_with(hit) && damage[0].class == Class::State, "{damage:?}");
        assert!(matches!(append(&journal, 99), Err(JournalError::Damaged(_))));
        let readable = journal.read(Lsn::FIRST).unwrap().filter(Result::is_ok).count();
        assert_eq!(readable == 0, first, "what stands before it is readable");
        assert_eq!(journal.verify().unwrap()[0], damage[0]);
    }
}

#[test]
fn verifying_names_each_damage_and_goes_on_behind_it() {
    let (disk, places) = three_frames();
    disk.damage(&segment(1), places[0].offset);
    disk.damage(&segment(1), places[1].offset - 30);
    let found = open(&disk).unwrap().verify().unwrap();
    let found: Vec<_> = found.iter().map(|damage| (damage.class, damage.lsn)).collect();
    assert_eq!(found, [(Class::Body, Lsn(1)), (Class::State, Lsn(3))]);
}

/// A message that carries a copy of a segment must not be taken for frames of the journal that holds it.
#[test]
fn frames_inside_a_body_are_not_mistaken_for_frames() {
    let (other, _) = three_frames();
    let bytes = len(&other, &segment(1));
    let copy =
        disk::read_exact_at(&*other.open(&segment(1), OpenMode::Read).unwrap(), bytes as usize, 0).unwrap();
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, 0).unwrap();
    let start = len(&disk, &segment(1));
    journal.append(journal.epoch(), &[Record::body(2, copy)]).unwrap();
    disk.crash(Crash::Process);
    let path = last_segment(&disk);
    let torn = len(&disk, &path) - 1;
    cut(&disk, &path, torn);
    let journal = open(&disk).unwrap();
    assert!(journal.damage().is_empty(), "{:?} from {start}", journal.damage());
    assert_eq!(frames(&journal), 1);
}
