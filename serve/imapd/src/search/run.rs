//! A program over the messages of a mailbox, a batch at a time.

use std::sync::Arc;

use disk::Body;
use mailstore::{BodyId, MailboxSnapshot, Mailstore, MailstoreError, MessageRow, Uid};
use message::{Rendered, Structure};

use super::header::Header;
use super::pool::SearchPool;
use super::program::{Candidate, Program};
use super::text::Found;
use super::watch::Watch;
use crate::cmd::fetch::is_damage;
use crate::material::{together, within};
use crate::selected::{RecentUids, Selected};
use crate::uids::Numbered;

/// Messages that are looked at in one turn.
const BATCH_MESSAGES: usize = 128;

/// What a search has found.
#[derive(Default)]
pub(crate) struct Hits {
    pub(crate) messages: Vec<Numbered>,
    /// Messages that the client knows of are gone.
    pub(crate) missing: bool,
}

/// What is searched, and for what: shared with the threads that do it.
pub(crate) struct Searched {
    program: Program,
    snapshot: Arc<MailboxSnapshot>,
    recent: RecentUids,
}

impl Searched {
    pub(crate) fn new(program: Program, snapshot: Arc<MailboxSnapshot>, selected: &Selected) -> Self {
        Self { program, snapshot, recent: selected.recent.clone() }
    }

    /// Tries the program on `messages`. A message that cannot be read matches nothing, and does not keep others from
    /// being found. May be dropped at any time: work on other threads ends soon after.
    pub(crate) async fn run(
        self,
        store: &Mailstore,
        pool: &SearchPool,
        messages: impl Iterator<Item = Numbered>,
    ) -> Result<Hits, MailstoreError> {
        let search = Search { searched: Arc::new(self), store, pool };
        let mut hits = Hits::default();
        let mut messages = messages.peekable();
        while messages.peek().is_some() {
            let batch: Vec<Numbered> = messages.by_ref().take(BATCH_MESSAGES).collect();
            search.batch(&batch, &mut hits).await?;
            tokio::task::yield_now().await;
        }
        Ok(hits)
    }

    fn row(&self, message: Numbered) -> Option<MessageRow<'_>> {
        self.snapshot.find(Uid::new(message.uid)?)
    }

    /// Whether the message passes, so far as that can be said.
    fn holds(&self, message: Numbered, header: Option<&Header>, found: Option<&Found>) -> Option<bool> {
        let Some(row) = self.row(message) else { return Some(false) };
        let candidate = Candidate { seq: message.seq, row: &row, recent: &self.recent, header, found };
        self.program.holds(&candidate)
    }

    fn header(&self, rendered: &Rendered) -> Header {
        Header::read(&rendered.header, self.program.header())
    }
}

/// A message whose row was not enough, and its header.
type Opened = (Numbered, Arc<Rendered>);

/// A message's body, and where its parts are.
type Parsed = (Arc<Structure>, Body);

struct Search<'s> {
    searched: Arc<Searched>,
    store: &'s Mailstore,
    pool: &'s SearchPool,
}

