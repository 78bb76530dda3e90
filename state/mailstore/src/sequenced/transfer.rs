//! COPY and MOVE.

use journal::Staged;

use crate::apply::arrived;
use crate::command::{Copy, TransferAdd, TransferCommit, TransferPlace};
use crate::counters::Counters;
use crate::entry::{Entry, MessagesCopied, MessagesMoved, TransferAborted, TransferCommitted, TransferRows};
use crate::id::TransferId;
use crate::message_row::{Grouped, Message};
use crate::snapshot::Change;
use crate::{CopyOutcome, MailboxId, MailstoreError, MessageRow, ModSeq, UidSet, UidValidity};

use super::Sequenced;

/// Messages on their way into a mailbox, with their new uids, and the mailbox's counters with them.
struct Arriving {
    messages: Vec<Message>,
    counters: Counters,
}

impl Sequenced {
    pub(super) fn copy(&mut self, copy: &Copy, staged: &mut Staged) -> Result<CopyOutcome, MailstoreError> {
        let uid_validity = self.uid_validity(copy.to)?;
        let messages = self.messages_saved(copy.from, Some(&copy.uids), copy.now)?;
        if messages.is_empty() {
            return Ok(CopyOutcome::nothing(uid_validity));
        }
        let source = uids(&messages);
        self.keywords_fit(copy.to, messages.iter().map(|message| &message.flags))?;
        let Arriving { messages, counters } = self.arriving(copy.to, messages)?;
        let outcome = CopyOutcome::new(uid_validity, source, uids(&messages), counters.modseq);
        let changes = vec![(copy.to, Change::Append(messages.clone()), counters)];
        let copied = MessagesCopied { mailbox: copy.to, counters, messages: Grouped(messages) };
        self.commit_changing(Entry::from(copied), changes, staged);
        Ok(outcome)
    }

    /// The messages leave one mailbox and come into the other in one record, the leaving first.
    pub(super) fn move_messages(
        &mut self,
        copy: &Copy,
        staged: &mut Staged,
    ) -> Result<CopyOutcome, MailstoreError> {
        let uid_validity = self.uid_validity(copy.to)?;
        let messages = self.messages_saved(copy.from, Some(&copy.uids), copy.now)?;
        if messages.is_empty() {
            return Ok(CopyOutcome::nothing(uid_validity));
        }
        self.keywords_fit(copy.to, messages.iter().map(|message| &message.flags))?;
        self.messages_move(copy.from, copy.to, messages, staged)
    }

    /// Moves these messages of `from`.
    pub(super) fn messages_move(
        &mut self,
        from: MailboxId,
        to: MailboxId,
        messages: Vec<Message>,
        staged: &mut Staged,
    ) -> Result<CopyOutcome, MailstoreError> {
        let uid_validity = self.uid_validity(to)?;
        let source = uids(&messages);
        let from_counters = self.leaving(from, &messages)?;
        let Arriving { messages, counters } = self.arriving(to, messages)?;
        let to_counters = if from == to { left(counters, &messages) } else { counters };
        let outcome = CopyOutcome::new(uid_validity, source.clone(), uids(&messages), to_counters.modseq);
        let changes = vec![
            (from, Change::Expunge(source.clone()), from_counters),
            (to, Change::Append(messages.clone()), to_counters),
        ];
        self.pieces_place(from, &source, staged);
        let messages = Grouped(source.iter().zip(messages).collect());
        let moved = MessagesMoved { from, from_counters, to, to_counters, messages };
        self.commit_changing(Entry::from(moved), changes, staged);
        Ok(outcome)
    }

    /// Some messages of a large copy: they are fixed as they are now, and not visible.
    pub(super) fn transfer_add(
        &mut self,
        add: &TransferAdd,
        staged: &mut Staged,
    ) -> Result<UidSet, MailstoreError> {
        let messages = self.messages_saved(add.from, Some(&add.uids), add.now)?;
        let uids = uids(&messages);
        if !messages.is_empty() {
            self.commit(
                TransferRows { transfer: add.transfer, index: add.index, messages: Grouped(messages) },
                staged,
            );
        }
        Ok(uids)
    }

