//! The journal on disk: frames and segments, whole, damaged and made up.

use crate::cuts::split;
use disk::{Disk, FaultDisk, OpenMode};
use journal::{
    Decoder, Encoder, Journal, JournalError, JournalSettings, LocalJournal, Lsn, Record, StoredRecord,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "/journal";
const SEGMENT_BYTES: u64 = 600;

/// A journal that is written as the first bytes say, and then damaged as the others say, in fours: what can be read after
/// that is what was written, and what cannot be read is said.
pub fn open(bytes: &[u8]) {
    values(bytes);
    let ([frames, size], damages) = split::<2>(bytes);
    let disk = FaultDisk::new();
    let written = write(&disk, usize::from(frames % 12), usize::from(size));
    let is_damaged = damages.len() >= 4;
    damages.chunks_exact(4).for_each(|damage| harm(&disk, damage));
    let Ok(journal) = opened(&disk) else { return };
    let is_said = !journal.damage().is_empty();
    let read = read(&journal);
    for stored in read.iter().filter(|stored| stored.intact) {
        let was = usize::try_from(stored.lsn().0 - 1).ok().and_then(|index| written.get(index));
        assert_eq!(was.map(|text| &text[..]), Some(&stored.record.bytes[..]), "record {}", stored.lsn().0);
    }
    assert!(is_damaged || read.iter().all(|stored| stored.intact), "damage is found where there is none");
    assert!(is_damaged || read.len() == written.len(), "{} of {} without damage", read.len(), written.len());
    assert!(is_damaged || !is_said, "damage is said where there is none");
    next_term(&disk, journal, read.len());
}

/// What was read once is there in the next term too, and what is appended then as well.
fn next_term(disk: &FaultDisk, journal: LocalJournal, read_before: usize) {
    let appended = journal.append(journal.epoch(), &[Record::state(1, "more")]);
    if appended.is_err() {
        return;
    }
    drop(journal);
    let again = opened(disk).expect("it could be opened before");
    assert_eq!(read(&again).len(), read_before + 1);
}

fn opened(disk: &FaultDisk) -> Result<LocalJournal, JournalError> {
    let settings = JournalSettings { segment_bytes: SEGMENT_BYTES, ..JournalSettings::default() };
    LocalJournal::open(Arc::new(disk.clone()), Path::new(DIR), settings, Lsn::ZERO)
}

fn write(disk: &FaultDisk, frames: usize, size: usize) -> Vec<Vec<u8>> {
    let journal = opened(disk).expect("a new journal");
    let mut written = Vec::new();
    for frame in 0..frames {
        let texts: Vec<_> =
            (0..=frame % 3).map(|n| vec![frame as u8 ^ n as u8; size * (n + 1) % 257]).collect();
        let records: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(n, text)| match n % 2 {
                0 => Record::state(1, text.clone()),
                _ => Record::body(2, text.clone()),
            })
            .collect();
        journal.append(journal.epoch(), &records).expect("a healthy disk");
        written.extend(texts);
    }
    written
}

/// The records that can be read, up to the first error.
fn read(journal: &LocalJournal) -> Vec<StoredRecord> {
    let Ok(frames) = journal.read(Lsn(1)) else { return Vec::new() };
    frames.map_while(Result::ok).flat_map(|frame| frame.records).collect()
}

/// Changes a byte, cuts the end off or adds to it, in one of the segments.
fn harm(disk: &FaultDisk, damage: &[u8]) {
    let &[how, which, place, value] = damage else { return };
    let names = disk.list(Path::new(DIR)).expect("the directory is there");
    let segments: Vec<_> = names.iter().filter(|name| name.ends_with(".seg")).collect();
    let path: PathBuf = [DIR, segments[usize::from(which) % segments.len()]].iter().collect();
    let file = disk.open(&path, OpenMode::Write).expect("it was listed");
    let length = file.len().expect("it is there");
    let at = (u64::from(place) | u64::from(how & 3) << 8) % length.max(1);
    match how >> 6 {
        0 => file.set_len(at).expect("a healthy disk"),
        1 => file.write_at(&[value; 7], length).expect("a healthy disk"),
        _ => file.write_at(&[value], at).expect("a healthy disk"),
    }
}

/// The codec of records: what was put together from these bytes is taken apart as it was.
fn values(bytes: &[u8]) {
    let number = bytes.iter().fold(0u64, |number, byte| number << 7 ^ u64::from(*byte));
    let mut encoder = Encoder::new();
    encoder.uint(number);
    encoder.int(number as i64);
    encoder.bytes(bytes);
    encoder.option(bytes.first(), |encoder, byte| encoder.byte(*byte));
    let encoded = encoder.finish();
    let mut decoder = Decoder::new(&encoded);
    assert_eq!(decoder.uint(), Ok(number));
    assert_eq!(decoder.int(), Ok(number as i64));
    assert_eq!(decoder.bytes(), Ok(bytes));
    assert_eq!(decoder.option(|decoder| decoder.byte()), Ok(bytes.first().copied()));
    assert_eq!(decoder.finish(), Ok(()));
    let mut any = Decoder::new(bytes);
    let _ = any.list(|decoder| decoder.text().map(str::len));
}
