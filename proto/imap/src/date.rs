//! Dates and times as IMAP writes them.

use jiff::Timestamp;
use jiff::tz::Offset;

/// A point in time and the zone it was given in: an internal date (RFC 3501 9, `date-time`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// The point in time, whole seconds.
    pub timestamp: Timestamp,
    /// The zone in which it is shown; SEARCH compares the date in this zone.
    pub offset: Offset,
}

impl DateTime {
    /// A point in time shown in UTC.
    pub fn utc(timestamp: Timestamp) -> DateTime {
        DateTime { timestamp, offset: Offset::UTC }
    }

    /// The calendar date in its zone, as SEARCH BEFORE, ON and SINCE compare it (RFC 3501 6.4.4).
    pub fn date(&self) -> jiff::civil::Date {
        self.offset.to_datetime(self.timestamp).date()
    }

    /// Reads `dd-Mon-yyyy hh:mm:ss +zzzz`, the day padded by a space or a zero (RFC 3501 9, `date-time`).
    pub fn parse(_text: &[u8]) -> Option<DateTime> {
        unimplemented!("DateTime::parse")
    }

    /// Appends `"dd-Mon-yyyy hh:mm:ss +zzzz"`, with its quotes.
    pub fn write(&self, _out: &mut Vec<u8>) {
        unimplemented!("DateTime::write")
    }
}