    /// All messages of a large copy become visible, with uids that are the next ones now.
    pub(super) fn transfer_commit(
        &mut self,
        commit: &TransferCommit,
        staged: &mut Staged,
    ) -> Result<CopyOutcome, MailstoreError> {
        let uid_validity = self.uid_validity(commit.to)?;
        let messages = self.applier.transfers().messages(commit.transfer);
        self.keywords_fit(commit.to, messages.iter().map(|message| &message.flags))?;
        let Arriving { messages, counters } = self.arriving(commit.to, messages)?;
        let Some(uid_first) = messages.first().map(|message| message.uid) else {
            return Ok(CopyOutcome::nothing(uid_validity));
        };
        let outcome = CopyOutcome::new(uid_validity, commit.source.clone(), uids(&messages), counters.modseq);
        let changes = vec![(commit.to, Change::Append(messages), counters)];
        let (transfer, mailbox) = (commit.transfer, commit.to);
        let committed = TransferCommitted { transfer, mailbox, counters, uid_first };
        self.commit_changing(Entry::from(committed), changes, staged);
        Ok(outcome)
    }

    pub(super) fn transfer_place(&mut self, place: &TransferPlace, staged: &mut Staged) {
        self.piece_place(place.mailbox, place.transfer, place.index, staged);
    }

    /// Messages that are about to change get rows of their own first.
    pub(super) fn pieces_place(&mut self, mailbox: MailboxId, uids: &UidSet, staged: &mut Staged) {
        for (transfer, index) in self.applier.transfers().unplaced_with(mailbox, uids) {
            self.piece_place(mailbox, transfer, index, staged);
        }
    }

    fn piece_place(&mut self, mailbox: MailboxId, transfer: TransferId, index: u32, staged: &mut Staged) {
        let unplaced = self.applier.transfers().unplaced(mailbox, transfer, index);
        if let Some(placed) = unplaced.filter(|_| self.frame.placed_add(transfer, index)) {
            self.commit(placed, staged);
        }
    }

    pub(super) fn transfer_abort(&mut self, transfer: TransferId, staged: &mut Staged) {
        self.commit(TransferAborted { transfer }, staged);
    }

    fn uid_validity(&self, mailbox: MailboxId) -> Result<UidValidity, MailstoreError> {
        self.names.mailbox(mailbox).map(|row| row.uid_validity).ok_or(MailstoreError::MailboxUnknown)
    }

    /// The messages with these uids, or all, as if they were saved now (RFC 8514 3).
    pub(super) fn messages_saved(
        &mut self,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
        now: i64,
    ) -> Result<Vec<Message>, MailstoreError> {
        let snapshot = self.messages(mailbox)?;
        let saved = |row: MessageRow<'_>| Message { save_date: now, ..row.message() };
        Ok(match uids {
            Some(uids) => snapshot.rows_of(uids).map(saved).collect(),
            None => snapshot.rows().map(saved).collect(),
        })
    }

    fn leaving(&mut self, mailbox: MailboxId, messages: &[Message]) -> Result<Counters, MailstoreError> {
        let counters = left(self.counters(mailbox)?, messages);
        Ok(Counters { modseq: self.modseq_next(), ..counters })
    }

    fn arriving(&mut self, to: MailboxId, messages: Vec<Message>) -> Result<Arriving, MailstoreError> {
        let (first, counters) = self.uids_take(to, messages.len())?;
        let modseq = self.modseq_next();
        let messages = arrived(messages, first, modseq);
        let counters = messages.iter().fold(counters, |counters, message| counters.with(message));
        Ok(Arriving { messages, counters: Counters { modseq, ..counters } })
    }
}

/// Counters without these messages.
fn left(counters: Counters, messages: &[Message]) -> Counters {
    messages.iter().fold(counters, |counters, message| counters.without(&message.flags, message.size))
}

fn uids(messages: &[Message]) -> UidSet {
    messages.iter().map(|message| message.uid).collect()
}

impl CopyOutcome {
    fn new(uid_validity: UidValidity, source: UidSet, destination: UidSet, modseq: ModSeq) -> Self {
        Self { uid_validity, source, destination, modseq }
    }

    fn nothing(uid_validity: UidValidity) -> Self {
        Self::new(uid_validity, UidSet::new(), UidSet::new(), ModSeq::default())
    }
}
