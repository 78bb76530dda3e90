//! A body while it comes in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::body::{Body, BodyFile};
use crate::budget::{MemoryBudget, Share, Shared};
use crate::{Disk, File, OpenMode};

/// How names of temporary body files end.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Takes a body piece by piece: in memory up to a limit, or until the process has no memory left for bodies, then in a
/// temporary file. So memory stays bounded, however many bodies come in at once.
///
/// Dropped without [`BodyWriter::finish`], it leaves nothing behind. Nothing is synced.
#[derive(Debug)]
pub struct BodyWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    memory_bytes_max: usize,
    memory: Vec<u8>,
    share: Share,
    spilled: Option<Spilled>,
}

/// The file that the body went on in; `memory` is then the part not yet written.
#[derive(Debug)]
struct Spilled {
    path: PathBuf,
    file: Box<dyn File>,
    bytes: u64,
}

impl BodyWriter {
    /// A writer that keeps up to `memory_bytes_max` bytes in memory and the rest in a temporary file in `dir`.
    pub fn new(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>, memory_bytes_max: usize) -> Self {
        let share = MemoryBudget::process().share();
        Self { disk, dir: dir.into(), memory_bytes_max, memory: Vec::new(), share, spilled: None }
    }

    /// With memory from another budget.
    pub fn with_budget(mut self, budget: &MemoryBudget) -> Self {
        self.share = budget.share();
        self
    }

    /// Bytes taken so far.
    pub fn len(&self) -> u64 {
        self.memory.len() as u64 + self.spilled.as_ref().map_or(0, |spilled| spilled.bytes)
    }

    /// Whether nothing was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the next piece.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.memory.extend_from_slice(bytes);
        let room = if self.spilled.is_some() { limits::BODY_CHUNK_BYTES } else { self.memory_bytes_max };
        let fits = self.memory.len() <= room && self.share.resize(self.memory.capacity());
        if fits { Ok(()) } else { self.spill() }
    }

    /// The body as taken.
    pub fn finish(mut self) -> io::Result<Body> {
        if self.spilled.is_none() {
            return Ok(Body::from_bytes(self.shared()));
        }
        self.spill()?;
        let Spilled { path, file, bytes } = self.spilled.take().expect("checked above");
        Ok(Body::from_file(BodyFile::temporary(self.disk.clone(), path, file, bytes)))
    }

    /// The body in memory; its share is given back when the last who reads it is done.
    fn shared(&mut self) -> Bytes {
        let bytes = std::mem::take(&mut self.memory);
        let none = self.share.budget().share();
        Bytes::from_owner(Shared { bytes, _share: std::mem::replace(&mut self.share, none) })
    }

    /// Moves what is in memory to the file, which is made if need be.
    fn spill(&mut self) -> io::Result<()> {
        if self.spilled.is_none() {
            self.spilled = Some(temporary_create(&*self.disk, &self.dir)?);
        }
        let spilled = self.spilled.as_mut().expect("made above");
        spilled.file.write_at(&self.memory, spilled.bytes)?;
        spilled.bytes += self.memory.len() as u64;
        self.memory.clear();
        self.memory.shrink_to(limits::BODY_CHUNK_BYTES * 2);
        if !self.share.resize(self.memory.capacity()) {
            self.memory = Vec::new();
            self.share.resize(0);
        }
        Ok(())
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        if let Some(spilled) = self.spilled.take() {
            let _ = self.disk.remove(&spilled.path);
        }
    }
}

fn temporary_create(disk: &dyn Disk, dir: &Path) -> io::Result<Spilled> {
    let name = getrandom::u64().map_err(io::Error::other)?;
    let path = dir.join(format!("{name:016x}{TEMPORARY_SUFFIX}"));
    let file = disk.open(&path, OpenMode::CreateNew)?;
    Ok(Spilled { path, file, bytes: 0 })
}

/// Removes temporary body files that a crash left in `dir`; call before anything is received. Returns how many.
pub fn temporary_sweep(disk: &dyn Disk, dir: &Path) -> io::Result<usize> {
    let names = disk.list(dir)?;
    let left: Vec<_> = names.iter().filter(|name| name.ends_with(TEMPORARY_SUFFIX)).collect();
    left.iter().try_for_each(|name| disk.remove(&dir.join(name)))?;
    Ok(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RealDisk;

    fn writer(dir: &Path, budget: &MemoryBudget) -> BodyWriter {
        BodyWriter::new(Arc::new(RealDisk), dir, 100_000).with_budget(budget)
    }

    #[test]
    fn a_body_that_the_memory_of_all_has_no_room_for_goes_to_a_file_at_once() {
        let (dir, budget) = (tempfile::tempdir().unwrap(), MemoryBudget::new(1_500));
        let (mut first, mut second) = (writer(dir.path(), &budget), writer(dir.path(), &budget));
        first.write(&[1; 1_000]).unwrap();
        second.write(&[2; 1_000]).unwrap();
        second.write(&[3; 10]).unwrap();
        let (first, second) = (first.finish().unwrap(), second.finish().unwrap());
        assert!(!first.is_file() && second.is_file());
        assert_eq!(second.read_all().unwrap(), [[2; 1_000].as_slice(), &[3; 10]].concat());
    }

    #[test]
    fn memory_is_given_back_when_the_last_handle_of_a_body_goes() {
        let (dir, budget) = (tempfile::tempdir().unwrap(), MemoryBudget::new(10_000));
        let mut dropped = writer(dir.path(), &budget);
        dropped.write(&[0; 2_000]).unwrap();
        drop(dropped);
        assert_eq!(budget.free_bytes(), 10_000);
        let mut taken = writer(dir.path(), &budget);
        taken.write(&[0; 2_000]).unwrap();
        let body = taken.finish().unwrap();
        let part = body.read_at(0, 10).unwrap();
        drop(body);
        assert!(budget.free_bytes() <= 8_000);
        drop(part);
        assert_eq!(budget.free_bytes(), 10_000);
    }

    #[test]
    fn a_body_in_a_file_takes_a_chunk_of_memory_at_most() {
        let (dir, budget) = (tempfile::tempdir().unwrap(), MemoryBudget::new(10_000_000));
        let mut big = writer(dir.path(), &budget);
        (0..100).for_each(|_| big.write(&[0; 10_000]).unwrap());
        assert!(budget.free_bytes() >= 10_000_000 - 2 * limits::BODY_CHUNK_BYTES);
        assert_eq!(big.finish().unwrap().len(), 1_000_000);
        assert_eq!(budget.free_bytes(), 10_000_000);
    }
}
