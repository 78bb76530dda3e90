//! Where a message is, found by its `Message-ID`: in which mailboxes, since when, and what became of it there.

use journal::{KeyRange, Order, ViewRead};

use crate::codec::decoded;
use crate::entry::MailboxRow;
use crate::mailstore::Inner;
use crate::prepare::hashed;
use crate::rows::{self, Arrival, ExpungedRow, FixedRow, ReferenceRow, StateRow};
use crate::{BodyId, EmailId, MailboxId, MailboxPath, Mailstore, MailstoreError, Uid};

/// A message in a mailbox, or that was there and is kept. One that was moved is where it was moved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Its name now, or the one that it had when it was deleted.
    pub path: Option<MailboxPath>,
    /// The message's number in it.
    pub uid: Uid,
    /// The message, in whatever mailbox.
    pub email_id: EmailId,
    /// Its body.
    pub body: BodyId,
    /// Its size in bytes.
    pub size: u64,
    /// How it came there.
    pub arrival: Arrival,
    /// The mailbox that it left, where it was moved.
    pub from: Option<MailboxPath>,
    /// When it came there, in seconds since 1970.
    pub stored: i64,
    /// The record that says so.
    pub record: u64,
    /// How it went out of sight.
    pub gone: Option<Gone>,
}

/// How a message went out of sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It was expunged.
    Expunged {
        /// When, in seconds since 1970.
        at: i64,
        /// The record that says so.
        record: u64,
    },
    /// Its mailbox was deleted.
    MailboxDeleted {
        /// When, in seconds since 1970.
        at: i64,
    },
}

impl Mailstore {
    /// All places of the messages with this `Message-ID` (with or without its angle brackets), in all accounts, in the
    /// order in which they came there.
    pub async fn message_id_find(&self, message_id: &str) -> Result<Vec<Located>, MailstoreError> {
        let message_id = message_id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        self.blocking(move |inner| inner.message_id_find(message_id.as_bytes())).await
    }
}

impl Inner {
    fn message_id_find(&self, message_id: &[u8]) -> Result<Vec<Located>, MailstoreError> {
        let view = self.shared.view.snapshot();
        let mut located = Vec::new();
        let range = KeyRange::prefix(&rows::message_id_key(&hashed(message_id), None));
        for row in view.scan(rows::MESSAGE_IDS, range, Order::Forward)? {
            let body = rows::message_id_key_body(&row?.0)?;
            if self.has_message_id(body, message_id)? {
                self.body_located(&*view, body, &mut located)?;
            }
        }
        located.sort_by_key(|at| (at.stored, at.record));
        Ok(located)
    }

    /// The index also leads to messages without an id of their own, by one that they refer to.
    /// What was purged leaves it a little later than its body.
    fn has_message_id(&self, body: BodyId, message_id: &[u8]) -> Result<bool, MailstoreError> {
        let presented = match self.presented(body) {
            Err(MailstoreError::BodyUnknown) => return Ok(false),
            presented => presented?,
        };
        let header = presented.rendered.header.clone();
        let field = message::first_header(&header, b"message-id").unwrap_or_default();
        Ok(message::message_ids(&field).first() == Some(&message_id))
    }

    fn body_located(
        &self,
        view: &dyn ViewRead,
        body: BodyId,
        located: &mut Vec<Located>,
    ) -> Result<(), MailstoreError> {
        let range = KeyRange::prefix(&rows::body_key(body));
        for row in view.scan(rows::REFERENCES, range, Order::Forward)? {
            let (key, row) = row?;
            let (mailbox, uid) = rows::reference_key_place(&key)?;
            located.push(self.located(view, mailbox, uid, decoded(&row)?)?);
        }
        Ok(())
    }

    fn located(
        &self,
        view: &dyn ViewRead,
        mailbox: MailboxId,
        uid: Uid,
        reference: ReferenceRow,
    ) -> Result<Located, MailstoreError> {
        let unpaired = || MailstoreError::Damaged("reference to a message");
        let key = rows::message_key(mailbox, uid);
        let fixed = view.get(rows::MESSAGES, &key)?.ok_or_else(unpaired)?;
        let fixed: FixedRow = decoded(&fixed)?;
        let state: StateRow = decoded(&view.get(rows::STATES, &key)?.ok_or_else(unpaired)?)?;
        let (path, deleted) = self.mailbox_path(view, mailbox)?;
        let from = reference.from.map(|from| self.mailbox_path(view, from)).transpose()?;
        Ok(Located {
            mailbox,
            path,
            uid,
            email_id: fixed.email_id,
            body: fixed.body,
            size: fixed.size,
            arrival: reference.arrival,
            from: from.and_then(|(path, _)| path),
            stored: fixed.save_date,
            record: reference.record,
            gone: match expunged(view, mailbox, &state)? {
                None => deleted.map(|at| Gone::MailboxDeleted { at }),
                expunged => expunged,
            },
        })
    }

    /// The name of a mailbox, and when it was deleted if it was.
    pub(crate) fn mailbox_path(
        &self,
        view: &dyn ViewRead,
        mailbox: MailboxId,
    ) -> Result<(Option<MailboxPath>, Option<i64>), MailstoreError> {
        let named = self.shared.names(|names| names.path_of(names.name_of(mailbox)?));
        if named.is_some() {
            return Ok((named, None));
        }
        let row = view.get(rows::MAILBOXES, &rows::mailbox_key(mailbox))?;
        let row: Option<MailboxRow> = row.map(|row| decoded(&row)).transpose()?;
        Ok(row.and_then(|row| row.deleted).map(|deleted| (deleted.path, deleted.at)).unzip())
    }
}

/// The last change of a message that is expunged is that it was, with others.
fn expunged(
    view: &dyn ViewRead,
    mailbox: MailboxId,
    state: &StateRow,
) -> Result<Option<Gone>, MailstoreError> {
    let Some(at) = state.expunged else { return Ok(None) };
    let row = view.get(rows::EXPUNGED, &rows::expunged_key(at, mailbox, state.modseq))?;
    let row: ExpungedRow = decoded(&row.ok_or(MailstoreError::Damaged("expunge of a message"))?)?;
    Ok(Some(Gone::Expunged { at, record: row.record }))
}
