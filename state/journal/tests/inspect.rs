//! Verifying, counting and salvaging: damage anywhere is found, and what is whole is saved.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Disk, FaultDisk, OpenMode, read_exact_at};
use journal::{
    Class, GapKind, Journal, JournalError, LocalJournal, Lsn, Record, SalvageReport, StoredRecord, salvage,
    stat, verify,
};
use kit::{Command, DIR, LogView, open_with, settings};
use proptest::prelude::*;

const INTO: &str = "/saved";

fn arc(disk: &FaultDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn journal_in(disk: &FaultDisk, dir: &str, segment_bytes: u64) -> Result<LocalJournal, JournalError> {
    LocalJournal::open(arc(disk), Path::new(dir), settings(segment_bytes), Lsn::ZERO)
}

/// A journal of `frames` frames in segments of about three, each of a body and two records of state; ended well.
fn journal(disk: &FaultDisk, frames: u64) {
    let journal = journal_in(disk, DIR, 1_000).unwrap();
    for number in 0..frames {
        let body = Record::body(1, format!("body {number} ").repeat(10));
        let state = |part| Record::state(2, format!("state {number} {part}"));
        journal.append(journal.epoch(), &[body, state('a'), state('b')]).unwrap();
    }
    journal.close().unwrap();
}

fn segments(disk: &FaultDisk) -> Vec<PathBuf> {
    let names = disk.list(Path::new(DIR)).unwrap();
    names.iter().filter(|name| name.ends_with(".seg")).map(|name| Path::new(DIR).join(name)).collect()
}

fn len(disk: &FaultDisk, path: &Path) -> u64 {
    disk.open(path, OpenMode::Read).unwrap().len().unwrap()
}

fn saved(disk: &FaultDisk) -> SalvageReport {
    salvage(arc(disk), Path::new(DIR), Path::new(INTO)).unwrap()
}

fn records(journal: &LocalJournal) -> Vec<StoredRecord> {
    journal.read(Lsn::FIRST).unwrap().flat_map(|frame| frame.unwrap().records).collect()
}

#[test]
fn a_sound_journal_is_said_to_be_and_is_counted() {
    let disk = FaultDisk::new();
    journal(&disk, 20);
    let report = verify(arc(&disk), Path::new(DIR)).unwrap();
    assert!(report.is_sound() && report.tail.is_none(), "{report}");
    assert_eq!(report.records, 60);
    let report = stat(arc(&disk), Path::new(DIR)).unwrap();
    assert_eq!(report.records()[&(Class::Body, 1)].records, 20);
    assert_eq!(report.records()[&(Class::State, 2)].records, 40);
    assert_eq!(report.bytes(), segments(&disk).iter().map(|path| len(&disk, path)).sum::<u64>());
    assert!(report.to_string().contains("state records of kind 2: 40"), "{report}");
}

#[test]
fn looking_changes_nothing_and_works_beside_the_owner() {
    let disk = FaultDisk::new();
    let opened = open_with(&disk, LogView::default(), settings(600)).unwrap();
    for number in 0..60 {
        opened.submit(Command::PutData(number % 3, Bytes::from(vec![number; 50]))).unwrap();
    }
    opened.compact();
    let names = disk.list(Path::new(DIR)).unwrap();
    let report = verify(arc(&disk), Path::new(DIR)).unwrap();
    assert!(report.is_sound() && report.gaps.len() == 1, "{report}");
    assert_eq!(stat(arc(&disk), Path::new(DIR)).unwrap().gaps, report.gaps);
    assert_eq!(disk.list(Path::new(DIR)).unwrap(), names);
    assert!(matches!(salvage(arc(&disk), Path::new(DIR), Path::new(INTO)), Err(JournalError::Owned(_))));
}

#[test]
fn a_frame_that_was_cut_short_is_told_apart_from_damage() {
    let disk = FaultDisk::new();
    let journal = journal_in(&disk, DIR, 100_000).unwrap();
    journal.append(journal.epoch(), &[Record::state(1, "whole")]).unwrap();
    let path = &segments(&disk)[0];
    let end = len(&disk, path);
    journal.append(journal.epoch(), &[Record::state(1, "cut short")]).unwrap();
    disk.open(path, OpenMode::Write).unwrap().set_len(end + 50).unwrap();
    let report = verify(arc(&disk), Path::new(DIR)).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.tail, Some((path.clone(), 50)));
}