impl Search<'_> {
    async fn batch(&self, batch: &[Numbered], hits: &mut Hits) -> Result<(), MailstoreError> {
        let before = hits.messages.len();
        let mut undecided = Vec::new();
        for message in batch {
            match self.searched.holds(*message, None, None) {
                Some(true) => hits.messages.push(*message),
                Some(false) => hits.missing |= self.searched.row(*message).is_none(),
                None => undecided.push(*message),
            }
        }
        while !undecided.is_empty() {
            let sizes = undecided.iter().map(|message| header_bytes(self.size_of(*message)));
            let later = undecided.split_off(within(sizes, limits::IMAP_SEARCH_HEADER_BYTES_MAX));
            self.read(std::mem::replace(&mut undecided, later), hits).await?;
        }
        hits.messages[before..].sort_unstable_by_key(|message| message.seq);
        Ok(())
    }

    /// Looks into messages whose headers fit in memory: first into these, then into the bodies that are left.
    async fn read(&self, undecided: Vec<Numbered>, hits: &mut Hits) -> Result<(), MailstoreError> {
        let mut left = Vec::new();
        for (opened, holds) in self.by_header(undecided).await? {
            match holds {
                Some(holds) => hits.messages.extend(holds.then_some(opened.0)),
                None => left.push(opened),
            }
        }
        while !left.is_empty() {
            let later = left.split_off(together(left.iter().map(|(message, _)| self.size_of(*message))));
            hits.messages.extend(self.by_body(std::mem::replace(&mut left, later)).await?);
        }
        Ok(())
    }

    async fn by_header(
        &self,
        undecided: Vec<Numbered>,
    ) -> Result<Vec<(Opened, Option<bool>)>, MailstoreError> {
        let turn = self.pool.turn().await;
        let opened = self.opened(undecided).await?;
        let (watch, searched) = (Watch::default(), self.searched.clone());
        let watched = watch.watched();
        let work = move || {
            let tried = opened.into_iter().take_while(|_| watched.is_on()).map(|(message, rendered)| {
                let holds = searched.holds(message, Some(&searched.header(&rendered)), None);
                ((message, rendered), holds)
            });
            tried.collect()
        };
        turn.run(work).await
    }

    /// The headers, read together; one by one where one of them cannot be read.
    async fn opened(&self, undecided: Vec<Numbered>) -> Result<Vec<Opened>, MailstoreError> {
        let located = undecided.into_iter().filter_map(|message| Some((message, self.body_of(message)?)));
        let (messages, bodies): (Vec<Numbered>, Vec<BodyId>) = located.unzip();
        if let Some(all) = readable(self.store.rendered_many(&bodies).await)? {
            return Ok(messages.into_iter().zip(all).collect());
        }
        let mut opened = Vec::new();
        for (message, body) in messages.into_iter().zip(bodies) {
            let rendered = readable(self.store.rendered(body).await)?;
            opened.extend(rendered.map(|rendered| (message, rendered)));
        }
        Ok(opened)
    }

    fn body_of(&self, message: Numbered) -> Option<BodyId> {
        self.searched.row(message).map(|row| row.body)
    }

    fn size_of(&self, message: Numbered) -> u64 {
        self.searched.row(message).map_or(0, |row| row.size)
    }

    /// The messages that pass, of those that are few enough to be read together.
    async fn by_body(&self, opened: Vec<Opened>) -> Result<Vec<Numbered>, MailstoreError> {
        let turn = self.pool.turn().await;
        let (read, searched) = (self.bodies(opened).await?, self.searched.clone());
        let watch = Watch::default();
        let watched = watch.watched();
        let work = move || -> std::io::Result<Vec<Numbered>> {
            let mut passed = Vec::new();
            for ((message, rendered), (structure, body)) in read.into_iter().take_while(|_| watched.is_on()) {
                let found = Found::in_body(searched.program.needles(), &body, &structure, &watched)?;
                let header = searched.header(&rendered);
                let holds = searched.holds(message, Some(&header), Some(&found)).unwrap_or(false);
                passed.extend(holds.then_some(message));
            }
            Ok(passed)
        };
        Ok(turn.run(work).await??)
    }

    /// Their bodies, read together; one by one where one of them cannot be read.
    async fn bodies(&self, opened: Vec<Opened>) -> Result<Vec<(Opened, Parsed)>, MailstoreError> {
        let located = opened.into_iter().filter_map(|opened| Some((self.body_of(opened.0)?, opened)));
        let (bodies, opened): (Vec<BodyId>, Vec<Opened>) = located.unzip();
        if let Some(all) = readable(self.store.body_many(&bodies).await)? {
            return Ok(opened.into_iter().zip(all).collect());
        }
        let mut read = Vec::new();
        for (opened, body) in opened.into_iter().zip(bodies) {
            let one = readable(self.store.body_many(&[body]).await)?;
            read.extend(one.into_iter().flatten().map(|parsed| (opened.clone(), parsed)));
        }
        Ok(read)
    }
}

/// What is kept of the header of a message of that size, at most.
fn header_bytes(size: u64) -> u64 {
    size.min(limits::HEADER_BYTES_MAX as u64)
}

/// None for a message that is damaged, which is logged.
fn readable<T>(read: Result<T, MailstoreError>) -> Result<Option<T>, MailstoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => is_damage(&error).map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_far_as_they_fit_in_memory() {
        let read_together = |size: u64| {
            let sizes = std::iter::repeat_n(header_bytes(size), BATCH_MESSAGES);
            within(sizes, limits::IMAP_SEARCH_HEADER_BYTES_MAX)
        };
        assert_eq!(read_together(8 * 1024), BATCH_MESSAGES, "usual messages are read in one turn");
        let large = read_together(u64::MAX);
        assert!(large * limits::HEADER_BYTES_MAX <= limits::IMAP_SEARCH_HEADER_BYTES_MAX && large > 1);
    }
}
