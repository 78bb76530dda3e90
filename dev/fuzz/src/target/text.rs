//! What stands in headers: fields, addresses, dates, encoded words, charsets, subjects.

use crate::cuts::split;
use message::{
    HeaderIter, address_items, base_subject, charset_decode, decode_header, first_header, header_fields,
    header_section, message_ids, part_text, sent_date,
};

const CHARSETS: [&[u8]; 8] =
    [b"utf-8", b"iso-8859-1", b"windows-1252", b"iso-2022-jp", b"shift_jis", b"gb18030", b"utf-7", b"utf-16"];

/// Nothing panics, work is bounded, and what is found lies in what was given.
pub fn decode(bytes: &[u8]) {
    let ([choice], input) = split::<1>(bytes);
    let header = header_section(input).unwrap_or(input);
    assert!(input.starts_with(header));
    let fields: usize = HeaderIter::new(header).map(|field| field.name.len() + field.value.len()).sum();
    assert!(fields <= header.len());
    check_field_choice(header);
    let _ = sent_date(header);
    let decoded = decode_header(input);
    assert!(decoded.len() <= 8 * input.len() + 64, "{} bytes from {}", decoded.len(), input.len());
    let _ = address_items(input);
    for id in message_ids(input) {
        assert!(id.len() <= input.len());
    }
    let _ = charset_decode(CHARSETS[usize::from(choice) % CHARSETS.len()], input);
    let _ = part_text(input);
    let subject = String::from_utf8_lossy(input);
    let base = base_subject(&subject);
    assert_eq!(base_subject(&base.text).text, base.text);
}

/// Every field is with some names or not with them.
fn check_field_choice(header: &[u8]) {
    let names = ["subject", "to"];
    let with = header_fields(header, &names, false);
    let without = header_fields(header, &names, true);
    assert!(
        with.len() + without.len() <= header.len() + 8,
        "{} of {}",
        with.len() + without.len(),
        header.len()
    );
    assert_eq!(first_header(&with, b"subject"), first_header(header, b"subject"));
    assert_eq!(first_header(&without, b"subject"), None);
}
