//! Where bodies are: packed in the journal, or in files of their own.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use disk::{Body, Disk, OpenMode};
use parking_lot::Mutex;

use crate::entry::{Packing, Stored};
use crate::queue::Queue;
use crate::queue_id::QueueId;

/// Bytes of a message below which compression, for the second that most messages stay, costs more than it saves.
const COMPRESSED_BYTES_MIN: usize = 16 * 1024;

/// Where bodies that are files stand.
#[derive(Debug, Clone)]
pub(crate) struct BodyDir {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    pins: Arc<Mutex<Pins>>,
}

/// Backups that are being taken, and the files that nobody else needs meanwhile.
#[derive(Debug, Default)]
struct Pins {
    count: usize,
    left: Vec<QueueId>,
}

/// Keeps all files in place until it is dropped.
pub(crate) struct BodiesPin(BodyDir);

impl Drop for BodiesPin {
    fn drop(&mut self) {
        let left = {
            let mut pins = self.0.pins.lock();
            pins.count -= 1;
            if pins.count == 0 { std::mem::take(&mut pins.left) } else { Vec::new() }
        };
        left.into_iter().for_each(|queue_id| self.0.unlink(queue_id));
    }
}

impl BodyDir {
    const SUFFIX: &str = ".body";

    pub fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self { disk, dir, pins: Arc::default() }
    }

    /// Keeps all files in place until the answer is dropped.
    pub fn pin(&self) -> BodiesPin {
        self.pins.lock().count += 1;
        BodiesPin(self.clone())
    }

    /// The name of a message's file.
    pub fn name(&self, queue_id: QueueId) -> String {
        format!("{queue_id}{}", Self::SUFFIX)
    }

    pub fn path(&self, queue_id: QueueId) -> PathBuf {
        self.dir.join(self.name(queue_id))
    }

    /// The messages whose bodies are files, and the bytes of those.
    pub fn files(&self) -> io::Result<Vec<(QueueId, u64)>> {
        let names = self.disk.list(&self.dir)?.into_iter();
        let found = names.filter_map(|name| name.strip_suffix(Self::SUFFIX)?.parse().ok());
        let sized = |queue_id| match self.disk.open(&self.path(queue_id), OpenMode::Read) {
            Ok(file) => Some(file.len().map(|bytes| (queue_id, bytes))),
            // It came to nothing meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error)),
        };
        found.filter_map(sized).collect()
    }

    /// Removes the files of messages that are not in the queue: what a crash has left.
    pub fn sweep(&self, queue: &Queue) -> io::Result<()> {
        for name in self.disk.list(&self.dir)? {
            let queue_id = name.strip_suffix(Self::SUFFIX).and_then(|name| name.parse().ok());
            if queue_id.and_then(|queue_id| queue.entry(queue_id)).is_none() {
                self.disk.remove(&self.dir.join(&name))?;
            }
        }
        Ok(())
    }

    /// Removes the file of a message that needs it no more, or leaves that to the end of a backup.
    pub fn remove(&self, queue_id: QueueId) {
        let mut pins = self.pins.lock();
        match pins.count {
            0 => {
                drop(pins);
                self.unlink(queue_id);
            }
            _ => pins.left.push(queue_id),
        }
    }

    /// What cannot be removed now is swept at the next start.
    fn unlink(&self, queue_id: QueueId) {
        if let Err(error) = self.disk.remove(&self.path(queue_id)) {
            tracing::debug!(%queue_id, %error, "the body of a message stays behind");
        }
    }

    /// Makes a body ready for the journal; a large one goes into a file, which is durable when this returns. Blocks.
    pub fn pack(&self, body: &Body, queue_id: QueueId) -> io::Result<Packed> {
        if body.len() > limits::BODY_MEMORY_BYTES_MAX as u64 {
            body.save(&*self.disk, &self.path(queue_id))?;
            return Ok(Packed::File(UnclaimedFile { bodies: self.clone(), queue_id, claimed: false }));
        }
        let plain = body.read_all()?;
        if plain.len() < COMPRESSED_BYTES_MIN {
            return Ok(Packed::Record(Packing::Plain, plain));
        }
        let packed = lz4_flex::compress(&plain);
        Ok(match packed.len() < plain.len() {
            true => Packed::Record(Packing::Lz4, packed.into()),
            false => Packed::Record(Packing::Plain, plain),
        })
    }
}

/// A body ready for the journal.
#[derive(Debug)]
pub(crate) enum Packed {
    Record(Packing, Bytes),
    File(UnclaimedFile),
}

impl Packed {
    /// What its message will say of it; the place of a record is known later.
    pub fn stored(&self) -> Stored {
        match self {
            Self::Record(packing, _) => Stored::Journal(*packing, None),
            Self::File(_) => Stored::File,
        }
    }

    /// Bytes that it holds in memory.
    pub fn memory_bytes(&self) -> usize {
        if let Self::Record(_, bytes) = self { bytes.len() } else { 0 }
    }
}

/// The file of a message that is not staged yet: if it never is, the file goes with it.
#[derive(Debug)]
pub(crate) struct UnclaimedFile {
    bodies: BodyDir,
    queue_id: QueueId,
    claimed: bool,
}

impl UnclaimedFile {
    /// The message is staged. From here on the file stays even if the write fails: the next start may find it done.
    pub fn claim(mut self) {
        self.claimed = true;
    }
}

impl Drop for UnclaimedFile {
    fn drop(&mut self) {
        if !self.claimed {
            // What cannot be removed now is swept at the next start.
            let _ = self.bodies.disk.remove(&self.bodies.path(self.queue_id));
        }
    }
}

/// The opposite of [`BodyDir::pack`], for what stands in the journal.
pub(crate) fn unpack(packing: Packing, stored: Bytes, bytes: u64) -> Option<Bytes> {
    match packing {
        Packing::Plain => Some(stored),
        Packing::Lz4 => lz4_flex::decompress(&stored, usize::try_from(bytes).ok()?).ok().map(Bytes::from),
    }
}
