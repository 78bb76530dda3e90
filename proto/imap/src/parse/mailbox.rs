//! The commands that name mailboxes.

use super::list;
use crate::cursor::{Cursor, Parsed};
use crate::{Command, Complaint, MailboxName, SpecialUse, StatusItem};

/// What follows a verb; `None` for a verb that is not known.
pub(super) fn arguments(cursor: &mut Cursor<'_>, verb: &str) -> Parsed<Option<Command>> {
    Ok(Some(match verb {
        "SELECT" => select(cursor, false)?,
        "EXAMINE" => select(cursor, true)?,
        "CREATE" => create(cursor)?,
        "DELETE" => Command::Delete(spaced(cursor)?),
        "RENAME" => Command::Rename { from: spaced(cursor)?, to: spaced(cursor)? },
        "SUBSCRIBE" => Command::Subscribe(spaced(cursor)?),
        "UNSUBSCRIBE" => Command::Unsubscribe(spaced(cursor)?),
        "LIST" => Command::List(list::list(cursor)?),
        "LSUB" => Command::Lsub(list::lsub(cursor)?),
        "STATUS" => status(cursor)?,
        _ => return Ok(None),
    }))
}

/// RFC 3501 9: `select = "SELECT" SP mailbox`, RFC 4466 2.1: with `[SP "(" select-param *(SP select-param) ")"]`,
/// RFC 7162 7: `select-param =/ "CONDSTORE"`
fn select(cursor: &mut Cursor<'_>, read_only: bool) -> Parsed<Command> {
    let mailbox = spaced(cursor)?;
    let mut condstore = false;
    if !cursor.is_at_end() {
        cursor.space()?;
        cursor.list1("a list of parameters", |cursor| cursor.expect_word("CONDSTORE"))?;
        condstore = true;
    }
    Ok(Command::Select { mailbox, read_only, condstore })
}

/// RFC 3501 9: `SP mailbox`, `mailbox = "INBOX" / astring`, in modified UTF-7 (5.1.3)
pub(super) fn spaced(cursor: &mut Cursor<'_>) -> Parsed<MailboxName> {
    cursor.space()?;
    let name = cursor.astring()?;
    MailboxName::from_wire(&name).map_err(|_| Complaint::MailboxName)
}

/// RFC 3501 9: `create = "CREATE" SP mailbox`, RFC 6154 6: with
/// `[SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`
fn create(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mailbox = spaced(cursor)?;
    let mut special_use = Vec::new();
    if !cursor.is_at_end() {
        cursor.space()?;
        cursor.expect(b'(', "a list of parameters")?;
        cursor.expect_word("USE")?;
        cursor.space()?;
        special_use = cursor.list("a list of special uses", use_attr)?;
        cursor.expect(b')', "the end of the parameters")?;
    }
    Ok(Command::Create { mailbox, special_use })
}

/// RFC 6154 6: `use-attr = "\All" / "\Archive" / ... / use-attr-ext`, `use-attr-ext = "\" atom`
fn use_attr(cursor: &mut Cursor<'_>) -> Parsed<SpecialUse> {
    cursor.expect(b'\\', "a special use")?;
    let name = String::from_utf8_lossy(cursor.atom()?);
    SpecialUse::parse(&format!("\\{name}")).ok_or(Complaint::SpecialUse)
}

/// RFC 3501 9: `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
fn status(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let mailbox = spaced(cursor)?;
    cursor.space()?;
    Ok(Command::Status { mailbox, items: status_items(cursor)? })
}

pub(super) fn status_items(cursor: &mut Cursor<'_>) -> Parsed<Vec<StatusItem>> {
    cursor.list1("a list of status items", status_item)
}

/// RFC 3501 9: `status-att = "MESSAGES" / "RECENT" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN"`,
/// RFC 7162 7: `/ "HIGHESTMODSEQ"`
fn status_item(cursor: &mut Cursor<'_>) -> Parsed<StatusItem> {
    let start = cursor.clone();
    let word = cursor.word()?;
    let item = StatusItem::ALL.iter().find(|(_, name)| *name == word);
    item.map_or_else(|| start.expected("a status item"), |(item, _)| Ok(*item))
}
