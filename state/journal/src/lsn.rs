//! Numbers and places of records.

use std::fmt;

use crate::codec::{DecodeError, Decoder, Encoder};

/// The number of a record in its journal, from 1, without gaps. 0 stands for "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before the first record.
    pub const ZERO: Self = Self(0);
    /// The first record.
    pub const FIRST: Self = Self(1);

    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The term of an owner; each opening for writing begins the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Where a record's bytes are, with the checksum they must have. Stores keep places in their views, to read bodies back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The record.
    pub lsn: Lsn,
    /// The first record of its segment, which names the segment.
    pub segment: Lsn,
    /// Offset of the record's bytes in the segment, in bytes.
    pub offset: u64,
    /// Length of the record in bytes.
    pub len: u32,
    /// CRC-32C of the record's bytes.
    pub checksum: u32,
}

impl Place {
    /// Writes it in its compact form, to be kept in a view.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.uint(self.lsn.0);
        encoder.uint(self.segment.0);
        encoder.uint(self.offset);
        encoder.uint(u64::from(self.len));
        encoder.fixed_u32(self.checksum);
    }

    /// Reads what [`Place::encode`] wrote.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            lsn: Lsn(decoder.uint()?),
            segment: Lsn(decoder.uint()?),
            offset: decoder.uint()?,
            len: decoder.uint_u32()?,
            checksum: decoder.fixed_u32()?,
        })
    }
}
