//! The small binary notation in which stores write records and rows of views.
//!
//! Unsigned integers are LEB128, signed ones zig-zag; byte strings carry their length in front. There are no names and no
//! tags: a format is a sequence of fields, and a version number in front of it says which.

use thiserror::Error;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("record ends too early")]
    Truncated,
    /// They go on after the last field.
    #[error("record goes on after its end")]
    Trailing,
    /// A field has a value that it cannot have.
    #[error("field {0} of a record is invalid")]
    Invalid(&'static str),
    /// The format's version is not known to this program.
    #[error("record has unknown format version {0}")]
    Version(u64),
}

/// Writes fields one after the other.
#[derive(Debug, Default, Clone)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that starts with the version of the format to come.
    pub fn versioned(version: u64) -> Self {
        let mut encoder = Self::new();
        encoder.uint(version);
        encoder
    }

    /// An unsigned integer.
    pub fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) {
        self.uint((value << 1 ^ value >> 63) as u64);
    }

    /// Four bytes, little-endian.
    pub fn fixed_u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Yes or no.
    pub fn bool(&mut self, value: bool) {
        self.0.push(value.into());
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.uint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Text.
    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A field that may be absent.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// A counted sequence.
    pub fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.uint(values.len() as u64);
        values.iter().for_each(|value| write(self, value));
    }

    /// Direct access, for encoders that append to a vector.
    pub fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads fields back. Never panics, never allocates more than there are bytes.
#[derive(Debug, Clone)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads the version in front and checks that it is between 1 and `newest`.
    pub fn version(&mut self, newest: u64) -> Result<u64, DecodeError> {
        let version = self.uint()?;
        if (1..=newest).contains(&version) { Ok(version) } else { Err(DecodeError::Version(version)) }
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(DecodeError::Invalid("integer"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Invalid("integer"))
    }

    /// An unsigned integer of 32 bits.
    pub fn uint_u32(&mut self) -> Result<u32, DecodeError> {
        self.uint()?.try_into().map_err(|_| DecodeError::Invalid("integer of 32 bits"))
    }

    /// A signed integer.
    pub fn int(&mut self) -> Result<i64, DecodeError> {
        let value = self.uint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Four bytes, little-endian.
    pub fn fixed_u32(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    /// Yes or no.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid("boolean")),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.uint()?).map_err(|_| DecodeError::Truncated)?;
        self.take(len)
    }

    /// Text.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::Invalid("text"))
    }

    /// A field that may be absent.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A counted sequence. An element takes at least one byte.
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.uint()?;
        if count > self.0.len() as u64 {
            return Err(DecodeError::Truncated);
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Direct access, for decoders that advance a slice.
    pub fn raw(&mut self) -> &mut &'a [u8] {
        &mut self.0
    }

    /// Checks that all was read.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fields_round_trip(uint: u64, int: i64, text: String, list: Vec<Vec<u8>>, option: Option<u32>) {
            let mut encoder = Encoder::versioned(1);
            encoder.uint(uint);
            encoder.int(int);
            encoder.text(&text);
            encoder.list(&list, |encoder, bytes| encoder.bytes(bytes));
            encoder.option(option, Encoder::fixed_u32);
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes);
            prop_assert_eq!(decoder.version(1), Ok(1));
            prop_assert_eq!(decoder.uint(), Ok(uint));
            prop_assert_eq!(decoder.int(), Ok(int));
            prop_assert_eq!(decoder.text(), Ok(text.as_str()));
            prop_assert_eq!(decoder.list(|decoder| decoder.bytes().map(<[u8]>::to_vec)), Ok(list));
            prop_assert_eq!(decoder.option(Decoder::fixed_u32), Ok(option));
            prop_assert_eq!(decoder.finish(), Ok(()));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            let mut decoder = Decoder::new(&bytes);
            let _ = decoder.list(|decoder| decoder.bytes().map(<[u8]>::to_vec));
            let _ = decoder.int();
        }
    }

    #[test]
    fn an_unknown_version_is_refused() {
        let bytes = Encoder::versioned(2).finish();
        assert_eq!(Decoder::new(&bytes).version(1), Err(DecodeError::Version(2)));
    }
}
