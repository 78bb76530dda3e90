//! Reading a segment without its head: the number of its first record is in its name, and the salt follows from the first
//! frame, because a checksum can be reckoned backwards.

use std::io;
use std::path::Path;
use std::sync::Arc;

use disk::{Disk, OpenMode, read_exact_at};

use crate::frame::{HEAD_BYTES, Head, u32_at};
use crate::lsn::Lsn;
use crate::names;
use crate::record::Class;
use crate::scan::{Piece, Pieces};
use crate::segment::{SEGMENT_HEAD_BYTES, Segment};

/// The segment named by `first`, if its first frame is whole.
pub(super) fn open(disk: &dyn Disk, dir: &Path, first: Lsn) -> io::Result<Option<Arc<Segment>>> {
    let path = dir.join(names::segment(first));
    let file = disk.open(&path, OpenMode::Read)?;
    let (start, len) = (SEGMENT_HEAD_BYTES as u64, file.len()?);
    if len < start + HEAD_BYTES as u64 {
        return Ok(None);
    }
    let head_bytes = read_exact_at(&*file, HEAD_BYTES, start)?;
    let Some(head) = Head::decode(&head_bytes).filter(|head| head.first == first) else { return Ok(None) };
    let table_end = start + (HEAD_BYTES + head.table_bytes()) as u64;
    if table_end > len {
        return Ok(None);
    }
    let summed = read_exact_at(&*file, (table_end - start) as usize - 8, start + 8)?;
    let Some(salt) = salt_before(&summed, u32_at(&head_bytes, 4)) else { return Ok(None) };
    let segment = Arc::new(Segment { first, epoch: head.epoch, salt, path, file });
    Ok(is_proven(&segment, len)?.then_some(segment))
}

/// Whether the salt is right: any makes one frame whole, but not a second, nor the bytes of its records.
fn is_proven(segment: &Arc<Segment>, len: u64) -> io::Result<bool> {
    let mut pieces = Pieces::new(segment, len);
    let mut frames = 0;
    while let Some(Piece::Frame(at, damage)) = pieces.step()? {
        frames += 1;
        let has_state = at.kinds().any(|(class, ..)| class == Class::State);
        if frames > 1 || has_state || (at.head.count > 0 && damage.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number from which a CRC-32C over `bytes` must begin to give `checksum`. The checksum is linear in it, so that 32
/// equations for its bits, one for each bit of the checksum, give it.
fn salt_before(bytes: &[u8], checksum: u32) -> Option<u32> {
    let of_zero = crc32c::crc32c_append(0, bytes);
    // Each row: what bit of the salt it stands for, and what that does to the checksum.
    let mut rows: Vec<(u32, u32)> =
        (0..32).map(|bit| (1 << bit, crc32c::crc32c_append(1 << bit, bytes) ^ of_zero)).collect();
    let (mut wanted, mut salt) = (checksum ^ of_zero, 0);
    for bit in (0..32).map(|bit| 1u32 << bit) {
        let pivot = rows.iter().position(|(_, effect)| effect & bit != 0)?;
        let (bits, effect) = rows.swap_remove(pivot);
        for row in rows.iter_mut().filter(|(_, other)| other & bit != 0) {
            *row = (row.0 ^ bits, row.1 ^ effect);
        }
        if wanted & bit != 0 {
            (wanted, salt) = (wanted ^ effect, salt ^ bits);
        }
    }
    Some(salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_reckoned_backwards() {
        for salt in [0, 1, 0xdead_beef, u32::MAX] {
            for bytes in [&b"x"[..], b"a frame's head and table, of some length"] {
                assert_eq!(salt_before(bytes, crc32c::crc32c_append(salt, bytes)), Some(salt));
            }
        }
    }
}
