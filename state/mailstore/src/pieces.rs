//! A change of many messages on its way to the sequencer: in pieces that are one record each, of a mailbox that stays in
//! memory meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard, OwnedSemaphorePermit, Semaphore};

use crate::id::NameId;
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

    /// The turn of a change of several pieces in a mailbox. To be had before [`InUse::placed`], so that neither waits for
    /// the other.
    pub(crate) async fn bulk_turn(&self, mailbox: MailboxId) -> Result<Turn, MailstoreError> {
        let owner = self.inner.shared.names(|names| names.owner_of(names.name_of(mailbox)?));
        self.inner.turns.take(owner).await
    }
}

/// The turns of large changes: one of an account at a time, so that none takes all of them, and of all accounts few.
#[derive(Debug)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    /// Those who have a turn or wait for one. Mailboxes without an owner share one.
    accounts: parking_lot::Mutex<HashMap<Option<NameId>, Arc<tokio::sync::Mutex<()>>>>,
}

/// A turn; over when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_account: OwnedMutexGuard<()>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(limits::BULK_CHANGES_MAX)), accounts: Default::default() }
    }
}

impl Turns {
    async fn take(&self, owner: Option<NameId>) -> Result<Turn, MailstoreError> {
        let of_account = self.account(owner).lock_owned().await;
        let of_all = self.all.clone().acquire_owned().await.map_err(|_| MailstoreError::TaskDied)?;
        Ok(Turn { _of_all: of_all, _of_account: of_account })
    }

    fn account(&self, owner: Option<NameId>) -> Arc<tokio::sync::Mutex<()>> {
        let mut accounts = self.accounts.lock();
        accounts.retain(|_, turn| Arc::strong_count(turn) > 1);
        accounts.entry(owner).or_default().clone()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_has_one_turn_and_leaves_the_others_theirs() {
        let turns = Turns::default();
        let anna = Some(NameId(1));
        let first = turns.take(anna).await.unwrap();
        let mut second = std::pin::pin!(turns.take(anna));
        assert!(at_once(second.as_mut()).await.is_none(), "her second change waits");
        let others = (2..=limits::BULK_CHANGES_MAX as u64).map(|id| turns.take(Some(NameId(id))));
        let mut held = Vec::new();
        for turn in others {
            held.push(turn.await.unwrap());
        }
        drop(first);
        drop(at_once(second).await.expect("it is her turn").unwrap());
        drop(held);
        drop(turns.account(None));
        assert_eq!(turns.accounts.lock().len(), 1, "those who have none are forgotten");
    }

    /// What a future gives at once, if it does.
    async fn at_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        tokio::select! {
            biased;
            value = future => Some(value),
            () = std::future::ready(()) => None,
        }
    }
}
