//! Bodies: what goes in comes out, memory stays bounded, nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Body, BodyFile, BodyWriter, Crash, Disk, FaultDisk, temporary_sweep};

fn disk() -> Arc<FaultDisk> {
    let disk = FaultDisk::new();
    disk.create_dir(Path::new("/tmp")).unwrap();
    Arc::new(disk)
}

fn body(disk: &Arc<FaultDisk>, pieces: &[&[u8]], memory_bytes_max: usize) -> Body {
    let mut writer = BodyWriter::new(disk.clone(), "/tmp", memory_bytes_max);
    pieces.iter().for_each(|piece| writer.write(piece).unwrap());
    assert_eq!(writer.len() as usize, pieces.concat().len());
    writer.finish().unwrap()
}

fn chunks(body: &Body, bytes: usize) -> Vec<u8> {
    body.chunks(bytes).map(|chunk| chunk.unwrap()).collect::<Vec<_>>().concat()
}

#[test]
fn a_body_that_cannot_be_saved_leaves_no_file() {
    let body = Body::from_bytes(vec![b'x'; 300_000]);
    for n in 1.. {
        let disk = FaultDisk::new();
        disk.create_dir(Path::new("/bodies")).unwrap();
        disk.fail_nth(n, ErrorKind::StorageFull);
        let saved = body.save(&disk, Path::new("/bodies/one"));
        disk.heal();
        if saved.is_ok() {
            assert!(n > 5, "the faults must reach the work");
            break;
        }
        assert!(disk.list(Path::new("/bodies")).unwrap().is_empty(), "fault {n}");
    }
}

#[test]
fn a_body_comes_out_as_it_went_in_from_memory_and_from_a_file() {
    let disk = disk();
    let pieces: [&[u8]; 4] = [b"one ", b"", b"two ", &[b'x'; 200_000]];
    for limit in [0, 5, 1_000_000] {
        let body = body(&disk, &pieces, limit);
        assert_eq!(body.is_file(), limit < 1_000_000);
        assert_eq!(body.len() as usize, pieces.concat().len());
        assert_eq!(chunks(&body, 1_000), pieces.concat());
        assert_eq!(body.read_all().unwrap(), pieces.concat());
        assert_eq!(body.read_at(2, 4).unwrap(), "e tw");
        assert_eq!(body.read_at(body.len() - 1, 10).unwrap(), "x");
        assert!(body.read_at(body.len() + 5, 10).unwrap().is_empty());
    }
}

#[test]
fn fields_stand_in_front_without_a_copy_of_the_rest() {
    let disk = disk();
    for limit in [0, 1_000] {
        let body = body(&disk, &[b"body"], limit);
        let body = Body::prefixed(Bytes::from("Received: 1\r\n"), body);
        let body = Body::prefixed(Bytes::from("Return-Path: 2\r\n"), body);
        let whole = b"Return-Path: 2\r\nReceived: 1\r\nbody";
        assert_eq!(body.read_all().unwrap(), &whole[..]);
        for bytes in 1..whole.len() + 1 {
            assert_eq!(chunks(&body, bytes), whole, "{bytes}");
        }
    }
}

#[test]
fn a_temporary_file_goes_with_its_last_handle() {
    let disk = disk();
    let body = body(&disk, &[b"body"], 0);
    let clone = body.clone();
    drop(body);
    assert_eq!(clone.read_all().unwrap(), "body");
    drop(clone);
    assert!(disk.list(Path::new("/tmp")).unwrap().is_empty());
}

#[test]
fn an_unfinished_body_leaves_no_file() {
    let disk = disk();
    let mut writer = BodyWriter::new(disk.clone(), "/tmp", 0);
    writer.write(b"body").unwrap();
    assert_eq!(disk.list(Path::new("/tmp")).unwrap().len(), 1);
    drop(writer);
    assert!(disk.list(Path::new("/tmp")).unwrap().is_empty());
}

#[test]
fn what_a_crash_leaves_is_swept() {
    let disk = disk();
    let _body = body(&disk, &[b"body"], 0);
    disk.crash(Crash::Process);
    assert_eq!(temporary_sweep(&*disk, Path::new("/tmp")).unwrap(), 1);
    assert!(disk.list(Path::new("/tmp")).unwrap().is_empty());
}

#[test]
fn a_saved_body_survives_a_power_failure() {
    let disk = disk();
    disk.create_dir(Path::new("/bodies")).unwrap();
    let body = Body::prefixed(Bytes::from("field\r\n"), body(&disk, &[&[b'x'; 200_000]], 0));
    let path = PathBuf::from("/bodies/1");
    assert_eq!(body.save(&*disk, &path).unwrap(), body.len());
    let whole = body.read_all().unwrap();
    disk.crash(Crash::Power);
    let stored = Body::from_file(BodyFile::open(disk.clone(), path.clone()).unwrap());
    assert_eq!(stored.read_all().unwrap(), whole);
    drop(stored);
    assert!(disk.exists(&path).unwrap(), "a stored file stays");
}
