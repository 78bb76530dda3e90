//! What a thing is now, going by the view.

use std::ops::Range;

use bytes::Bytes;
use journal::{KeyRange, Lsn, Order, StoreError, Table, ViewRead};

use super::{Key, Stated};
use crate::codec::{Coded, decoded};
use crate::entry::{MailboxRow, NameRow};
use crate::id::TransferId;
use crate::rows::{self, FixedRow, StateRow};
use crate::{MailboxId, Uid};

/// What a thing is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is there: this is all that there is to say of it.
    Here(Box<Stated>),
    /// It is not there.
    Gone,
    /// It is there, and said in full by records outside of the segment.
    SaidElsewhere,
    /// Its records are needed as they are.
    Needed(&'static str),
}

/// What a thing is that the records of `segment` speak of. Bodies are not asked for here.
pub(crate) fn standing(view: &dyn ViewRead, key: &Key, segment: &Range<Lsn>) -> Result<Standing, StoreError> {
    let stated = match key {
        Key::Entangled => return Ok(Standing::Needed("a large copy of an earlier version")),
        Key::Transfer(transfer) if is_under_way(view, *transfer)? => {
            return Ok(Standing::Needed("a large copy is under way"));
        }
        Key::Transfer(_) | Key::Body(..) => None,
        Key::Message(mailbox, uid) => return message(view, *mailbox, *uid, segment),
        Key::Mailbox(mailbox) => mailbox_stated(view, *mailbox)?,
        _ => row_stated(view, key)?,
    };
    Ok(stated.map_or(Standing::Gone, |stated| Standing::Here(Box::new(stated))))
}

/// A transfer has rows of its own until its last message was placed.
fn is_under_way(view: &dyn ViewRead, transfer: TransferId) -> Result<bool, StoreError> {
    let range = KeyRange::prefix(&transfer.0.to_be_bytes());
    Ok(view.scan(rows::TRANSFERS, range, Order::Forward)?.next().transpose()?.is_some())
}

fn message(
    view: &dyn ViewRead,
    mailbox: MailboxId,
    uid: Uid,
    segment: &Range<Lsn>,
) -> Result<Standing, StoreError> {
    let key = rows::message_key(mailbox, uid);
    let fixed: Option<FixedRow> = row(view, rows::MESSAGES, &key)?;
    let state: Option<StateRow> = row(view, rows::STATES, &key)?;
    let Some((fixed, state)) = fixed.zip(state) else { return Ok(Standing::Gone) };
    if !segment.contains(&Lsn(fixed.stated)) && !segment.contains(&Lsn(state.stated)) {
        return Ok(Standing::SaidElsewhere);
    }
    let expunged = state.expunged;
    let stated = Stated::Message(mailbox, fixed.message(uid, state), expunged);
    Ok(Standing::Here(Box::new(stated)))
}

fn mailbox_stated(view: &dyn ViewRead, mailbox: MailboxId) -> Result<Option<Stated>, StoreError> {
    let key = rows::mailbox_key(mailbox);
    let mailbox: Option<MailboxRow> = row(view, rows::MAILBOXES, &key)?;
    let counters = row(view, rows::COUNTERS, &key)?;
    Ok(mailbox.zip(counters).map(|(mailbox, counters)| Stated::Mailbox(mailbox, counters)))
}

/// A thing that has one row.
fn row_stated(view: &dyn ViewRead, key: &Key) -> Result<Option<Stated>, StoreError> {
    let rows_of = key.rows();
    let Some((table, at)) = rows_of.first() else { return Ok(None) };
    let Some(bytes) = view.get(*table, at)? else { return Ok(None) };
    Ok(Some(match key {
        Key::Marks => Stated::Marks(decoded(&bytes)?),
        Key::Name(_) => Stated::Name(decoded::<NameRow>(&bytes)?),
        Key::Floor(mailbox) => Stated::Floor(*mailbox, decoded(&bytes)?),
        Key::Subscription(owner, path) => Stated::Subscription(*owner, path.clone()),
        Key::Keyword(mailbox, text) => Stated::Keyword(*mailbox, text.clone()),
        Key::Reference(at) => Stated::Reference(*at, decoded(&bytes)?),
        Key::Change(mailbox, modseq) => Stated::Change(*mailbox, *modseq, decoded(&bytes)?),
        Key::Expunged(at) => Stated::Expunged(*at, decoded(&bytes)?),
        Key::MessageId(hash, body) => Stated::MessageId(*hash, *body),
        Key::Thread(key) => Stated::Thread(*key, decoded(&bytes)?),
        Key::Entangled | Key::Transfer(_) | Key::Mailbox(_) | Key::Message(..) | Key::Body(..) => {
            return Ok(None);
        }
    }))
}

pub(super) fn row<T: Coded>(view: &dyn ViewRead, table: Table, key: &Bytes) -> Result<Option<T>, StoreError> {
    Ok(view.get(table, key)?.map(|row| decoded(&row)).transpose()?)
}
