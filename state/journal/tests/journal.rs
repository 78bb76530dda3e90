//! The journal in fair weather: appending, reading back, owners, segments, followers.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::sync::Arc;

use disk::{Disk, FaultDisk, RealDisk};
use journal::{
    Epoch, Frame, Journal, JournalError, JournalSettings, LocalJournal, Lsn, Record, StoredRecord, Synced,
};

const DIR: &str = "/journal";

fn open(disk: &FaultDisk) -> Result<LocalJournal, JournalError> {
    let settings = JournalSettings { segment_bytes: 1_024, ..JournalSettings::default() };
    LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), settings, Lsn::ZERO)
}

fn append(journal: &LocalJournal, texts: &[&'static str]) -> Synced {
    let records: Vec<_> = texts.iter().map(|text| Record::state(1, *text)).collect();
    journal.append(journal.epoch(), &records).unwrap()
}

fn texts(frames: impl IntoIterator<Item = Frame>) -> Vec<String> {
    let records = frames.into_iter().flat_map(|frame| frame.records);
    records.map(|stored: StoredRecord| String::from_utf8(stored.record.bytes.to_vec()).unwrap()).collect()
}

fn read(journal: &LocalJournal, from: u64) -> Vec<String> {
    texts(journal.read(Lsn(from)).unwrap().map(Result::unwrap))
}

#[test]
fn what_was_appended_is_there_after_reopening() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, &["one", "two"]);
    append(&journal, &["three"]);
    assert_eq!(read(&journal, 1), ["one", "two", "three"]);
    drop(journal);
    let journal = open(&disk).unwrap();
    assert_eq!(read(&journal, 1), ["one", "two", "three"]);
    assert_eq!(journal.lsn_next(), Lsn(4));
    assert_eq!(append(&journal, &["four"]).places()[0].lsn, Lsn(4));
    assert_eq!(read(&journal, 1), ["one", "two", "three", "four"]);
}

#[test]
fn a_journal_works_on_the_real_disk() {
    let dir = tempfile::tempdir().unwrap();
    let open =
        || LocalJournal::open(Arc::new(RealDisk), dir.path(), JournalSettings::default(), Lsn::ZERO).unwrap();
    append(&open(), &["one"]);
    assert_eq!(read(&open(), 1), ["one"]);
}

#[test]
fn reading_starts_with_the_frame_that_holds_the_record() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, &["one", "two"]);
    append(&journal, &["three"]);
    assert_eq!(read(&journal, 2), ["one", "two", "three"]);
    assert_eq!(read(&journal, 3), ["three"]);
    assert!(read(&journal, 4).is_empty());
}

#[test]
fn a_record_is_read_back_by_its_place() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    let first = append(&journal, &["one", "two"]).places()[1];
    let later = append(&journal, &["three"]).places()[0];
    drop(journal);
    let journal = open(&disk).unwrap();
    assert_eq!(journal.record_read(&first).unwrap(), "two");
    assert_eq!(journal.record_read(&later).unwrap(), "three");
}

#[test]
fn segments_rotate_by_size_and_are_read_as_one() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    let all: Vec<_> = (0..100).map(|number| format!("record {number}")).collect();
    for text in &all {
        journal.append(journal.epoch(), &[Record::state(1, text.clone())]).unwrap();
    }
    assert!(disk.list(Path::new(DIR)).unwrap().len() > 5);
    assert_eq!(read(&journal, 1), all);
    drop(journal);
    assert_eq!(read(&open(&disk).unwrap(), 1), all);
}

#[test]
fn a_frame_larger_than_a_segment_is_taken_whole() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, &["small"]);
    let large = "x".repeat(5_000);
    journal.append(journal.epoch(), &[Record::body(1, large.clone())]).unwrap();
    append(&journal, &["small again"]);
    assert_eq!(read(&journal, 1), ["small", &large, "small again"]);
}

#[test]
fn a_journal_has_one_owner_at_a_time() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    assert!(matches!(open(&disk), Err(JournalError::Owned(_))));
    drop(journal);
    open(&disk).unwrap();
}

#[test]
fn the_real_lock_keeps_a_second_owner_out() {
    let dir = tempfile::tempdir().unwrap();
    let open = || LocalJournal::open(Arc::new(RealDisk), dir.path(), JournalSettings::default(), Lsn::ZERO);
    let journal = open().unwrap();
    assert!(matches!(open(), Err(JournalError::Owned(_))));
    journal.close().unwrap();
    open().unwrap();
}

#[test]
fn each_opening_begins_a_new_epoch_and_an_older_writer_is_refused() {
    let disk = FaultDisk::new();
    assert_eq!(open(&disk).unwrap().epoch(), Epoch(1));
    let journal = open(&disk).unwrap();
    assert_eq!(journal.epoch(), Epoch(2));
    let refused = journal.append(Epoch(1), &[Record::state(1, "late")]);
    assert!(matches!(refused, Err(JournalError::Fenced { at: Epoch(2), writer: Epoch(1) })));
    assert!(read(&journal, 1).is_empty());
}

#[test]
fn an_empty_batch_writes_nothing_and_is_no_error() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, &["one"]);
    let before = disk.operations();
    let synced = journal.append(journal.epoch(), &[]).unwrap();
    assert_eq!(disk.operations(), before);
    assert_eq!((synced.places().len(), synced.lsn_next()), (0, Lsn(2)));
}

#[test]
fn trimming_removes_whole_segments_and_reading_before_them_is_refused() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    let places: Vec<_> = (0..100).map(|_| append(&journal, &["some record"]).places()[0]).collect();
    journal.trim(Lsn(50)).unwrap();
    assert!(matches!(journal.read(Lsn(1)), Err(JournalError::Trimmed(Lsn(1)))));
    assert!(matches!(journal.record_read(&places[0]), Err(JournalError::NoRecord(_))));
    assert_eq!(journal.record_read(&places[60]).unwrap(), "some record");
    journal.trim(Lsn(1_000)).unwrap();
    drop(journal);
    let journal = open(&disk).unwrap();
    assert_eq!((journal.lsn_next(), journal.epoch()), (Lsn(101), Epoch(2)));
}

#[tokio::test]
async fn a_tail_gives_what_is_there_and_what_comes() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    append(&journal, &["one"]);
    append(&journal, &["two", "three"]);
    let mut tail = journal.tail(Lsn(2));
    assert_eq!(texts([tail.next().await.unwrap()]), ["two", "three"]);
    assert!(tail.next_now().unwrap().is_none());
    let follower = tokio::spawn(async move {
        let frame = tail.next().await.unwrap();
        (texts([frame]), tail)
    });
    tokio::task::yield_now().await;
    append(&journal, &["four"]);
    let (frame, mut tail) = follower.await.unwrap();
    assert_eq!(frame, ["four"]);
    journal.close().unwrap();
    assert!(matches!(tail.next().await, Err(JournalError::Closed)));
}

#[test]
fn a_closed_journal_takes_nothing_more() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    journal.close().unwrap();
    let refused = journal.append(journal.epoch(), &[Record::state(1, "late")]);
    assert!(matches!(refused, Err(JournalError::Closed)));
}

#[test]
fn verifying_a_good_journal_finds_nothing() {
    let disk = FaultDisk::new();
    let journal = open(&disk).unwrap();
    (0..100).for_each(|_| drop(append(&journal, &["some record"])));
    assert!(journal.verify().unwrap().is_empty());
}
