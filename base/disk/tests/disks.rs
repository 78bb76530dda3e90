//! What every disk must do, run on the real one and on its twin; and what the twin does besides.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use disk::{Crash, Disk, FaultDisk, OpenMode, RealDisk, read_exact_at};

fn on_both(test: impl Fn(&dyn Disk, PathBuf)) {
    let dir = tempfile::tempdir().unwrap();
    test(&RealDisk, dir.path().join("dir"));
    test(&FaultDisk::new(), PathBuf::from("/dir"));
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    disk.open(path, OpenMode::Create).unwrap().write_at(bytes, 0).unwrap();
}

fn read(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, OpenMode::Read).unwrap();
    read_exact_at(&*file, file.len().unwrap() as usize, 0).unwrap()
}

fn kind<T>(result: std::io::Result<T>) -> ErrorKind {
    result.err().expect("it must fail").kind()
}

#[test]
fn files_keep_what_is_written_where_it_is_written() {
    on_both(|disk, dir| {
        disk.create_dir(&dir).unwrap();
        let file = disk.open(&dir.join("a"), OpenMode::CreateNew).unwrap();
        assert!(file.is_empty().unwrap());
        file.write_at(b"world", 6).unwrap();
        file.write_at(b"hello ", 0).unwrap();
        file.sync_data().unwrap();
        assert_eq!(read(disk, &dir.join("a")), b"hello world");
        file.set_len(5).unwrap();
        assert_eq!(read(disk, &dir.join("a")), b"hello");
        let mut buffer = [0; 10];
        assert_eq!(file.read_at(&mut buffer, 3).unwrap(), 2);
        assert_eq!(file.read_at(&mut buffer, 30).unwrap(), 0);
        assert_eq!(kind(read_exact_at(&*file, 3, 3)), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn opening_does_as_its_mode_says() {
    on_both(|disk, dir| {
        disk.create_dir(&dir).unwrap();
        let path = dir.join("a");
        assert_eq!(kind(disk.open(&path, OpenMode::Read)), ErrorKind::NotFound);
        assert_eq!(kind(disk.open(&path, OpenMode::Write)), ErrorKind::NotFound);
        assert_eq!(kind(disk.open(&dir.join("none/a"), OpenMode::Create)), ErrorKind::NotFound);
        write(disk, &path, b"kept");
        assert_eq!(kind(disk.open(&path, OpenMode::CreateNew)), ErrorKind::AlreadyExists);
        disk.open(&path, OpenMode::Create).unwrap();
        assert_eq!(read(disk, &path), b"kept");
        assert!(disk.open(&path, OpenMode::Read).unwrap().write_at(b"x", 0).is_err());
    });
}

#[test]
fn names_come_and_go() {
    on_both(|disk, dir| {
        disk.create_dir(&dir.join("below")).unwrap();
        disk.create_dir(&dir).unwrap();
        write(disk, &dir.join("b"), b"b");
        write(disk, &dir.join("a"), b"a");
        assert_eq!(disk.list(&dir).unwrap(), ["a", "b", "below"]);
        disk.rename(&dir.join("b"), &dir.join("a")).unwrap();
        assert_eq!(read(disk, &dir.join("a")), b"b");
        assert!(!disk.exists(&dir.join("b")).unwrap());
        disk.remove(&dir.join("a")).unwrap();
        assert_eq!(kind(disk.remove(&dir.join("a"))), ErrorKind::NotFound);
        assert_eq!(disk.list(&dir).unwrap(), ["below"]);
        disk.sync_dir(&dir).unwrap();
        assert!(disk.space_free(&dir).unwrap() > 0);
    });
}

#[test]
fn a_lock_is_held_by_one_until_it_is_dropped() {
    on_both(|disk, dir| {
        disk.create_dir(&dir).unwrap();
        let held = disk.lock(&dir.join("LOCK")).unwrap();
        assert_eq!(kind(disk.lock(&dir.join("LOCK"))), ErrorKind::WouldBlock);
        drop(held);
        disk.lock(&dir.join("LOCK")).unwrap();
    });
}

fn twin() -> FaultDisk {
    let disk = FaultDisk::new();
    disk.create_dir(Path::new("/dir")).unwrap();
    disk
}

#[test]
fn a_power_failure_takes_what_was_not_synced() {
    let (disk, path) = (twin(), Path::new("/dir/a"));
    let file = disk.open(path, OpenMode::Create).unwrap();
    file.write_at(b"synced", 0).unwrap();
    file.sync_data().unwrap();
    disk.crash(Crash::Power);
    assert!(!disk.exists(path).unwrap(), "the name was not synced");

    let file = disk.open(path, OpenMode::Create).unwrap();
    file.write_at(b"synced", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/dir")).unwrap();
    file.write_at(b"LOST", 0).unwrap();
    disk.crash(Crash::Power);
    assert_eq!(read(&disk, path), b"synced");
    assert!(file.len().is_err(), "the handle died with the process");
}

#[test]
fn a_process_crash_takes_handles_and_locks_and_no_bytes() {
    let (disk, path) = (twin(), Path::new("/dir/a"));
    let _lock = disk.lock(Path::new("/dir/LOCK")).unwrap();
    write(&disk, path, b"in the cache");
    disk.crash(Crash::Process);
    assert_eq!(read(&disk, path), b"in the cache");
    disk.lock(Path::new("/dir/LOCK")).unwrap();
}

#[test]
fn a_torn_write_reaches_the_disk_by_sectors() {
    let before = vec![1; 4_096];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let (disk, path) = (twin(), Path::new("/dir/a"));
        write(&disk, path, &before);
        disk.open(path, OpenMode::Write).unwrap().sync_data().unwrap();
        disk.sync_dir(Path::new("/dir")).unwrap();
        write(&disk, path, &[2; 4_096]);
        disk.crash(Crash::Torn(seed));
        let after = read(&disk, path);
        assert!(after.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        seen.insert(after);
    }
    assert!(seen.len() > 10, "seeds differ");
}

#[test]
fn the_nth_operation_fails_and_those_before_do_not() {
    let (disk, path) = (twin(), Path::new("/dir/a"));
    let file = disk.open(path, OpenMode::Create).unwrap();
    disk.fail_nth(2, ErrorKind::StorageFull);
    file.write_at(b"one", 0).unwrap();
    assert_eq!(kind(file.write_at(b"twotwo", 3)), ErrorKind::StorageFull);
    assert_eq!(read(&disk, path), b"onetwo", "half of a failed write is there");
    disk.fail_from(1, ErrorKind::Other);
    assert!(file.sync_data().is_err() && file.sync_data().is_err());
    disk.heal();
    file.sync_data().unwrap();
}

#[test]
fn what_a_failed_sync_dropped_stays_readable_and_never_becomes_durable() {
    let (disk, path) = (twin(), Path::new("/dir/a"));
    let file = disk.open(path, OpenMode::Create).unwrap();
    disk.sync_dir(Path::new("/dir")).unwrap();
    file.write_at(b"bytes", 0).unwrap();
    disk.fail_nth(1, ErrorKind::Other);
    file.sync_data().unwrap_err();
    file.sync_data().unwrap();
    assert_eq!(read(&disk, path), b"bytes");
    disk.crash(Crash::Power);
    assert_eq!(read(&disk, path), b"");
}

#[test]
fn a_full_disk_takes_what_fits_and_has_room_again_when_something_goes() {
    let disk = FaultDisk::new();
    disk.create_dir(Path::new("/dir")).unwrap();
    let (first, second) = (Path::new("/dir/first"), Path::new("/dir/second"));
    let reserve = disk.open(first, OpenMode::Create).unwrap();
    reserve.allocate(60).unwrap();
    disk.capacity_set(100);
    assert_eq!(disk.space_free(Path::new("/dir")).unwrap(), 40);
    let file = disk.open(second, OpenMode::Create).unwrap();
    let full = file.write_at(&[1; 50], 0).unwrap_err();
    assert!(disk::is_no_space(&full));
    assert_eq!(file.len().unwrap(), 40, "what fitted");
    file.write_at(&[2; 40], 0).unwrap();
    disk.remove(first).unwrap();
    file.write_at(&[1; 50], 0).unwrap();
    assert_eq!(disk.used_bytes(), 50);
}

#[test]
fn a_disk_that_ignores_syncs_loses_what_was_synced() {
    let disk = FaultDisk::new();
    disk.create_dir(Path::new("/dir")).unwrap();
    disk.sync_ignored(true);
    let file = disk.open(Path::new("/dir/file"), OpenMode::Create).unwrap();
    file.write_at(b"bytes", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/dir")).unwrap();
    disk.crash(Crash::Power);
    assert!(!disk.exists(Path::new("/dir/file")).unwrap());
}

#[test]
fn the_real_disk_gives_a_file_its_room_and_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = RealDisk.open(&dir.path().join("file"), OpenMode::Create).unwrap();
    file.write_at(b"here", 0).unwrap();
    file.allocate(200_000).unwrap();
    assert_eq!(file.len().unwrap(), 200_000);
    assert_eq!(disk::read_exact_at(&*file, 5, 0).unwrap(), b"here\0");
}
