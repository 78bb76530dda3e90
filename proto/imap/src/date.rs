//! Dates and times as IMAP writes them.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime as Civil, Time};
use jiff::tz::Offset;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

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
    pub fn date(&self) -> Date {
        self.offset.to_datetime(self.timestamp).date()
    }

    /// Reads `dd-Mon-yyyy hh:mm:ss +zzzz`, the day padded by a space or a zero (RFC 3501 9, `date-time`).
    pub fn parse(text: &[u8]) -> Option<DateTime> {
        let mut words = std::str::from_utf8(text).ok()?.trim_start_matches(' ').split(' ');
        let date = date(words.next()?)?;
        let time = time(words.next()?)?;
        let offset = offset(words.next()?)?;
        let timestamp = offset.to_timestamp(Civil::from_parts(date, time)).ok()?;
        let read = DateTime { timestamp, offset };
        let writable = has_four_digits(&read) && has_four_digits(&DateTime::utc(timestamp));
        (words.next().is_none() && writable).then_some(read)
    }

    /// Appends `"dd-Mon-yyyy hh:mm:ss +zzzz"`, with its quotes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let civil = self.offset.to_datetime(self.timestamp);
        let (year, month, day) = (civil.year(), MONTHS[civil.month() as usize - 1], civil.day());
        let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
        let minutes = self.offset.seconds() / 60;
        let (sign, zone) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
        write!(
            out,
            "\"{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}\"",
            zone / 60,
            zone % 60
        )
        .expect("a vector takes all that is written");
    }
}

/// RFC 3501 9: `date-year = 4DIGIT`. The year 0 is no year of the calendar, and what is just in it is before it in
/// another zone.
fn has_four_digits(date: &DateTime) -> bool {
    (1..=9_999).contains(&date.date().year())
}

/// RFC 3501 9: `date-text = date-day "-" date-month "-" date-year`
pub(crate) fn date(text: &str) -> Option<Date> {
    let mut fields = text.split('-');
    let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? as i8 + 1;
    let well_formed = fields.next().is_none() && year.len() == 4 && matches!(day.len(), 1 | 2);
    well_formed.then(|| Date::new(digits(year)?, month, i8::try_from(digits(day)?).ok()?).ok())?
}

/// RFC 3501 9: `time = 2DIGIT ":" 2DIGIT ":" 2DIGIT`
fn time(text: &str) -> Option<Time> {
    let mut fields = text.split(':').map(|field| i8::try_from(digits(field)?).ok());
    let (hour, minute, second) = (fields.next()??, fields.next()??, fields.next()??);
    let well_formed = fields.next().is_none() && text.len() == 8;
    well_formed.then(|| Time::new(hour, minute, second.min(59), 0).ok())?
}

/// RFC 3501 9: `zone = ("+" / "-") 4DIGIT`
fn offset(text: &str) -> Option<Offset> {
    let (sign, zone) = match text.split_at_checked(1)? {
        ("+", zone) => (1, zone),
        ("-", zone) => (-1, zone),
        _ => return None,
    };
    let number = i32::from(digits(zone)?);
    let well_formed = zone.len() == 4 && number % 100 < 60;
    well_formed.then(|| Offset::from_seconds(sign * (number / 100 * 3600 + number % 100 * 60)).ok())?
}

fn digits(text: &str) -> Option<i16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> Option<String> {
        let mut out = Vec::new();
        DateTime::parse(text.as_bytes())?.write(&mut out);
        String::from_utf8(out).ok()
    }

    #[test]
    fn a_date_comes_back_in_its_own_zone() {
        for text in ["17-Jul-1996 02:44:25 -0730", " 7-Feb-1994 21:52:25 +0000", " 2-Jan-0001 00:00:00 +1400"]
        {
            assert_eq!(rewritten(text), Some(format!("\"{text}\"")));
        }
        assert_eq!(
            rewritten("07-feb-1994 21:52:25 +0000").as_deref(),
            Some("\" 7-Feb-1994 21:52:25 +0000\"")
        );
    }

    #[test]
    fn the_day_is_that_of_the_zone() {
        let date = DateTime::parse(b"01-Jan-2026 00:30:00 +0100").unwrap();
        assert_eq!(date.date().to_string(), "2026-01-01");
        assert_eq!(date.timestamp.to_string(), "2025-12-31T23:30:00Z");
    }

    #[test]
    fn malformed_dates_are_refused() {
        for text in [
            "",
            "1-Jan-2026",
            "1-Jan-26 00:00:00 +0000",
            "31-Feb-2026 00:00:00 +0000",
            "1-Jan-2026 24:00:00 +0000",
            "1-Jan-2026 0:00:00 +0000",
            "1-Jan-2026 00:00:00 0000",
            "1-Jan-2026 00:00:00 +00000",
            "1-Jan-2026 00:00:00 +0060",
            "1-Jan-2026 00:00:00 +0000 x",
            "1-Jän-2026 00:00:00 +0000",
            "1-Jan-0000 00:00:00 +1400",
            "1-Jan-0001 00:00:00 +1400",
            "31-Dec-0000 23:00:00 -0100",
        ] {
            assert_eq!(DateTime::parse(text.as_bytes()), None, "{text}");
        }
    }
}
