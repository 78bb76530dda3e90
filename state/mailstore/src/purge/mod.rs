//! What went out of sight goes for good when its retention is over, and what nothing leads to any more goes with it:
//! bodies, old changes of a mailbox, rows of indexes.
//!
//! All of it is bulk work: one small batch after the other, each judged again by the sequencer. A crash leaves what was not
//! yet taken away for the next time.

mod look;
mod worker;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use journal::ViewRead;

use crate::command::{Command, Purge};
use crate::compaction::Key;
use crate::entry::FileId;
use crate::mailstore::now;
use crate::{BodyId, MailboxId, Mailstore, MailstoreError, ModSeq};
pub(crate) use look::Rounds;
pub(crate) use worker::PurgeWorker;

/// What a purge took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Messages that had been expunged or went with their mailbox.
    pub messages: u64,
    /// Mailboxes that had been deleted.
    pub mailboxes: u64,
    /// Bodies that no message used any more.
    pub bodies: u64,
    /// Changes of mailboxes that were further back than any client is told of.
    pub changes: u64,
    /// Rows that led to bodies that are gone.
    pub index_rows: u64,
}

impl fmt::Display for Purged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, mailboxes, bodies, changes, index_rows } = self;
        write!(
            f,
            "{messages} messages, {mailboxes} mailboxes, {bodies} bodies, {changes} old changes, {index_rows} index rows"
        )
    }
}

impl Mailstore {
    /// Takes away for good what went out of sight `retention` ago or longer. Goes on in small batches behind what others
    /// ask for; one purge at a time.
    pub async fn purge(&self, retention: Duration) -> Result<Purged, MailstoreError> {
        let mut rounds = self.inner.purging.lock().await;
        let until = now().saturating_sub(i64::try_from(retention.as_secs()).unwrap_or(i64::MAX));
        let purging = Purging { store: self, until, done: Purged::default(), files: Vec::new() };
        let done = purging.run(&mut rounds).await?;
        if done != Purged::default() {
            tracing::info!(%done, "purged");
        }
        Ok(done)
    }
}

/// A purge under way.
struct Purging<'a> {
    store: &'a Mailstore,
    until: i64,
    done: Purged,
    /// Files of bodies that are gone.
    files: Vec<FileId>,
}

impl Purging<'_> {
    async fn run(mut self, rounds: &mut Rounds) -> Result<Purged, MailstoreError> {
        let until = self.until;
        for mailbox in self.look(move |view| look::mailboxes_deleted(view, until)).await? {
            self.mailbox(mailbox).await?;
        }
        self.expunged().await?;
        self.histories(rounds).await?;
        self.index(rounds).await?;
        self.files().await?;
        Ok(self.done)
    }

    /// A mailbox with all that is in it, itself at last.
    async fn mailbox(&mut self, mailbox: MailboxId) -> Result<(), MailstoreError> {
        loop {
            let keys = self.look(move |view| look::messages(view, mailbox)).await?;
            if keys.is_empty() || self.messages(keys).await?.is_empty() {
                break;
            }
        }
        loop {
            let keys = self.look(move |view| look::changes(view, mailbox)).await?;
            if keys.is_empty() {
                break;
            }
            self.done.changes += self.submit(keys, None).await?.len() as u64;
        }
        let keys = self.look(move |view| look::mailbox_rest(view, mailbox)).await?;
        let gone = self.submit(keys, None).await?;
        self.done.mailboxes += u64::from(gone.contains(&Key::Mailbox(mailbox)));
        Ok(())
    }

    /// Messages whose retention is over, those that went first first.
    async fn expunged(&mut self) -> Result<(), MailstoreError> {
        loop {
            let until = self.until;
            let keys = self.look(move |view| look::expunged(view, until)).await?;
            if keys.is_empty() {
                return Ok(());
            }
            self.messages(keys).await?;
        }
    }

    /// Purges messages, then the bodies that nothing uses any more.
    async fn messages(&mut self, keys: Vec<Key>) -> Result<Vec<Key>, MailstoreError> {
        let gone = self.submit(keys, None).await?;
        self.done.messages += gone.iter().filter(|key| matches!(key, Key::Message(..))).count() as u64;
        let bodies = gone.iter().filter_map(|key| match key {
            Key::Reference(at) => Some(at.body),
            _ => None,
        });
        self.bodies(bodies.collect()).await?;
        Ok(gone)
    }

    async fn bodies(&mut self, bodies: BTreeSet<BodyId>) -> Result<(), MailstoreError> {
        let keys = self.look(move |view| look::bodies_unused(view, &bodies)).await?;
        for key in self.submit(keys, None).await? {
            if let Key::Body(_, file) = key {
                self.done.bodies += 1;
                self.files.extend(file);
            }
        }
        Ok(())
    }

    /// Changes of mailboxes that are further back than any snapshot remembers.
    async fn histories(&mut self, rounds: &mut Rounds) -> Result<(), MailstoreError> {
        let mut mailboxes = std::mem::take(&mut rounds.mailboxes);
        let (old, mailboxes) = self
            .look(move |view| {
                let old = look::histories(view, &mut mailboxes)?;
                Ok((old, mailboxes))
            })
            .await?;
        rounds.mailboxes = mailboxes;
        for (mailbox, floor, keys) in old {
            self.done.changes += self.submit(keys, Some((mailbox, floor))).await?.len() as u64;
        }
        Ok(())
    }

    /// Rows that lead to bodies that are gone, and bodies that nothing leads to.
    async fn index(&mut self, rounds: &mut Rounds) -> Result<(), MailstoreError> {
        let mut at = std::mem::take(rounds);
        let (stale, unused, at) = self
            .look(move |view| {
                let stale = look::index_stale(view, &mut at)?;
                let unused = look::bodies_round(view, &mut at)?;
                Ok((stale, unused, at))
            })
            .await?;
        *rounds = at;
        for keys in stale {
            self.done.index_rows += self.submit(keys, None).await?.len() as u64;
        }
        self.bodies(unused).await
    }

    /// Removes the files of bodies that are gone. By now no start can need them: the view is synced.
    async fn files(&mut self) -> Result<(), MailstoreError> {
        let files = std::mem::take(&mut self.files);
        if files.is_empty() {
            return Ok(());
        }
        self.store
            .blocking(move |inner| {
                inner.shared.view.sync()?;
                files.into_iter().try_for_each(|file| inner.bodies.remove(file))
            })
            .await
    }

    async fn submit(
        &self,
        keys: Vec<Key>,
        floor: Option<(MailboxId, ModSeq)>,
    ) -> Result<Vec<Key>, MailstoreError> {
        if keys.is_empty() {
            return Ok(keys);
        }
        let purge = Purge { keys, floor, until: self.until };
        self.store.submit_bulk(Command::Purge(purge)).await?.purged()
    }

    /// Reads the view where that holds up nobody.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&dyn ViewRead) -> Result<T, MailstoreError> + Send + 'static,
    ) -> Result<T, MailstoreError> {
        self.store.blocking(move |inner| look(&*inner.shared.view.snapshot())).await
    }
}
