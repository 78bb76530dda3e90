//! The parser: one function a rule of RFC 3501 9, the rule above it.
//!
//! ```text
//! command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
//! ```

mod append;
mod fetch;
mod list;
mod login;
mod mailbox;
mod search;
mod store;

use compact_str::CompactString;

use crate::cursor::{Cursor, Parsed};
use crate::{Command, CommandError, Complaint, Line, Numbering, Request, SequenceSet, Tag};

pub(crate) use append::append_header;
pub(crate) use login::auth_line;

/// A whole command.
pub(crate) fn request(line: &Line) -> Result<Request, CommandError> {
    let mut cursor = Cursor::new(line);
    let tag = tag(&mut cursor).map_err(|complaint| CommandError { tag: None, complaint })?;
    match command(&mut cursor, line) {
        Ok(command) => Ok(Request { tag, command }),
        Err(complaint) => Err(CommandError { tag: Some(tag), complaint }),
    }
}

/// `tag = 1*<any ASTRING-CHAR except "+">`
fn tag(cursor: &mut Cursor<'_>) -> Parsed<Tag> {
    Tag::new(cursor.take_while(|byte| byte != b' ')).ok_or(Complaint::Tag)
}

fn command(cursor: &mut Cursor<'_>, line: &Line) -> Parsed<Command> {
    cursor.space().map_err(|_| Complaint::Verb)?;
    let verb = cursor.word().map_err(|_| Complaint::Verb)?;
    let command = match &verb[..] {
        "UID" => uid(cursor)?,
        _ => arguments(cursor, &verb)?,
    };
    match command {
        Some(command) => cursor.end().map(|()| command),
        None => Ok(Command::Unknown { verb, raw: line.text.clone() }),
    }
}

/// What follows a verb; `None` for a verb that is not known.
fn arguments(cursor: &mut Cursor<'_>, verb: &str) -> Parsed<Option<Command>> {
    Ok(Some(match verb {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::StartTls,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "EXPUNGE" => Command::Expunge { uids: None },
        "ID" => login::id(cursor)?,
        "AUTHENTICATE" => login::authenticate(cursor)?,
        "LOGIN" => login::login(cursor)?,
        "ENABLE" => login::enable(cursor)?,
        "APPEND" => append::append(cursor)?,
        "SEARCH" => Command::Search(search::search(cursor, Numbering::Sequence)?),
        "FETCH" => Command::Fetch(fetch::fetch(cursor, Numbering::Sequence)?),
        "STORE" => Command::Store(store::store(cursor, Numbering::Sequence)?),
        "COPY" => copy(cursor, Numbering::Sequence)?,
        "MOVE" => move_(cursor, Numbering::Sequence)?,
        _ => return mailbox::arguments(cursor, verb),
    }))
}

/// RFC 3501 9: `uid = "UID" SP (copy / fetch / search / store)`, RFC 4315 4: `/ "EXPUNGE" SP sequence-set`,
/// RFC 6851 4.3: `/ move`
fn uid(cursor: &mut Cursor<'_>) -> Parsed<Option<Command>> {
    cursor.space()?;
    let verb: CompactString = cursor.word()?;
    Ok(Some(match &verb[..] {
        "EXPUNGE" => Command::Expunge { uids: Some(spaced_set(cursor)?) },
        "SEARCH" => Command::Search(search::search(cursor, Numbering::Uid)?),
        "FETCH" => Command::Fetch(fetch::fetch(cursor, Numbering::Uid)?),
        "STORE" => Command::Store(store::store(cursor, Numbering::Uid)?),
        "COPY" => copy(cursor, Numbering::Uid)?,
        "MOVE" => move_(cursor, Numbering::Uid)?,
        _ => return Ok(None),
    }))
}

/// RFC 3501 9: `copy = "COPY" SP sequence-set SP mailbox`
fn copy(cursor: &mut Cursor<'_>, by: Numbering) -> Parsed<Command> {
    let set = spaced_set(cursor)?;
    let mailbox = mailbox::spaced(cursor)?;
    Ok(Command::Copy { by, set, mailbox })
}

/// RFC 6851 4.3: `move = "MOVE" SP sequence-set SP mailbox`
fn move_(cursor: &mut Cursor<'_>, by: Numbering) -> Parsed<Command> {
    let set = spaced_set(cursor)?;
    let mailbox = mailbox::spaced(cursor)?;
    Ok(Command::Move { by, set, mailbox })
}

/// `SP sequence-set`
fn spaced_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    cursor.space()?;
    sequence_set(cursor)
}

/// RFC 3501 9: `sequence-set = (seq-number / seq-range) *("," sequence-set)`
fn sequence_set(cursor: &mut Cursor<'_>) -> Parsed<SequenceSet> {
    let start = cursor.clone();
    let text = cursor.take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b',' | b'*'));
    SequenceSet::parse(text).map_or_else(|| start.expected("a set of message numbers"), Ok)
}
