//! The format of a frame: a head, a table of its records, their bytes one after the other. Little-endian.
//!
//! ```text
//! head   0  4  magic "TFRM"
//!        4  4  checksum: CRC-32C of head from 8 on and table, begun from the segment's salt
//!        8  2  format version, 1
//!       10  2  zero
//!       12  4  number of records
//!       16  8  length of the records' bytes
//!       24  8  epoch
//!       32  8  number of the first record (of a mark, that has no records: of the next)
//!       40  8  synced: all records below this number were durable when the frame was written
//! table  for each record:
//!        0  2  kind
//!        2  2  flags; bit 0: body
//!        4  4  length
//!        8  4  checksum: CRC-32C of its bytes
//! bytes
//! ```
//!
//! The checksum of the table vouches for the checksums in it, so that each byte is summed once, and a damaged body leaves
//! the frame around it readable. The salt keeps the bytes of a message from being taken for a frame.

use bytes::Bytes;

use crate::lsn::{Epoch, Lsn, Place};
use crate::record::{Class, Record, StoredRecord};

pub(crate) const HEAD_BYTES: usize = 48;
const ENTRY_BYTES: usize = 12;
pub(crate) const MAGIC: [u8; 4] = *b"TFRM";
const VERSION: u16 = 1;
const FLAG_BODY: u16 = 1;

/// What a frame says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    checksum: u32,
    pub count: u32,
    pub data_bytes: u64,
    pub epoch: Epoch,
    pub first: Lsn,
    pub synced: Lsn,
}

impl Head {
    pub fn lsn_next(&self) -> Lsn {
        Lsn(self.first.0 + u64::from(self.count))
    }

    pub fn table_bytes(&self) -> usize {
        self.count as usize * ENTRY_BYTES
    }

    /// Bytes of the whole frame.
    pub fn frame_bytes(&self) -> u64 {
        (HEAD_BYTES + self.table_bytes()) as u64 + self.data_bytes
    }

    /// Reads a head; its checksum is checked with the table, by [`table_decode`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEAD_BYTES] = bytes.try_into().ok()?;
        let head = Self {
            checksum: u32_at(bytes, 4),
            count: u32_at(bytes, 12),
            data_bytes: u64_at(bytes, 16),
            epoch: Epoch(u64_at(bytes, 24)),
            first: Lsn(u64_at(bytes, 32)),
            synced: Lsn(u64_at(bytes, 40)),
        };
        let ours = bytes[..4] == MAGIC && bytes[8..12] == [VERSION as u8, 0, 0, 0];
        let sane = head.data_bytes <= u64::from(head.count) * u64::from(u32::MAX);
        (ours && sane).then_some(head)
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: u16,
    pub class: Class,
    pub len: u32,
    pub checksum: u32,
}

impl Entry {
    fn of(record: &Record) -> Self {
        Self {
            kind: record.kind,
            class: record.class,
            len: u32::try_from(record.bytes.len()).expect("the journal limits what it takes"),
            checksum: crc32c::crc32c(&record.bytes),
        }
    }

    fn encode(self) -> [u8; ENTRY_BYTES] {
        let flags = if self.class == Class::Body { FLAG_BODY } else { 0 };
        let mut bytes = [0; ENTRY_BYTES];
        bytes[0..2].copy_from_slice(&self.kind.to_le_bytes());
        bytes[2..4].copy_from_slice(&flags.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        let flags = u16::from_le_bytes([bytes[2], bytes[3]]);
        Self {
            kind: u16::from_le_bytes([bytes[0], bytes[1]]),
            class: if flags & FLAG_BODY == 0 { Class::State } else { Class::Body },
            len: u32_at(bytes, 4),
            checksum: u32_at(bytes, 8),
        }
    }
}

/// Where a frame goes, and what it says besides its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading {
    pub salt: u32,
    pub epoch: Epoch,
    pub first: Lsn,
    pub synced: Lsn,
    /// The first record of the segment, which names it.
    pub segment: Lsn,
    /// Where in the segment the frame starts.
    pub offset: u64,
}

/// Bytes that the frame of these records takes.
pub(crate) fn encoded_bytes(records: &[Record]) -> usize {
    HEAD_BYTES + records.iter().map(|record| ENTRY_BYTES + record.bytes.len()).sum::<usize>()
}

/// Writes a frame into `out`, which is emptied first, and says where its records come to lie.
pub(crate) fn encode(heading: &Heading, records: &[Record], out: &mut Vec<u8>) -> Vec<Place> {
    out.clear();
    out.reserve(encoded_bytes(records));
    let entries: Vec<_> = records.iter().map(Entry::of).collect();
    head_encode(heading, &entries, out);
    records.iter().for_each(|record| out.extend_from_slice(&record.bytes));
    places(heading, &entries)
}

fn head_encode(heading: &Heading, entries: &[Entry], out: &mut Vec<u8>) {
    let data: u64 = entries.iter().map(|entry| u64::from(entry.len)).sum();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for number in [data, heading.epoch.0, heading.first.0, heading.synced.0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.encode()));
    let checksum = crc32c::crc32c_append(heading.salt, &out[8..]);
    out[4..8].copy_from_slice(&checksum.to_le_bytes());
}

