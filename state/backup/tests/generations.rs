//! Backups of a journal that goes on meanwhile, on a disk in memory that can be made to fail.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup::{Backup, BackupError, Manifest, Source};
use disk::{Disk, FaultDisk, OpenMode, read_exact_at};
use jiff::Timestamp;
use journal::{Journal, JournalSettings, LocalJournal, Lsn, Record};

const STORE: &str = "/data/mailstore/journal";

/// A store of small segments, and the records that it has acknowledged.
struct Kept {
    disk: Arc<FaultDisk>,
    journal: LocalJournal,
    said: Vec<Vec<u8>>,
}

impl Kept {
    fn new() -> Self {
        let disk = Arc::new(FaultDisk::new());
        let journal = open(disk.clone(), Path::new(STORE)).unwrap();
        Self { disk, journal, said: Vec::new() }
    }

    fn say(&mut self, count: usize) {
        for _ in 0..count {
            let bytes = format!("record {}", self.said.len()).into_bytes().repeat(40);
            self.journal.append(self.journal.epoch(), &[Record::state(1, bytes.clone())]).unwrap();
            self.said.push(bytes);
        }
    }

    fn backup(&self) -> Backup {
        Backup::new(self.disk.clone(), "/backup")
    }

    fn take(&self, keep: Option<usize>) -> Result<backup::Taken, BackupError> {
        let pin = self.journal.pin();
        let files = self.journal.backup_files(&pin)?;
        let source = Source { store: "mailstore/journal".to_owned(), dir: PathBuf::from(STORE), files };
        self.backup().take(&[source], "mail.example.org", Timestamp::UNIX_EPOCH, keep, &|_, _| {})
    }

    fn newest(&self) -> Manifest {
        self.backup().generation(None).unwrap()
    }
}

fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<LocalJournal, journal::JournalError> {
    let settings = JournalSettings { segment_bytes: 4_096, ..JournalSettings::default() };
    LocalJournal::open(disk, dir, settings, Lsn::ZERO)
}

/// All records of the journal below `data`.
fn records(disk: Arc<dyn Disk>, data: &str) -> Vec<Vec<u8>> {
    let journal = open(disk, &Path::new(data).join("mailstore/journal")).unwrap();
    let frames = journal.read(Lsn::FIRST).unwrap().map(Result::unwrap);
    frames.flat_map(|frame| frame.records).map(|stored| stored.record.bytes.to_vec()).collect()
}

fn flip(disk: &FaultDisk, path: &Path, at: u64) {
    let file = disk.open(path, OpenMode::Write).unwrap();
    let byte = read_exact_at(&*file, 1, at).unwrap()[0];
    file.write_at(&[byte ^ 1], at).unwrap();
}

#[test]
fn a_generation_has_all_that_was_acknowledged_before_it() {
    let mut kept = Kept::new();
    kept.say(60);
    let taken = kept.take(None).unwrap();
    let said = kept.said.clone();
    kept.say(30);
    assert_eq!(taken.files, taken.files_copied);
    assert!(kept.backup().verify(&kept.newest(), &|_, _| {}).unwrap().is_sound());
    kept.backup().restore(&kept.newest(), None, Path::new("/new"), &|_, _| {}).unwrap();
    assert_eq!(records(kept.disk.clone(), "/new"), said);
}

#[test]
fn a_second_generation_costs_what_is_new() {
    let mut kept = Kept::new();
    kept.say(200);
    let first = kept.take(None).unwrap();
    kept.say(3);
    let second = kept.take(None).unwrap();
    assert!(first.files_copied > 10 && second.files_copied <= 2, "{first:?} {second:?}");
    assert!(second.bytes > first.bytes);
    assert_ne!(first.generation, second.generation);
    for manifest in kept.backup().generations().unwrap() {
        assert!(kept.backup().verify(&manifest, &|_, _| {}).unwrap().is_sound());
    }
}

#[test]
fn a_journal_that_went_another_way_under_the_same_names_is_copied_anew() {
    let mut kept = Kept::new();
    kept.say(60);
    kept.take(None).unwrap();
    let sealed = kept.newest().files.into_iter().find(|file| file.sealed).unwrap();
    let end = sealed.bytes - 1;
    flip(&kept.disk, &Path::new("/data").join(&sealed.path), end);
    assert!(kept.take(None).unwrap().files_copied >= 2);
    let same = kept.newest().files.into_iter().find(|file| file.path == sealed.path).unwrap();
    assert_ne!(same.blake3, sealed.blake3);
}

#[test]
fn a_flipped_byte_anywhere_is_named_and_the_rest_is_looked_at() {
    let mut kept = Kept::new();
    kept.say(40);
    kept.take(None).unwrap();
    let manifest = kept.newest();
    for file in &manifest.files {
        let pooled = format!("/backup/files/{}.{}", file.path, &file.blake3[..16]);
        for at in (0..file.bytes).step_by(97) {
            flip(&kept.disk, Path::new(&pooled), at);
            let report = kept.backup().verify(&manifest, &|_, _| {}).unwrap();
            assert!(report.findings.iter().any(|finding| finding.path == file.path), "{} at {at}", file.path);
            flip(&kept.disk, Path::new(&pooled), at);
        }
    }
    assert!(kept.backup().verify(&manifest, &|_, _| {}).unwrap().is_sound());
}

