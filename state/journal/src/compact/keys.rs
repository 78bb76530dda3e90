//! What a segment speaks of, as hashes of keys, in a file beside it. It can be made again from the segment.
//!
//! ```text
//! name   00000000000000000001.keys
//! head   0  8  magic "TARTANJK"
//!        8  2  format version, 1
//!       10  2  the store's version of its keys
//!       12  4  salt of the segment
//!       16  8  number of the segment's first record
//!       24  8  number of hashes
//!       32  4  zero
//!       36  4  checksum: CRC-32C of the head up to here and of the hashes
//! hashes, 8 bytes each, ascending
//! ```

use std::io;
use std::path::{Path, PathBuf};

use disk::{Disk, OpenMode, read_exact_at};

use crate::frame::{u32_at, u64_at};
use crate::lsn::Lsn;
use crate::names;
use crate::segment::Segment;

const HEAD_BYTES: usize = 40;
const MAGIC: [u8; 8] = *b"TARTANJK";
const VERSION: u16 = 1;

/// Whose keys a file holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeysOf {
    first: Lsn,
    salt: u32,
    keys_version: u16,
}

impl KeysOf {
    pub fn new(segment: &Segment, keys_version: u16) -> Self {
        Self { first: segment.first, salt: segment.salt, keys_version }
    }

    fn path(&self, dir: &Path) -> PathBuf {
        dir.join(names::keys(self.first))
    }

    /// The hashes; none if there is no file, or one that is not as it was written for this segment and these keys.
    pub fn read(&self, disk: &dyn Disk, dir: &Path) -> io::Result<Option<Vec<u64>>> {
        let file = match disk.open(&self.path(dir), OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let bytes = read_exact_at(&*file, file.len()? as usize, 0)?;
        Ok(self.decode(&bytes))
    }

    /// Writes the hashes, which are ascending. A crash may leave a file that is not whole, which `read` notices.
    pub fn write(&self, disk: &dyn Disk, dir: &Path, hashes: &[u64]) -> io::Result<()> {
        let file = disk.open(&self.path(dir), OpenMode::Create)?;
        file.set_len(0)?;
        file.write_at(&self.encode(hashes), 0)
    }

    fn head(&self, count: usize) -> Vec<u8> {
        let mut head = Vec::with_capacity(HEAD_BYTES + count * 8);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&self.keys_version.to_le_bytes());
        head.extend_from_slice(&self.salt.to_le_bytes());
        head.extend_from_slice(&self.first.0.to_le_bytes());
        head.extend_from_slice(&(count as u64).to_le_bytes());
        head.extend_from_slice(&[0; 4]);
        head
    }

    fn encode(&self, hashes: &[u64]) -> Vec<u8> {
        let mut bytes = self.head(hashes.len());
        let summed: Vec<u8> = hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect();
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), &summed);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(&summed);
        bytes
    }

    fn decode(&self, bytes: &[u8]) -> Option<Vec<u64>> {
        let (head, summed) = bytes.split_at_checked(HEAD_BYTES)?;
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&head[..36]), summed);
        let ours = head[..36] == self.head(summed.len() / 8) && summed.len() % 8 == 0;
        let whole = ours && checksum == u32_at(head, 36);
        whole.then(|| summed.chunks_exact(8).map(|hash| u64_at(hash, 0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_round_trip_and_those_of_others_or_damaged_ones_are_not_taken() {
        let keys = KeysOf { first: Lsn(7), salt: 3, keys_version: 1 };
        let bytes = keys.encode(&[1, 5, u64::MAX]);
        assert_eq!(keys.decode(&bytes), Some(vec![1, 5, u64::MAX]));
        assert_eq!(KeysOf { keys_version: 2, ..keys }.decode(&bytes), None);
        assert_eq!(KeysOf { salt: 4, ..keys }.decode(&bytes), None);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(keys.decode(&damaged), None, "byte {at}");
            assert_eq!(keys.decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
