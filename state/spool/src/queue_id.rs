//! Names of messages in the queue.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Names a message in the queue, in logs, `Received` fields and audit records. Later ones are larger.
///
/// 42 bits of milliseconds since 1970 and 18 bits that count within one; shown as twelve characters of lower-case base 32
/// without vowels that read alike. Never given to two messages: an id is taken from the clock or, if that is not later,
/// follows the last one ever given to a durable message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct QueueId(u64);

/// Bits of the id that count messages of one millisecond.
const COUNTER_BITS: u32 = 18;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SHOWN_CHARS: usize = 12;

/// Text that is no queue id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a queue id has twelve digits and lower-case letters other than i, l, o, u")]
pub struct QueueIdInvalid;

impl QueueId {
    /// The first id of the millisecond `now`.
    pub(crate) fn first_of(now: Timestamp) -> Self {
        Self((now.as_millisecond().max(0) as u64) << COUNTER_BITS)
    }

    /// As a number, for keys and records.
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// From its number.
    pub(crate) fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// As a key of a view: in order.
    pub(crate) fn key(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |place: usize| ALPHABET[(self.0 >> (5 * place)) as usize & 31] as char;
        let shown: String = (0..SHOWN_CHARS).rev().map(digit).collect();
        f.pad(&shown)
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for QueueId {
    type Err = QueueIdInvalid;

    fn from_str(text: &str) -> Result<Self, QueueIdInvalid> {
        if text.len() != SHOWN_CHARS {
            return Err(QueueIdInvalid);
        }
        let digit = |byte| ALPHABET.iter().position(|letter| *letter == byte).ok_or(QueueIdInvalid);
        let number = text.bytes().try_fold(0, |number, byte| Ok(number << 5 | digit(byte)? as u64))?;
        Ok(Self(number))
    }
}

impl From<QueueId> for String {
    fn from(id: QueueId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for QueueId {
    type Error = QueueIdInvalid;

    fn try_from(text: String) -> Result<Self, QueueIdInvalid> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn queue_ids_round_trip_as_text(number in 0u64..1 << 60) {
            let id = QueueId(number);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn later_ids_sort_behind_earlier_ones_as_text_too() {
        let early = QueueId::first_of(Timestamp::from_millisecond(1_700_000_000_000).unwrap());
        let late = QueueId::first_of(Timestamp::from_millisecond(1_700_000_000_001).unwrap());
        let next = QueueId(early.0 + 1);
        assert!(early < next && next < late);
        assert!(early.to_string() < next.to_string() && next.to_string() < late.to_string());
    }
}
