//! What is in hand: a note of the messages that are being tried, which outlives the process.
//!
//! Format 1. The file `attempts` has slots of 16 bytes: a queue id and its complement, zeros where there is none.
//! It is written and never synced: what a process wrote is there after its death. After that of the machine it may be
//! anything; then nothing is known, and nothing lost but a hint. The same holds where it cannot be written.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use disk::{Disk, File, OpenMode};
use parking_lot::Mutex;

use crate::queue_id::QueueId;

const SLOT_BYTES: usize = 16;
/// Slots that are read back; more workers than that there are not.
const SLOTS_MAX: usize = 4_096;

/// The file. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Marks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None where it cannot be used.
    file: Option<Box<dyn File>>,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    free: Vec<u64>,
    end: u64,
}

/// One message's mark, taken back when it is dropped.
#[derive(Debug)]
pub(crate) struct Mark {
    marks: Marks,
    slot: u64,
}

impl Marks {
    /// Opens the file, with the marks that the last process left.
    pub fn open(disk: &dyn Disk, path: PathBuf) -> (Self, Vec<(QueueId, Mark)>) {
        let read = disk.open(&path, OpenMode::Create).and_then(|file| Ok((slots_read(&*file)?, file)));
        let (left, file) = match read {
            Ok((left, file)) => (left, Some(file)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what is in hand cannot be noted");
                (Vec::new(), None)
            }
        };
        let free = (0..).zip(&left).filter(|(_, id)| id.is_none()).map(|(slot, _)| slot).collect();
        let slots = Mutex::new(Slots { free, end: left.len() as u64 });
        let marks = Self(Arc::new(Inner { file, slots }));
        let mark = |(slot, id): (u64, Option<QueueId>)| Some((id?, Mark { marks: marks.clone(), slot }));
        let left = (0..).zip(left).filter_map(mark).collect();
        (marks, left)
    }

    /// Notes that a message is being tried.
    pub fn set(&self, queue_id: QueueId) -> Mark {
        let slot = {
            let mut slots = self.0.slots.lock();
            slots.free.pop().unwrap_or_else(|| {
                slots.end += 1;
                slots.end - 1
            })
        };
        self.write(slot, Some(queue_id));
        Mark { marks: self.clone(), slot }
    }

    fn write(&self, slot: u64, queue_id: Option<QueueId>) {
        let Some(file) = &self.0.file else { return };
        if let Err(error) = file.write_at(&slot_bytes(queue_id), slot * SLOT_BYTES as u64) {
            tracing::debug!(%error, "what is in hand is not noted");
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.marks.write(self.slot, None);
        self.marks.0.slots.lock().free.push(self.slot);
    }
}

fn slot_bytes(queue_id: Option<QueueId>) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    if let Some(number) = queue_id.map(QueueId::as_u64) {
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[8..].copy_from_slice(&(!number).to_le_bytes());
    }
    bytes
}

fn slots_read(file: &dyn File) -> io::Result<Vec<Option<QueueId>>> {
    let mut bytes = vec![0; SLOTS_MAX * SLOT_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(bytes[..read].chunks_exact(SLOT_BYTES).map(slot_parse).collect())
}

fn slot_parse(bytes: &[u8]) -> Option<QueueId> {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    let (id, complement) = (number(&bytes[..8])?, number(&bytes[8..])?);
    (id == !complement).then(|| QueueId::from_u64(id))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use disk::{Crash, FaultDisk};

    use super::*;

    fn open(disk: &FaultDisk) -> (Marks, Vec<(QueueId, Mark)>) {
        disk.create_dir(Path::new("/spool")).unwrap();
        Marks::open(disk, PathBuf::from("/spool/attempts"))
    }

    fn ids(left: &[(QueueId, Mark)]) -> Vec<u64> {
        left.iter().map(|(id, _)| id.as_u64()).collect()
    }

    #[test]
    fn what_was_in_hand_when_the_process_died_is_known() {
        let disk = FaultDisk::new();
        let (marks, left) = open(&disk);
        assert!(left.is_empty());
        let held: Vec<_> = (1..4).map(|id| marks.set(QueueId::from_u64(id))).collect();
        drop(marks.set(QueueId::from_u64(9)));
        disk.crash(Crash::Process);
        drop(held);
        let (marks, left) = open(&disk);
        assert_eq!(ids(&left), [1, 2, 3]);
        let mark = marks.set(QueueId::from_u64(7));
        drop(left);
        disk.crash(Crash::Process);
        drop(mark);
        assert_eq!(ids(&open(&disk).1), [7]);
    }

    #[test]
    fn a_file_that_is_torn_or_cannot_be_used_says_nothing() {
        let disk = FaultDisk::new();
        let mark = open(&disk).0.set(QueueId::from_u64(5));
        disk.damage(Path::new("/spool/attempts"), 3);
        disk.crash(Crash::Process);
        drop(mark);
        assert!(open(&disk).1.is_empty());
        disk.crash(Crash::Process);
        disk.fail_nth(2, io::ErrorKind::Other);
        let (marks, left) = open(&disk);
        assert!(left.is_empty());
        drop(marks.set(QueueId::from_u64(6)));
    }
}
