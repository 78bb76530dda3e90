//! The Date field.

use jiff::civil::Date;

use crate::header::first_header;

/// The calendar day of a header's first Date field as written, its zone disregarded, as SEARCH SENTON and
/// its kin compare it (RFC 3501 6.4.4).
pub fn sent_date(header: &[u8]) -> Option<Date> {
    let value = first_header(header, b"date")?;
    date(&String::from_utf8_lossy(&value))
}

/// RFC 5322 3.3: `date-time = [ day-of-week "," ] day month year time`, with the years of 4.3.
fn date(text: &str) -> Option<Date> {
    let text = text.split_once(',').map_or(text, |(_, after)| after);
    let mut words = text.split([' ', '\t', '-']).filter(|word| !word.is_empty());
    let mut day = words.next()?;
    if day.starts_with(|c: char| c.is_ascii_alphabetic()) {
        day = words.next()?; // a weekday without its comma
    }
    let month = month(words.next()?)?;
    let year = year(words.next()?)?;
    Date::new(year, month, day.parse().ok()?).ok()
}

fn month(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = name.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == start).map(|index| index as i8 + 1)
}

/// RFC 5322 4.3: two digits are 1950 to 2049, three are counted from 1900.
fn year(digits: &str) -> Option<i16> {
    let year: i16 = digits.parse().ok()?;
    match digits.len() {
        2 if year < 50 => Some(year + 2000),
        2 | 3 => Some(year + 1900),
        _ => Some(year),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> Option<String> {
        sent_date(format!("Date: {value}\r\n\r\n").as_bytes()).map(|date| date.to_string())
    }

    #[test]
    fn the_day_is_the_one_written_whatever_the_zone() {
        assert_eq!(sent("Mon, 7 Feb 1994 23:52:25 -0800 (PST)").as_deref(), Some("1994-02-07"));
        assert_eq!(sent("17 July 2026 00:00 +1400").as_deref(), Some("2026-07-17"));
    }

    #[test]
    fn old_years_are_understood() {
        assert_eq!(sent("1 Jan 49 00:00 GMT").as_deref(), Some("2049-01-01"));
        assert_eq!(sent("1-Jan-94 00:00 GMT").as_deref(), Some("1994-01-01"));
        assert_eq!(sent("1 Jan 103 00:00 GMT").as_deref(), Some("2003-01-01"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for value in ["", "yesterday", "30 Feb 2024", "1 Foo 2024", "1 Jan", "1 ÄÄÄ 2024"] {
            assert_eq!(sent(value), None, "{value}");
        }
    }
}