/// What is found when one byte is not as it was written: by looking, and by the owner that opens it.
fn is_found(disk: &FaultDisk) -> bool {
    let report = verify(arc(disk), Path::new(DIR));
    let by_verify = report.as_ref().map_or(true, |report| !report.is_sound() || report.tail.is_some());
    by_verify || journal_in(disk, DIR, 1_000).map_or(true, |journal| !journal.damage().is_empty())
}

#[test]
fn each_damaged_byte_of_each_segment_and_gap_is_found() {
    let disk = FaultDisk::new();
    let opened = open_with(&disk, LogView::default(), settings(600)).unwrap();
    for number in 0..30u8 {
        opened.submit(Command::PutData(number % 3, Bytes::from(vec![number; 50]))).unwrap();
    }
    opened.compact();
    opened.sequencer.stop().unwrap();
    let names = disk.list(Path::new(DIR)).unwrap();
    let files: Vec<_> =
        names.iter().filter(|name| name.ends_with(".seg") || name.ends_with(".gap")).collect();
    assert!(files.len() > 2 && verify(arc(&disk), Path::new(DIR)).unwrap().is_sound());
    for path in files.iter().map(|name| Path::new(DIR).join(name)) {
        for offset in 0..len(&disk, &path) {
            disk.damage(&path, offset);
            let report = verify(arc(&disk), Path::new(DIR));
            let found = report.is_err_and(|error| matches!(error, JournalError::Version(_)))
                || verify(arc(&disk), Path::new(DIR))
                    .is_ok_and(|report| !report.is_sound() || report.tail.is_some());
            assert!(found, "{} byte {offset}", path.display());
            disk.damage(&path, offset);
        }
    }
    assert!(verify(arc(&disk), Path::new(DIR)).unwrap().is_sound());
}

#[test]
fn a_damaged_segment_costs_its_broken_frame_and_a_damaged_body_stays_one() {
    let disk = FaultDisk::new();
    journal(&disk, 20);
    let whole = records(&journal_in(&disk, "/twin", 1_000).unwrap()).len();
    assert_eq!(whole, 0);
    let before = {
        let journal = journal_in(&disk, DIR, 1_000).unwrap();
        records(&journal)
    };
    let (body, state) = (before[3 * 4].place, before[3 * 9 + 1].place);
    disk.damage(&Path::new(DIR).join(format!("{:020}.seg", body.segment.0)), body.offset);
    disk.damage(&Path::new(DIR).join(format!("{:020}.seg", state.segment.0)), state.offset);
    let report = saved(&disk);
    assert_eq!(
        report.lost.iter().map(|lost| (lost.first, lost.next)).collect::<Vec<_>>(),
        [(Lsn(28), Lsn(31))]
    );
    assert_eq!(report.bodies_damaged.iter().map(|damage| damage.lsn).collect::<Vec<_>>(), [body.lsn]);
    assert_eq!(report.records, 57);
    let journal = journal_in(&disk, INTO, 1_000).unwrap();
    assert!(journal.damage().iter().all(|damage| damage.class == Class::Body), "{:?}", journal.damage());
    let after = records(&journal);
    let expected: Vec<_> = before.iter().filter(|record| !(28..31).contains(&record.lsn().0)).collect();
    assert_eq!(after.len(), expected.len());
    for (after, before) in after.iter().zip(expected) {
        assert_eq!((after.lsn(), &after.record.kind), (before.lsn(), &before.record.kind));
        assert_eq!(after.intact, after.lsn() != body.lsn);
        assert!(!after.intact || after.record == before.record);
    }
    assert!(journal.gaps().iter().all(|gap| gap.kind == GapKind::Lost));
    let next = journal.append(journal.epoch(), &[Record::state(1, "on it goes")]).unwrap();
    assert_eq!(next.places()[0].lsn, Lsn(61));
}

#[test]
fn a_segment_with_a_damaged_head_is_saved_whole_and_a_missing_one_is_lost() {
    let disk = FaultDisk::new();
    journal(&disk, 40);
    let segments = segments(&disk);
    for offset in [0, 9, 13, 17, 37] {
        disk.damage(&segments[1], offset);
    }
    let gone = records_in(&disk, &segments[3]);
    disk.remove(&segments[3]).unwrap();
    let report = saved(&disk);
    assert_eq!(report.records, 120 - gone, "{report}");
    assert_eq!(report.lost.iter().map(|lost| lost.next.0 - lost.first.0).sum::<u64>(), gone);
    let journal = journal_in(&disk, INTO, 1_000).unwrap();
    assert!(journal.damage().is_empty() && journal.verify().unwrap().is_empty());
    assert_eq!(records(&journal).len() as u64, 120 - gone);
}

