//! COPY of more messages than one record has: added piece by piece, visible by one record, then placed piece by piece.

use crate::command::{Command, TransferAdd, TransferCommit, TransferPlace};
use crate::fresh;
use crate::id::TransferId;
use crate::mailstore::now;
use crate::pieces::{MESSAGE_BYTES, Piece};
use crate::{CopyOutcome, MailboxId, Mailstore, MailstoreError, UidSet};

/// A large copy under way. One that is let go before its commit, by whatever, is aborted.
pub(crate) struct Transfer {
    store: Mailstore,
    id: TransferId,
    committed: bool,
}

impl Transfer {
    pub(crate) fn new(store: Mailstore) -> Result<Self, MailstoreError> {
        let id = TransferId(fresh::number()? as u64);
        Ok(Self { store, id, committed: false })
    }

    pub(crate) async fn copy(
        mut self,
        from: MailboxId,
        pieces: Vec<Piece>,
        to: MailboxId,
    ) -> Result<CopyOutcome, MailstoreError> {
        let weights: Vec<usize> = pieces.iter().map(|piece| piece.bytes).collect();
        let source = self.add(from, pieces).await?;
        let placing = self.store.mailbox(to)?.placing();
        let _placing = placing.write_owned().await;
        let bytes = source.len() * MESSAGE_BYTES;
        let commit = TransferCommit { transfer: self.id, to, source, bytes };
        let copied = self.store.submit_bulk(Command::TransferCommit(commit)).await?.copy()?;
        self.committed = true;
        self.place(to, &weights).await;
        Ok(copied)
    }

    async fn add(&self, from: MailboxId, pieces: Vec<Piece>) -> Result<UidSet, MailstoreError> {
        let mut source = UidSet::new();
        for (index, Piece { uids, bytes }) in (0u32..).zip(pieces) {
            let add = TransferAdd { transfer: self.id, index, from, uids, now: now(), bytes };
            let added = self.store.submit_bulk(Command::TransferAdd(add)).await?.transferred()?;
            source.extend(&added);
        }
        Ok(source)
    }

    /// The copy is done and stays so whatever happens here; what is left is done when the store is opened.
    async fn place(&self, mailbox: MailboxId, weights: &[usize]) {
        for (index, bytes) in (0u32..).zip(weights.iter().copied()) {
            let place = Command::TransferPlace(TransferPlace { mailbox, transfer: self.id, index, bytes });
            if let Err(error) = self.store.submit_bulk(place).await {
                tracing::info!(%mailbox, %error, "the rows of a large copy are made when the store is opened again");
                return;
            }
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.committed {
            // Behind a piece or the commit that may still wait: an abort that came first would leave a commit of nothing.
            self.store.submit_bulk_detached(Command::TransferAbort(self.id));
        }
    }
}

#[cfg(test)]
mod tests;
