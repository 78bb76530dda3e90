//! STORE and flags (RFC 3501 6.4.6, 2.3.2).

use super::spaced_set;
use crate::cursor::{Cursor, Parsed, is_atom_char};
use crate::{Complaint, Flag, Numbering, Store, StoreOp};

/// RFC 3501 9: `store = "STORE" SP sequence-set SP store-att-flags`
pub(super) fn store(cursor: &mut Cursor<'_>, by: Numbering) -> Parsed<Store> {
    let set = spaced_set(cursor)?;
    cursor.space()?;
    let (op, silent) = operation(cursor)?;
    cursor.space()?;
    let flags = match cursor.peek() {
        Some(b'(') => flag_list(cursor)?,
        _ => flags(cursor)?,
    };
    Ok(Store { by, set, op, silent, flags })
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