fn places(heading: &Heading, entries: &[Entry]) -> Vec<Place> {
    let mut offset = heading.offset + (HEAD_BYTES + entries.len() * ENTRY_BYTES) as u64;
    let mut lsn = heading.first;
    let mut place = |entry: &Entry| {
        let Entry { len, checksum, .. } = *entry;
        let place = Place { lsn, segment: heading.segment, offset, len, checksum };
        offset += u64::from(len);
        lsn = lsn.next();
        place
    };
    entries.iter().map(&mut place).collect()
}

/// Reads the table of a frame; none if head and table are not as they were written.
pub(crate) fn table_decode(salt: u32, head_bytes: &[u8], head: &Head, table: &[u8]) -> Option<Vec<Entry>> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c_append(salt, &head_bytes[8..]), table);
    let entries: Vec<_> = table.chunks_exact(ENTRY_BYTES).map(Entry::decode).collect();
    let data: u64 = entries.iter().map(|entry| u64::from(entry.len)).sum();
    (checksum == head.checksum && data == head.data_bytes).then_some(entries)
}

/// Where the records of a frame lie that starts at `offset` of the segment named `segment`.
pub(crate) fn places_of(head: &Head, entries: &[Entry], segment: Lsn, offset: u64) -> Vec<Place> {
    let Head { epoch, first, synced, .. } = *head;
    places(&Heading { salt: 0, epoch, first, synced, segment, offset }, entries)
}

/// Reads the records of a frame from all its bytes behind the table.
pub(crate) fn records_decode(entries: &[Entry], places: &[Place], data: &Bytes) -> Vec<StoredRecord> {
    let start = places.first().map_or(0, |place| place.offset);
    let stored = |(place, entry): (&Place, &Entry)| {
        let from = (place.offset - start) as usize;
        record_decode(entry, *place, data.slice(from..from + place.len as usize))
    };
    places.iter().zip(entries).map(stored).collect()
}

/// A record from its bytes.
pub(crate) fn record_decode(entry: &Entry, place: Place, bytes: Bytes) -> StoredRecord {
    let intact = crc32c::crc32c(&bytes) == place.checksum;
    StoredRecord { record: Record { kind: entry.kind, class: entry.class, bytes }, place, intact }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADING: Heading =
        Heading { salt: 7, epoch: Epoch(3), first: Lsn(10), synced: Lsn(10), segment: Lsn(4), offset: 4_096 };

    fn decode(salt: u32, frame: &[u8]) -> Option<(Head, Vec<StoredRecord>)> {
        let head = Head::decode(frame.get(..HEAD_BYTES)?)?;
        let data = HEAD_BYTES + head.table_bytes();
        let entries = table_decode(salt, &frame[..HEAD_BYTES], &head, frame.get(HEAD_BYTES..data)?)?;
        let data = Bytes::copy_from_slice(frame.get(data..head.frame_bytes() as usize)?);
        let places = places_of(&head, &entries, HEADING.segment, HEADING.offset);
        Some((head, records_decode(&entries, &places, &data)))
    }

    fn record() -> impl Strategy<Value = Record> {
        (any::<u16>(), any::<bool>(), any::<Vec<u8>>()).prop_map(|(kind, body, bytes)| {
            if body { Record::body(kind, bytes) } else { Record::state(kind, bytes) }
        })
    }

    proptest! {
        #[test]
        fn frames_round_trip(records in proptest::collection::vec(record(), 0..8)) {
            let mut frame = Vec::new();
            let places = encode(&HEADING, &records, &mut frame);
            let (head, stored) = decode(HEADING.salt, &frame).expect("just written");
            prop_assert_eq!(head.frame_bytes() as usize, frame.len());
            prop_assert_eq!((head.epoch, head.first, head.synced), (HEADING.epoch, HEADING.first, HEADING.synced));
            prop_assert!(stored.iter().all(|record| record.intact));
            prop_assert_eq!(stored.iter().map(|record| record.place).collect::<Vec<_>>(), places);
            prop_assert_eq!(stored.into_iter().map(|record| record.record).collect::<Vec<_>>(), records);
        }

        #[test]
        fn any_flipped_bit_is_noticed(
            records in proptest::collection::vec(record(), 1..5), at: prop::sample::Index, bit in 0..8,
        ) {
            let mut frame = Vec::new();
            encode(&HEADING, &records, &mut frame);
            let at = at.index(frame.len());
            frame[at] ^= 1u8 << bit;
            let noticed = decode(HEADING.salt, &frame).is_none_or(|(_, stored)| stored.iter().any(|r| !r.intact));
            prop_assert!(noticed);
        }
    }

    #[test]
    fn a_frame_of_another_segment_is_not_taken_for_one_of_this() {
        let mut frame = Vec::new();
        encode(&HEADING, &[Record::state(1, "x")], &mut frame);
        assert!(decode(HEADING.salt + 1, &frame).is_none());
    }
}
