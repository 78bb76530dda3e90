//! A body while it comes in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::body::{Body, BodyFile};
use crate::{Disk, File, OpenMode};

/// How names of temporary body files end.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Takes a body piece by piece: in memory up to a limit, then in a temporary file, so that memory stays bounded.
///
/// Dropped without [`BodyWriter::finish`], it leaves nothing behind. Nothing is synced.
#[derive(Debug)]
pub struct BodyWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    memory_bytes_max: usize,
    memory: Vec<u8>,
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
        Self { disk, dir: dir.into(), memory_bytes_max, memory: Vec::new(), spilled: None }
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
        if self.memory.len() > room { self.spill() } else { Ok(()) }
    }

    /// The body as taken.
    pub fn finish(mut self) -> io::Result<Body> {
        if self.spilled.is_none() {
            return Ok(Body::from_bytes(std::mem::take(&mut self.memory)));
        }
        self.spill()?;
        let Spilled { path, file, bytes } = self.spilled.take().expect("checked above");
        Ok(Body::from_file(BodyFile::temporary(self.disk.clone(), path, file, bytes)))
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
