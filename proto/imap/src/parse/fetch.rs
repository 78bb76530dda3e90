//! FETCH (RFC 3501 6.4.5; RFC 7162 3.1.4).

use super::spaced_set;
use crate::cursor::{Cursor, Parsed};
use crate::{Complaint, Fetch, FetchItem, Numbering, Partial, Section, SectionText};

/// RFC 3501 9: `fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
/// "(" fetch-att *(SP fetch-att) ")")`, RFC 4466 2.4: with `[SP "(" fetch-modifier *(SP fetch-modifier) ")"]`
pub(super) fn fetch(cursor: &mut Cursor<'_>, by: Numbering) -> Parsed<Fetch> {
    let set = spaced_set(cursor)?;
    cursor.space()?;
    let mut items = match (cursor.peek(), macro_items(cursor)) {
        (Some(b'('), _) => cursor.list1("a list of items", item)?,
        (_, Some(items)) => items,
        _ => vec![item(cursor)?],
    };
    within_limits(&items)?;
    let changed_since = if cursor.is_at_end() { None } else { Some(modifier(cursor)?) };
    items.extend(changed_since.map(|_| FetchItem::ModSeq));
    Ok(Fetch { by, set, items: without_repeats(items), changed_since })
}

/// RFC 7162 7: `SP "(" chgsince-fetch-mod ")"`, `chgsince-fetch-mod = "CHANGEDSINCE" SP mod-sequence-value`; a zero,
/// from clients that have seen nothing yet, is let through
fn modifier(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    cursor.space()?;
    cursor.expect(b'(', "a list of modifiers")?;
    cursor.expect_word("CHANGEDSINCE")?;
    cursor.space()?;
    let modseq = cursor.number64()?;
    cursor.expect(b')', "the end of the modifiers")?;
    Ok(modseq)
}

/// What one FETCH may ask of each message.
fn within_limits(items: &[FetchItem]) -> Parsed<()> {
    if items.len() > limits::IMAP_FETCH_ITEMS_MAX {
        return Err(Complaint::Limit { what: "many items" });
    }
    match items.iter().map(field_names).sum::<usize>() {
        0..=limits::IMAP_FETCH_FIELD_NAMES_MAX => Ok(()),
        _ => Err(Complaint::Limit { what: "many field names" }),
    }
}

fn field_names(item: &FetchItem) -> usize {
    match item {
        FetchItem::Section {
            section: Section { text: Some(SectionText::HeaderFields { names, .. }), .. },
            ..
        } => names.len(),
        _ => 0,
    }
}

/// RFC 3501 6.4.5: ALL, FAST and FULL stand alone, never in a list.
fn macro_items(cursor: &mut Cursor<'_>) -> Option<Vec<FetchItem>> {
    let mut items = vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
    if cursor.eat_word("FAST") {
        return Some(items);
    }
    items.push(FetchItem::Envelope);
    if cursor.eat_word("ALL") {
        return Some(items);
    }
    items.push(FetchItem::Body);
    cursor.eat_word("FULL").then_some(items)
}

fn without_repeats(items: Vec<FetchItem>) -> Vec<FetchItem> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// RFC 3501 9: `fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
/// "BODY" ["STRUCTURE"] / "UID" / "BODY" [".PEEK"] section ["<" number "." nz-number ">"]`, RFC 7162 7: `/ "MODSEQ"`
fn item(cursor: &mut Cursor<'_>) -> Parsed<FetchItem> {
    let start = cursor.clone();
    let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let at_section = cursor.peek() == Some(b'[');
    Ok(match &name.to_ascii_uppercase()[..] {
        b"BODY" if at_section => section_item(cursor, false)?,
        b"BODY.PEEK" if at_section => section_item(cursor, true)?,
        b"ENVELOPE" => FetchItem::Envelope,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.SIZE" => FetchItem::Rfc822Size,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"BODY" => FetchItem::Body,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"UID" => FetchItem::Uid,
        b"MODSEQ" => FetchItem::ModSeq,
        _ => return start.expected("a fetch item"),
    })
}

fn section_item(cursor: &mut Cursor<'_>, peek: bool) -> Parsed<FetchItem> {
    let section = section(cursor)?;
    let partial = match cursor.peek() {
        Some(b'<') => Some(partial(cursor)?),
        _ => None,
    };
    Ok(FetchItem::Section { section, peek, partial })
}

/// `"<" number "." nz-number ">"`
fn partial(cursor: &mut Cursor<'_>) -> Parsed<Partial> {
    cursor.expect(b'<', "a partial")?;
    let origin = cursor.number()?;
    cursor.expect(b'.', "a dot")?;
    let octets = cursor.nz_number()?;
    cursor.expect(b'>', "the end of a partial")?;
    Ok(Partial { origin, octets })
}

/// RFC 3501 9: `section = "[" [section-spec] "]"`
fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.expect(b'[', "a section")?;
    let section = section_spec(cursor)?;
    cursor.expect(b']', "the end of a section")?;
    Ok(section)
}

/// RFC 3501 9: `section-spec = section-msgtext / (section-part ["." section-text])`,
/// `section-part = nz-number *("." nz-number)`
fn section_spec(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    let mut section = Section::default();
    while cursor.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        section.parts.push(cursor.nz_number()?);
        if section.parts.len() > limits::MIME_DEPTH_MAX {
            return cursor.expected("fewer part numbers");
        }
        if !cursor.eat(b'.') {
            return Ok(section);
        }
    }
    if section.parts.is_empty() && cursor.peek() == Some(b']') {
        return Ok(section);
    }
    section.text = Some(section_text(cursor, !section.parts.is_empty())?);
    Ok(section)
}

/// RFC 3501 9: `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`,
/// `section-text = section-msgtext / "MIME"`
fn section_text(cursor: &mut Cursor<'_>, of_part: bool) -> Parsed<SectionText> {
    let start = cursor.clone();
    let name = cursor.take_while(|byte| byte.is_ascii_alphabetic() || byte == b'.');
    match &name.to_ascii_uppercase()[..] {
        b"HEADER" => Ok(SectionText::Header),
        b"HEADER.FIELDS" => Ok(SectionText::HeaderFields { names: header_list(cursor)?, not: false }),
        b"HEADER.FIELDS.NOT" => Ok(SectionText::HeaderFields { names: header_list(cursor)?, not: true }),
        b"TEXT" => Ok(SectionText::Text),
        b"MIME" if of_part => Ok(SectionText::Mime),
        _ => start.expected("a section"),
    }
}

/// RFC 3501 9: `SP header-list`, `header-list = "(" header-fld-name *(SP header-fld-name) ")"`
fn header_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.space()?;
    cursor.list1("a list of field names", |cursor| {
        let start = cursor.clone();
        let name = String::from_utf8(cursor.astring()?.into_owned());
        name.or_else(|_| start.expected("a field name"))
    })
}
