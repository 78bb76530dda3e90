//! A disk that is full, and frames that are too large: what grows is refused, nothing is lost, no store ends.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod kit;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use disk::{Disk, FaultDisk};
use journal::{
    Damage, Epoch, Frames, Journal, JournalError, JournalSettings, LocalJournal, Lsn, Place, Record, Room,
    Sequencer, SequencerError, SequencerSettings, Synced, Tail, ViewRead,
};
use kit::{Command, DIR, LogView, Opened, Values, open_with, rebuilt, rows, settings, shown};
use telemetry::Fault;

fn value() -> Bytes {
    Bytes::from(vec![7; 300])
}

fn reserving() -> JournalSettings {
    JournalSettings { reserve_bytes: 4_000, space_low_bytes: 1_000, ..settings(100_000) }
}

fn opened(disk: &FaultDisk, settings: &JournalSettings) -> Opened {
    open_with(disk, LogView::default(), settings.clone()).unwrap()
}

fn has_reserve(disk: &FaultDisk) -> bool {
    disk.exists(&Path::new(DIR).join("RESERVE")).unwrap()
}

/// The disk is asked once in a while only.
fn wait_for(opened: &Opened, room: Room) {
    while opened.sequencer.handle().room() != room {
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_no_space(refused: &Result<bool, SequencerError>) -> bool {
    matches!(refused, Err(SequencerError::NoSpace))
}

#[test]
fn below_the_mark_what_grows_is_refused_and_what_frees_goes_on_until_there_is_space_again() {
    let disk = FaultDisk::new();
    let opened = opened(&disk, &reserving());
    assert!(has_reserve(&disk));
    opened.submit(Command::Put(1, value())).unwrap();
    disk.capacity_set(disk.used_bytes() + 900);
    wait_for(&opened, Room::Low);
    let refused = opened.submit(Command::Put(2, value()));
    assert!(is_no_space(&refused), "{refused:?}");
    assert_eq!(SequencerError::NoSpace.fault(), Fault::Temporary);
    assert!(opened.submit(Command::Flag(1, true)).unwrap());
    assert!(opened.submit(Command::Delete(1)).unwrap());
    assert!(has_reserve(&disk), "it is for worse");
    disk.heal();
    wait_for(&opened, Room::Enough);
    opened.submit(Command::Put(2, value())).unwrap();
    assert_eq!(opened.shown().into_keys().collect::<Vec<_>>(), [2]);
}

#[test]
fn the_reserve_is_given_back_before_the_disk_is_quite_full() {
    let disk = FaultDisk::new();
    let opened = opened(&disk, &reserving());
    disk.capacity_set(disk.used_bytes() + 100);
    wait_for(&opened, Room::Low);
    assert!(!has_reserve(&disk));
    assert!(disk.space_free(Path::new(DIR)).unwrap() >= 4_000);
}

#[test]
fn a_frame_that_finds_the_disk_full_ends_with_the_reserve_and_is_acknowledged() {
    let disk = FaultDisk::new();
    let opened = opened(&disk, &reserving());
    opened.submit(Command::Put(1, value())).unwrap();
    disk.capacity_set(disk.used_bytes() + 100);
    opened.submit(Command::PutData(2, value())).unwrap();
    assert!(!has_reserve(&disk));
    let refused = opened.submit(Command::PutData(3, value()));
    assert!(is_no_space(&refused), "{refused:?}");
    assert!(opened.submit(Command::Delete(1)).unwrap());
    disk.heal();
    wait_for(&opened, Room::Enough);
    opened.submit(Command::PutData(3, value())).unwrap();
    assert!(has_reserve(&disk), "made again");
    assert!(opened.journal.verify().unwrap().is_empty());
    assert_eq!(opened.shown().into_keys().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_frame_that_finds_no_room_at_all_is_forgotten_and_the_store_goes_on() {
    let disk = FaultDisk::new();
    let opened = opened(&disk, &settings(700));
    opened.submit(Command::Put(1, value())).unwrap();
    disk.capacity_set(disk.used_bytes() + 200);
    for _ in 0..3 {
        let refused = opened.submit(Command::PutData(2, value()));
        assert!(is_no_space(&refused), "{refused:?}");
    }
    assert!(!opened.submit(Command::Flag(2, true)).unwrap(), "memory has forgotten it too");
    disk.heal();
    wait_for(&opened, Room::Enough);
    // With a segment begun anew.
    for number in 3..9 {
        opened.submit(Command::PutData(number, value())).unwrap();
    }
    assert!(opened.sequencer.handle().failure().is_none());
    assert!(opened.journal.verify().unwrap().is_empty());
    let expected = [1, 3, 4, 5, 6, 7, 8];
    assert_eq!(opened.shown().into_keys().collect::<Vec<_>>(), expected);
    assert_eq!(rows(&rebuilt(&opened.journal, 1)).unwrap(), rows(&*opened.view).unwrap());
    opened.sequencer.stop().unwrap();
    let again = open_with(&disk, LogView::default(), settings(700)).unwrap();
    assert_eq!(again.shown().into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_segment_that_finds_no_room_leaves_nothing_behind() {
    let disk = FaultDisk::new();
    let opened = opened(&disk, &settings(700));
    opened.submit(Command::Put(1, value())).unwrap();
    let names = disk.list(Path::new(DIR)).unwrap();
    disk.capacity_set(disk.used_bytes() + 10);
    let refused = opened.submit(Command::Put(2, Bytes::from(vec![1; 600])));
    assert!(is_no_space(&refused), "{refused:?}");
    assert_eq!(disk.list(Path::new(DIR)).unwrap(), names);
}

#[test]
fn at_a_start_on_a_full_disk_the_reserve_is_used() {
    let disk = FaultDisk::new();
    let opened_before = opened(&disk, &reserving());
    opened_before.submit(Command::Put(1, value())).unwrap();
    opened_before.sequencer.stop().unwrap();
    disk.capacity_set(disk.used_bytes());
    let opened = opened(&disk, &reserving());
    assert!(!has_reserve(&disk));
    assert!(opened.submit(Command::Flag(1, true)).unwrap());
    assert!(is_no_space(&opened.submit(Command::Put(2, value()))));
    assert!(opened.shown()[&1].1, "the flag is set");
}

#[test]
fn at_a_start_on_a_disk_without_any_room_a_store_can_be_read_and_begins_when_there_is_some() {
    let disk = FaultDisk::new();
    let opened_before = opened(&disk, &settings(100_000));
    opened_before.submit(Command::PutData(1, value())).unwrap();
    opened_before.sequencer.stop().unwrap();
    disk.capacity_set(disk.used_bytes());
    let opened = opened(&disk, &settings(100_000));
    assert_eq!(opened.shown()[&1].0, value());
    for command in [Command::Flag(1, true), Command::Put(2, value())] {
        let refused = opened.submit(command);
        assert!(is_no_space(&refused), "{refused:?}");
    }
    assert!(
        opened.sequencer.handle().failure().is_none(),
        "nothing ends, so that nothing starts over and over"
    );
    disk.heal();
    wait_for(&opened, Room::Enough);
    opened.submit(Command::Put(2, value())).unwrap();
    opened.sequencer.stop().unwrap();
    let again = open_with(&disk, LogView::default(), settings(100_000)).unwrap();
    assert_eq!(again.shown().len(), 2);
}

#[test]
fn compaction_frees_space_on_a_full_disk_from_the_reserve() {
    let disk = FaultDisk::new();
    let settings = JournalSettings { segment_bytes: 1_500, ..reserving() };
    let opened = opened(&disk, &settings);
    for _ in 0..20 {
        opened.submit(Command::PutData(1, value())).unwrap();
    }
    opened.submit(Command::PutData(2, value())).unwrap();
    disk.capacity_set(disk.used_bytes());
    wait_for(&opened, Room::Low);
    assert!(is_no_space(&opened.submit(Command::PutData(3, value()))));
    assert!(opened.compact().compacted > 3);
    wait_for(&opened, Room::Enough);
    opened.submit(Command::PutData(3, value())).unwrap();
    assert_eq!(opened.shown().len(), 3);
}

/// A journal that takes small frames only.
struct Narrow(LocalJournal, usize);

impl Journal for Narrow {
    fn append(&self, expected: Epoch, records: &[Record]) -> Result<Synced, JournalError> {
        let bytes = records.iter().map(|record| record.bytes.len()).sum();
        if bytes > self.1 { Err(JournalError::TooLarge(bytes)) } else { self.0.append(expected, records) }
    }

    fn read(&self, from: Lsn) -> Result<Frames, JournalError> {
        self.0.read(from)
    }

    fn tail(&self, from: Lsn) -> Tail {
        self.0.tail(from)
    }

    fn record_read(&self, place: &Place) -> Result<Bytes, JournalError> {
        self.0.record_read(place)
    }

    fn trim(&self, to: Lsn) -> Result<(), JournalError> {
        self.0.trim(to)
    }

    fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    fn lsn_next(&self) -> Lsn {
        self.0.lsn_next()
    }

    fn damage(&self) -> Vec<Damage> {
        self.0.damage()
    }

    fn close(&self) -> Result<(), JournalError> {
        self.0.close()
    }
}

#[test]
fn a_frame_that_is_too_large_is_refused_and_the_store_goes_on() {
    let disk = FaultDisk::new();
    let view = Arc::new(LogView::default());
    let journal =
        LocalJournal::open(Arc::new(disk), Path::new(DIR), settings(100_000), view.applied_lsn()).unwrap();
    let narrow = Arc::new(Narrow(journal.clone(), 400));
    let sequencer =
        Sequencer::open(Values::default(), narrow, view.clone(), SequencerSettings::new("values")).unwrap();
    let handle = sequencer.handle();
    handle.submit_blocking(Command::Put(1, value())).unwrap();
    let refused = handle.submit_blocking(Command::Put(2, Bytes::from(vec![0; 500])));
    assert!(matches!(refused, Err(SequencerError::Journal(JournalError::TooLarge(_)))), "{refused:?}");
    assert!(!handle.submit_blocking(Command::Flag(2, true)).unwrap(), "nothing of it was done");
    handle.submit_blocking(Command::Put(3, value())).unwrap();
    assert_eq!(shown(&journal, &*view).into_keys().collect::<Vec<_>>(), [1, 3]);
}