#[test]
fn a_missing_file_is_named_and_the_rest_is_brought_back() {
    let mut kept = Kept::new();
    kept.say(40);
    kept.take(None).unwrap();
    let manifest = kept.newest();
    let lost = &manifest.files[1];
    let pooled = format!("/backup/files/{}.{}", lost.path, &lost.blake3[..16]);
    kept.disk.remove(Path::new(&pooled)).unwrap();
    assert!(!kept.backup().verify(&manifest, &|_, _| {}).unwrap().is_sound());
    let restored = kept.backup().restore(&manifest, None, Path::new("/new"), &|_, _| {}).unwrap();
    assert_eq!(restored.findings.len(), 1);
    assert_eq!(restored.findings[0].path, lost.path);
    assert!(kept.disk.exists(&Path::new("/new").join(&manifest.files[2].path)).unwrap());
}

#[test]
fn a_backup_that_is_cut_off_anywhere_leaves_what_was_there_and_is_taken_again() {
    for n in 1.. {
        let mut kept = Kept::new();
        kept.say(20);
        kept.take(None).unwrap();
        let first = kept.newest();
        kept.say(20);
        kept.disk.fail_nth(n, std::io::ErrorKind::Other);
        let taken = kept.take(Some(1));
        kept.disk.heal();
        if taken.is_ok() {
            assert!(n > 20, "the faults must reach the work");
            return;
        }
        let backup = kept.backup();
        let newest = kept.newest();
        assert!(newest == first || newest.bytes() > first.bytes(), "fault {n}");
        assert!(backup.verify(&newest, &|_, _| {}).unwrap().is_sound(), "fault {n}");
        kept.take(Some(1)).unwrap();
        backup.restore(&kept.newest(), None, Path::new("/new"), &|_, _| {}).unwrap();
        assert_eq!(records(kept.disk.clone(), "/new"), kept.said, "fault {n}");
    }
}

#[test]
fn what_a_backup_that_was_cut_off_had_copied_is_not_copied_again() {
    let mut kept = Kept::new();
    kept.say(100);
    kept.take(None).unwrap();
    let list = format!("/backup/generations/{}.json", kept.newest().name());
    kept.disk.remove(Path::new(&list)).unwrap();
    let pooled = kept.disk.list(Path::new("/backup/files/mailstore/journal")).unwrap();
    flip(&kept.disk, &Path::new("/backup/files/mailstore/journal").join(&pooled[1]), 1_000);
    let taken = kept.take(None).unwrap();
    assert_eq!(taken.files_copied, 2, "the last segment, and the one that is damaged in the pool: {taken:?}");
    assert!(kept.backup().verify(&kept.newest(), &|_, _| {}).unwrap().is_sound());
}

#[test]
fn a_folder_with_something_of_somebody_else_is_left_alone() {
    let mut kept = Kept::new();
    kept.say(5);
    kept.disk.create_dir(Path::new("/backup/incoming")).unwrap();
    for name in ["/backup/letter", "/backup/incoming/mail"] {
        kept.disk.open(Path::new(name), OpenMode::CreateNew).unwrap();
    }
    assert!(matches!(kept.take(None), Err(BackupError::Foreign { name, .. }) if name == "letter"));
    assert!(kept.disk.exists(Path::new("/backup/incoming/mail")).unwrap());
    kept.disk.remove(Path::new("/backup/letter")).unwrap();
    kept.take(None).unwrap();
    kept.disk.open(Path::new("/backup/README"), OpenMode::CreateNew).unwrap();
    kept.take(None).unwrap();
}

#[test]
fn old_generations_are_given_up_with_what_only_they_name() {
    let mut kept = Kept::new();
    for _ in 0..4 {
        kept.say(20);
        kept.take(Some(2)).unwrap();
    }
    let generations = kept.backup().generations().unwrap();
    assert_eq!(generations.len(), 2);
    let mut named: Vec<_> = generations
        .iter()
        .flat_map(|manifest| &manifest.files)
        .map(|file| format!("{}.{}", file.path.rsplit('/').next().unwrap(), &file.blake3[..16]))
        .collect();
    named.sort();
    named.dedup();
    let mut pool = kept.disk.list(Path::new("/backup/files/mailstore/journal")).unwrap();
    pool.sort();
    assert_eq!(pool, named);
}

#[test]
fn nothing_is_overwritten() {
    let mut kept = Kept::new();
    kept.say(5);
    kept.take(None).unwrap();
    let refused = kept.backup().restore(&kept.newest(), None, Path::new("/data"), &|_, _| {});
    assert!(matches!(refused, Err(BackupError::Occupied(dir)) if dir == Path::new("/data/mailstore")));
    let unknown = kept.backup().generation(Some("2020-01-01T00:00:00Z"));
    assert!(matches!(unknown, Err(BackupError::Unknown(_))));
    let nobodys = Backup::new(kept.disk.clone(), "/elsewhere").generation(None);
    assert!(matches!(nobodys, Err(BackupError::Empty(_))));
    let _held = kept.disk.lock(Path::new("/backup/LOCK")).unwrap();
    assert!(matches!(kept.take(None), Err(BackupError::Locked(_))));
}
