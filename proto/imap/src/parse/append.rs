//! APPEND (RFC 3501 6.3.11).

use super::{mailbox, store};
use crate::cursor::{Cursor, Parsed};
use crate::{Append, Command, CommandError, DateTime, Line};

/// A line that ends in a literal header: if it is APPEND's up to its message, what it says.
pub(crate) fn append_header(line: &Line) -> Option<Result<Append, CommandError>> {
    let mut cursor = Cursor::new(line);
    let tag = super::tag(&mut cursor).ok()?;
    cursor.space().ok()?;
    cursor.eat_word("APPEND").then_some(())?;
    if announces_mailbox(cursor.clone()) {
        return None;
    }
    Some(message(&mut cursor).map_err(|complaint| CommandError { tag: Some(tag), complaint }))
}

/// The literal announced is the mailbox's name, not the message.
fn announces_mailbox(mut cursor: Cursor<'_>) -> bool {
    cursor.space().is_ok() && cursor.peek() == Some(b'{') && cursor.streamed_literal().is_ok()
}

/// RFC 3501 9: `append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal`
pub(super) fn append(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    message(cursor).map(Command::Append)
}

fn message(cursor: &mut Cursor<'_>) -> Parsed<Append> {
    let mailbox = mailbox::spaced(cursor)?;
    cursor.space()?;
    let mut flags = Vec::new();
    if cursor.peek() == Some(b'(') {
        flags = store::flag_list(cursor)?;
        cursor.space()?;
    }
    let mut internal_date = None;
    if cursor.peek() == Some(b'"') {
        internal_date = Some(date_time(cursor)?);
        cursor.space()?;
    }
    let octets = cursor.streamed_literal()?;
    Ok(Append { mailbox, flags, internal_date, octets })
}

/// RFC 3501 9: `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`
fn date_time(cursor: &mut Cursor<'_>) -> Parsed<DateTime> {
    let start = cursor.clone();
    let text = cursor.string()?;
    DateTime::parse(&text).map_or_else(|| start.expected("a date and time"), Ok)
}
