//! The Date field.

use jiff::civil::Date;

/// The calendar day of a header's first Date field as written, its zone disregarded, as SEARCH SENTON and
/// its kin compare it (RFC 3501 6.4.4).
pub fn sent_date(_header: &[u8]) -> Option<Date> {
    unimplemented!("sent_date")
}
