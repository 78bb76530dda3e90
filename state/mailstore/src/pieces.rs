//! A change of many messages on its way to the sequencer: in pieces that are one record each, of a mailbox that stays in
//! memory meanwhile.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit};

use crate::slot::Pin;
use crate::{FlagChange, MailboxId, MailboxSnapshot, Mailstore, MailstoreError, MessageRow, UidSet};

/// Bytes that a message takes in a record and in rows of the view, about, without its keywords.
pub(crate) const MESSAGE_BYTES: usize = 96;

/// A mailbox that is in memory as long as this lives, so that the sequencer need not read it.
pub(crate) struct InUse {
    pub(crate) snapshot: Arc<MailboxSnapshot>,
    pin: Pin,
}

/// Messages that one record changes.
pub(crate) struct Piece {
    pub(crate) uids: UidSet,
    /// Of the messages, about.
    pub(crate) bytes: usize,
}

impl Mailstore {
    /// Reads a mailbox into memory and keeps it there.
    pub(crate) async fn in_use(&self, mailbox: MailboxId) -> Result<InUse, MailstoreError> {
        let mailbox = self.mailbox(mailbox)?;
        let pin = mailbox.pin();
        Ok(InUse { snapshot: mailbox.snapshot().await?, pin })
    }

    /// The turn of a change of several pieces. To be had before [`InUse::placed`], so that neither waits for the other.
    pub(crate) async fn bulk_turn(&self) -> Result<OwnedSemaphorePermit, MailstoreError> {
        self.inner.bulk.clone().acquire_owned().await.map_err(|_| MailstoreError::TaskDied)
    }
}

impl InUse {
    /// Waits until all messages of the mailbox have rows of their own, and keeps further large copies out: a change of
    /// few messages must not have to make the rows of many.
    pub(crate) async fn placed(&self) -> OwnedRwLockReadGuard<()> {
        self.pin.slot().placing.clone().read_owned().await
    }

    /// The messages among `uids`, in pieces; at least one. `keyword_bytes` is what the change adds to each.
    pub(crate) fn pieces(&self, uids: &UidSet, keyword_bytes: usize) -> Vec<Piece> {
        pieces(self.snapshot.rows_of(uids), keyword_bytes)
    }

    /// All messages as one piece.
    pub(crate) fn whole(&self) -> Piece {
        let bytes = self.snapshot.rows().map(|row| MESSAGE_BYTES + row.flags.keyword_bytes()).sum();
        Piece { uids: self.snapshot.uids(), bytes }
    }

    /// Bytes of messages that are marked as deleted, as many as one record expunges.
    pub(crate) fn deleted_bytes(&self) -> usize {
        let deleted = self.snapshot.rows().filter(|row| row.flags.has(crate::SystemFlag::Deleted));
        deleted.take(limits::BULK_MESSAGES_MAX).map(|row| MESSAGE_BYTES + row.flags.keyword_bytes()).sum()
    }
}

fn pieces<'a>(rows: impl Iterator<Item = MessageRow<'a>>, keyword_bytes: usize) -> Vec<Piece> {
    let mut done = Vec::new();
    let (mut piece, mut count) = (Piece { uids: UidSet::new(), bytes: 0 }, 0);
    for row in rows {
        let bytes = MESSAGE_BYTES + row.flags.keyword_bytes() + keyword_bytes;
        let over = piece.bytes + bytes > limits::BULK_MESSAGES_BYTES_MAX;
        if count > 0 && (over || count == limits::BULK_MESSAGES_MAX) {
            done.push(std::mem::replace(&mut piece, Piece { uids: UidSet::new(), bytes: 0 }));
            count = 0;
        }
        piece.uids.insert(row.uid);
        piece.bytes += bytes;
        count += 1;
    }
    done.push(piece);
    done
}

impl FlagChange {
    /// Bytes of keywords that it can add to a message.
    pub(crate) fn keyword_bytes(&self) -> usize {
        match self {
            Self::Replace(flags) | Self::Add(flags) => flags.keyword_bytes(),
            Self::Remove(_) => 0,
        }
    }
}