fn records_in(disk: &FaultDisk, segment: &Path) -> u64 {
    let stat = stat(arc(disk), Path::new(DIR)).unwrap();
    let found =
        stat.segments.iter().find(|stat| segment.ends_with(format!("{:020}.seg", stat.first.0))).unwrap();
    found.next.0 - found.first.0
}

#[test]
fn gaps_of_compaction_stay_what_they_are_when_a_journal_is_salvaged() {
    let disk = FaultDisk::new();
    let opened = open_with(&disk, LogView::default(), settings(600)).unwrap();
    for number in 0..60 {
        opened.submit(Command::PutData(number % 3, Bytes::from(vec![number; 50]))).unwrap();
    }
    opened.compact();
    let (gaps, shown) = (opened.journal.gaps(), opened.shown());
    opened.sequencer.stop().unwrap();
    let report = saved(&disk);
    assert!(report.is_complete(), "{report}");
    let journal = journal_in(&disk, INTO, 1_000).unwrap();
    assert_eq!(journal.gaps(), gaps);
    assert_eq!(kit::shown(&journal, &kit::rebuilt(&journal, 1)), shown);
}

#[test]
fn a_directory_that_is_not_empty_is_not_salvaged_into() {
    let disk = FaultDisk::new();
    journal(&disk, 2);
    disk.create_dir(Path::new(INTO)).unwrap();
    disk.open(&Path::new(INTO).join("something"), OpenMode::Create).unwrap();
    let refused = salvage(arc(&disk), Path::new(DIR), Path::new(INTO));
    assert!(matches!(refused, Err(JournalError::Occupied(_))), "{refused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Random bytes anywhere: it is found, nothing panics, and what salvage saves is as it was written.
    #[test]
    fn random_bytes_anywhere_are_found_and_never_saved_as_if_they_were_good(
        frames in 1u64..20,
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..80, any::<u8>()), 1..4),
    ) {
        let disk = FaultDisk::new();
        journal(&disk, frames);
        let before = records(&journal_in(&disk, DIR, 1_000).unwrap());
        let mut changed = false;
        for (segment, offset, len, byte) in hits {
            let segments = segments(&disk);
            let path = segment.get(&segments);
            let file = disk.open(path, OpenMode::Write).unwrap();
            let offset = offset.index(file.len().unwrap() as usize) as u64;
            let len = len.min((file.len().unwrap() - offset) as usize);
            let old = read_exact_at(&*file, len, offset).unwrap();
            let new = vec![byte; len];
            changed |= old != new;
            file.write_at(&new, offset).unwrap();
        }
        prop_assert_eq!(is_found(&disk), changed);
        if let Ok(report) = salvage(arc(&disk), Path::new(DIR), Path::new(INTO)) {
            let journal = journal_in(&disk, INTO, 1_000).unwrap();
            prop_assert!(!changed || !report.is_complete() || report.tail.is_some() || report.records == before.len() as u64);
            for record in records(&journal).iter().filter(|record| record.intact) {
                let old = &before[record.lsn().0 as usize - 1];
                prop_assert_eq!(&record.record, &old.record);
                prop_assert_eq!(record.lsn(), old.lsn());
            }
        }
    }

    /// Whatever bytes stand in the files of a journal: an error or a journal, no panic.
    #[test]
    fn files_of_any_bytes_are_read_or_refused(
        segment in prop::collection::vec(any::<u8>(), 0..300), gap in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let disk = FaultDisk::new();
        disk.create_dir(Path::new(DIR)).unwrap();
        for (name, bytes) in [("00000000000000000001.seg", segment), ("00000000000000000007.gap", gap)] {
            disk.open(&Path::new(DIR).join(name), OpenMode::Create).unwrap().write_at(&bytes, 0).unwrap();
        }
        let _ = verify(arc(&disk), Path::new(DIR));
        let _ = stat(arc(&disk), Path::new(DIR));
        let _ = salvage(arc(&disk), Path::new(DIR), Path::new(INTO));
        let _ = journal_in(&disk, DIR, 1_000);
    }
}
