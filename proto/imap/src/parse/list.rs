//! LIST and LSUB (RFC 3501 6.3.8, RFC 5258 6).

use super::mailbox::status_items;
use crate::cursor::{Cursor, Parsed};
use crate::{Complaint, List, ListReturn, ListSelection, utf7};

/// RFC 3501 9: `lsub = "LSUB" SP mailbox SP list-mailbox`
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Parsed<List> {
    let reference = reference(cursor)?;
    cursor.space()?;
    let patterns = vec![pattern(cursor)?];
    Ok(List { selection: Vec::new(), reference, patterns, returns: Vec::new() })
}

/// RFC 5258 6: `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`
pub(super) fn list(cursor: &mut Cursor<'_>) -> Parsed<List> {
    let mut selection = Vec::new();
    let mut ahead = cursor.clone();
    if ahead.space().is_ok() && ahead.peek() == Some(b'(') {
        selection = ahead.list("selection options", select_option)?;
        *cursor = ahead;
    }
    let reference = reference(cursor)?;
    cursor.space()?;
    let patterns = patterns(cursor)?;
    let returns = returns(cursor)?;
    Ok(List { selection, reference, patterns, returns })
}

/// The reference name, which may be empty.
fn reference(cursor: &mut Cursor<'_>) -> Parsed<String> {
    cursor.space()?;
    let reference = cursor.astring()?;
    match reference.len() {
        0..=limits::MAILBOX_NAME_BYTES_MAX => utf7::decode(&reference).ok_or(Complaint::MailboxName),
        _ => Err(Complaint::Limit { what: "long a reference" }),
    }
}

/// RFC 5258 6: `mbox-or-pat = list-mailbox / patterns`, `patterns = "(" list-mailbox *(SP list-mailbox) ")"`
fn patterns(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    match cursor.peek() {
        Some(b'(') => few(cursor.list1("a list of patterns", pattern)?),
        _ => Ok(vec![pattern(cursor)?]),
    }
}

fn few(patterns: Vec<String>) -> Parsed<Vec<String>> {
    match patterns.len() {
        0..=limits::IMAP_LIST_PATTERNS_MAX => Ok(patterns),
        _ => Err(Complaint::Limit { what: "many patterns" }),
    }
}

fn pattern(cursor: &mut Cursor<'_>) -> Parsed<String> {
    let pattern = cursor.list_mailbox()?;
    let wildcards = memchr::memchr2_iter(b'*', b'%', &pattern).count();
    if pattern.len() > limits::MAILBOX_NAME_BYTES_MAX {
        return Err(Complaint::Limit { what: "long a pattern" });
    }
    if wildcards > limits::IMAP_LIST_WILDCARDS_MAX {
        return Err(Complaint::Limit { what: "many wildcards in a pattern" });
    }
    utf7::decode(&pattern).ok_or(Complaint::MailboxName)
}

/// RFC 5258 6: `list-select-opt`, RFC 6154 6: `/ "SPECIAL-USE"`
fn select_option(cursor: &mut Cursor<'_>) -> Parsed<ListSelection> {
    let start = cursor.clone();
    match &cursor.word()?[..] {
        "SUBSCRIBED" => Ok(ListSelection::Subscribed),
        "REMOTE" => Ok(ListSelection::Remote),
        "RECURSIVEMATCH" => Ok(ListSelection::RecursiveMatch),
        "SPECIAL-USE" => Ok(ListSelection::SpecialUse),
        _ => start.expected("a selection option"),
    }
}

/// RFC 5258 6: `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`
fn returns(cursor: &mut Cursor<'_>) -> Parsed<Vec<ListReturn>> {
    if cursor.is_at_end() {
        return Ok(Vec::new());
    }
    cursor.space()?;
    cursor.expect_word("RETURN")?;
    cursor.space()?;
    cursor.list("return options", return_option)
}

/// RFC 5258 6: `return-option`, RFC 6154 6: `/ "SPECIAL-USE"`, RFC 5819 3: `/ "STATUS" SP "(" ... ")"`
fn return_option(cursor: &mut Cursor<'_>) -> Parsed<ListReturn> {
    let start = cursor.clone();
    match &cursor.word()?[..] {
        "SUBSCRIBED" => Ok(ListReturn::Subscribed),
        "CHILDREN" => Ok(ListReturn::Children),
        "SPECIAL-USE" => Ok(ListReturn::SpecialUse),
        "STATUS" => {
            cursor.space()?;
            status_items(cursor).map(ListReturn::Status)
        }
        _ => start.expected("a return option"),
    }
}
