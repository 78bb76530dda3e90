//! STORE and flags (RFC 3501 6.4.6, 2.3.2; RFC 7162 3.1.3).

use super::spaced_set;
use crate::cursor::{Cursor, Parsed, is_atom_char};
use crate::{Complaint, Flag, Numbering, Store, StoreOp};

/// RFC 3501 9: `store = "STORE" SP sequence-set SP store-att-flags`, RFC 4466 2.5: with
/// `[SP "(" store-modifier *(SP store-modifier) ")"]` before the last space
pub(super) fn store(cursor: &mut Cursor<'_>, by: Numbering) -> Parsed<Store> {
    let set = spaced_set(cursor)?;
    cursor.space()?;
    let unchanged_since = match cursor.peek() {
        Some(b'(') => Some(modifier(cursor)?),
        _ => None,
    };
    let (op, silent) = operation(cursor)?;
    cursor.space()?;
    let flags = match cursor.peek() {
        Some(b'(') => flag_list(cursor)?,
        _ => flags(cursor)?,
    };
    Ok(Store { by, set, unchanged_since, op, silent, flags })
}

/// RFC 7162 7: `store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer`, once; the list ends with a space
fn modifier(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    cursor.expect(b'(', "a list of modifiers")?;
    cursor.expect_word("UNCHANGEDSINCE")?;
    cursor.space()?;
    let modseq = cursor.number64()?;
    cursor.expect(b')', "the end of the modifiers")?;
    cursor.space()?;
    Ok(modseq)
}

/// `(["+" / "-"] "FLAGS" [".SILENT"])`
fn operation(cursor: &mut Cursor<'_>) -> Parsed<(StoreOp, bool)> {
    let op = match cursor.peek() {
        Some(b'+') => StoreOp::Add,
        Some(b'-') => StoreOp::Remove,
        _ => StoreOp::Replace,
    };
    let _sign = cursor.eat(b'+') || cursor.eat(b'-');
    match (cursor.eat_word("FLAGS"), cursor.eat_word("FLAGS.SILENT")) {
        (true, _) => Ok((op, false)),
        (_, true) => Ok((op, true)),
        _ => cursor.expected("FLAGS or FLAGS.SILENT"),
    }
}

/// RFC 3501 9: `flag-list = "(" [flag *(SP flag)] ")"`
pub(super) fn flag_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    cursor.list("a list of flags", flag).map(without_repeats)
}

/// `flag *(SP flag)`
fn flags(cursor: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    let mut flags = vec![flag(cursor)?];
    while !cursor.is_at_end() {
        cursor.space()?;
        flags.push(flag(cursor)?);
    }
    Ok(without_repeats(flags))
}

fn without_repeats(flags: Vec<Flag>) -> Vec<Flag> {
    let mut kept = Vec::with_capacity(flags.len());
    for flag in flags {
        if !kept.contains(&flag) {
            kept.push(flag);
        }
    }
    kept
}

/// RFC 3501 9: `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword`
fn flag(cursor: &mut Cursor<'_>) -> Parsed<Flag> {
    let start = cursor.clone();
    let text = cursor.take_while(|byte| byte == b'\\' || is_atom_char(byte));
    match Flag::parse(text) {
        Some(flag) => Ok(flag),
        None if text.starts_with(b"\\") => Err(Complaint::SystemFlag),
        None => start.expected("a flag"),
    }
}
