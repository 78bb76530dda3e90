//! Taking things away for good. Who asks has looked at the view some time before: here it is judged again.

use journal::{KeyRange, Order, Staged, Table, ViewRead};

use crate::codec::decoded;
use crate::command::Purge;
use crate::compaction::{Key, Removed, Restated, Stated};
use crate::entry::MailboxRow;
use crate::rows::{self, StateRow, ThreadKey, ThreadRow};
use crate::{BodyId, MailboxId, MailstoreError, ModSeq, Uid};

use super::Sequenced;

impl Sequenced {
    /// Gives what is gone.
    pub(super) fn purge(&mut self, purge: Purge, staged: &mut Staged) -> Result<Vec<Key>, MailstoreError> {
        let Purge { mut keys, floor, until } = purge;
        let view = self.shared.view.clone();
        let mut kept = Ok(());
        keys.retain(|key| match self.is_over(&*view, key, until) {
            Ok(over) => over,
            Err(error) => {
                kept = Err(error);
                false
            }
        });
        kept?;
        let floor = floor.map(|(mailbox, modseq)| floor_raised(&*view, mailbox, modseq)).transpose()?;
        if keys.is_empty() {
            return Ok(keys);
        }
        if let Some(floor) = floor {
            self.commit(Restated { things: vec![floor] }, staged);
        }
        self.commit(Removed { keys: keys.clone() }, staged);
        Ok(keys)
    }

    /// Whether nothing needs a thing any more. What is committed is all: what is out of sight does not change, and who
    /// would use a body anew can only have it from a message that refers to it.
    fn is_over(&self, view: &dyn ViewRead, key: &Key, until: i64) -> Result<bool, MailstoreError> {
        match key {
            Key::Message(mailbox, uid) => message_is_over(view, *mailbox, *uid, until),
            Key::Reference(at) => message_is_over(view, at.mailbox, at.uid, until),
            Key::Expunged(at) => Ok(at.at <= until),
            Key::Change(..) => Ok(true),
            Key::Keyword(mailbox, _) | Key::Floor(mailbox) => mailbox_is_over(view, *mailbox, until),
            Key::Mailbox(mailbox) => {
                let over = mailbox_is_over(view, *mailbox, until)?;
                Ok(over && is_empty(view, *mailbox)?)
            }
            Key::Body(body, _) => Ok(!is_referred(view, *body)?),
            Key::MessageId(_, body) => Ok(view.get(rows::BODIES, &rows::body_key(*body))?.is_none()),
            Key::Thread(key) => Ok(self.frame.thread(key).is_none() && thread_is_over(view, key)?),
            Key::Marks | Key::Entangled | Key::Name(_) | Key::Subscription(..) | Key::Transfer(_) => {
                Ok(false)
            }
        }
    }
}

/// It was expunged long enough ago, or its mailbox was deleted.
fn message_is_over(
    view: &dyn ViewRead,
    mailbox: MailboxId,
    uid: Uid,
    until: i64,
) -> Result<bool, MailstoreError> {
    let Some(row) = view.get(rows::STATES, &rows::message_key(mailbox, uid))? else { return Ok(false) };
    let state: StateRow = decoded(&row)?;
    Ok(state.expunged.is_some_and(|at| at <= until) || mailbox_is_over(view, mailbox, until)?)
}

fn mailbox_is_over(view: &dyn ViewRead, mailbox: MailboxId, until: i64) -> Result<bool, MailstoreError> {
    let Some(row) = view.get(rows::MAILBOXES, &rows::mailbox_key(mailbox))? else { return Ok(true) };
    let row: MailboxRow = decoded(&row)?;
    Ok(row.deleted.is_some_and(|deleted| deleted.at <= until))
}

/// No message is left in a mailbox, nor one of a large copy that is still to get its rows.
fn is_empty(view: &dyn ViewRead, mailbox: MailboxId) -> Result<bool, MailstoreError> {
    let key = rows::mailbox_key(mailbox);
    Ok(!has_any(view, rows::MESSAGES, &key)? && !has_any(view, rows::UNPLACED, &key)?)
}

/// Whether a message or a large copy uses a body.
pub(crate) fn is_referred(view: &dyn ViewRead, body: BodyId) -> Result<bool, MailstoreError> {
    let key = rows::body_key(body);
    Ok(has_any(view, rows::REFERENCES, &key)? || has_any(view, rows::TRANSFER_REFERENCES, &key)?)
}

fn has_any(view: &dyn ViewRead, table: Table, prefix: &[u8]) -> Result<bool, MailstoreError> {
    let first = view.scan(table, KeyRange::prefix(prefix), Order::Forward)?.next();
    Ok(first.transpose()?.is_some())
}

fn thread_is_over(view: &dyn ViewRead, key: &ThreadKey) -> Result<bool, MailstoreError> {
    let Some(row) = view.get(rows::THREADS, &rows::thread_row_key(key))? else { return Ok(false) };
    let row: ThreadRow = decoded(&row)?;
    Ok(view.get(rows::BODIES, &rows::body_key(row.body))?.is_none())
}

fn floor_raised(view: &dyn ViewRead, mailbox: MailboxId, modseq: ModSeq) -> Result<Stated, MailstoreError> {
    let floor = view.get(rows::FLOORS, &rows::mailbox_key(mailbox))?;
    let floor: ModSeq = floor.map(|row| decoded(&row)).transpose()?.unwrap_or_default();
    Ok(Stated::Floor(mailbox, floor.max(modseq)))
}
