//! Questions to one header section.

use std::borrow::Cow;

/// The fields named (or, with `not`, all others), as they stand, and the blank line that ends a header
/// (RFC 3501 6.4.5, `HEADER.FIELDS`).
pub fn header_fields<N: AsRef<[u8]>>(_header: &[u8], _names: &[N], _not: bool) -> Vec<u8> {
    unimplemented!("header_fields")
}

/// The value of the first field of this name, unfolded, without blanks around it.
pub fn first_header<'h>(_header: &'h [u8], _name: &[u8]) -> Option<Cow<'h, [u8]>> {
    unimplemented!("first_header")
}

/// The `<...>` in a value, brackets excluded, in order (Message-ID, In-Reply-To, References; RFC 5322 3.6.4).
pub fn message_ids(_value: &[u8]) -> Vec<&[u8]> {
    unimplemented!("message_ids")
}
