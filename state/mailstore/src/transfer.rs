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
mod tests {
    use std::sync::Arc;

    use address::AccountName;
    use disk::{Body, Crash, FaultDisk};
    use jiff::Timestamp;
    use journal::{Lsn, MemoryView, View, ViewBatch};

    use super::*;
    use crate::apply::Applier;
    use crate::rows::TABLES;
    use crate::{AppendRequest, FlagChange, Flags, MailstoreSettings, SystemFlag, Uid};

    struct Bench {
        disk: FaultDisk,
        store: Mailstore,
        inbox: MailboxId,
    }

    fn settings() -> MailstoreSettings {
        MailstoreSettings { account_mailboxes: Vec::new(), ..MailstoreSettings::in_memory("m") }
    }

    fn uids(numbers: impl IntoIterator<Item = u32>) -> UidSet {
        numbers.into_iter().filter_map(Uid::new).collect()
    }

    impl Bench {
        /// A store with four messages.
        async fn new() -> Self {
            Self::open(settings(), FaultDisk::new()).await
        }

        async fn open(settings: MailstoreSettings, disk: FaultDisk) -> Self {
            let store = Mailstore::open(settings, Arc::new(disk.clone())).unwrap();
            let inbox =
                store.account_ensure(&AccountName::parse("alice@example.org").unwrap()).await.unwrap();
            for _ in 0..4 {
                let body = Body::from_bytes(&b"Subject: s\r\n\r\nbody\r\n"[..]);
                let internal_date = Timestamp::UNIX_EPOCH;
                let request = AppendRequest { mailbox: inbox, body, flags: Flags::EMPTY, internal_date };
                store.append(request).await.unwrap();
            }
            Self { disk, store, inbox }
        }

        async fn add(&self, transfer: TransferId, pieces: &[&[u32]]) {
            for (index, piece) in (0u32..).zip(pieces) {
                let (from, uids) = (self.inbox, uids(piece.iter().copied()));
                let add = TransferAdd { transfer, index, from, uids, now: 0, bytes: 0 };
                self.store.submit(Command::TransferAdd(add)).await.unwrap();
            }
        }

        /// A copy of the four messages, in pieces of two, that has been committed and not placed.
        async fn committed(&self) {
            let transfer = TransferId(7);
            self.add(transfer, &[&[1, 2], &[3, 4]]).await;
            let commit = TransferCommit { transfer, to: self.inbox, source: uids(1..=4), bytes: 0 };
            self.store.submit(Command::TransferCommit(commit)).await.unwrap();
        }

        async fn numbers(&self) -> Vec<u32> {
            let snapshot = self.store.snapshot(self.inbox).await.unwrap();
            snapshot.rows().map(|row| row.uid.number()).collect()
        }

        /// Lets what is in memory go, so that it is read from the view.
        fn forget(&self) {
            self.store.inner.shared.slot(self.inbox).unwrap().evict();
        }

        fn unplaced(&self) -> usize {
            use journal::{KeyRange, Order};
            let view = self.store.inner.shared.view.snapshot();
            view.scan(crate::rows::UNPLACED, KeyRange::all(), Order::Forward).unwrap().count()
        }

        fn check(&self) {
            assert_eq!(self.store.differences().unwrap(), []);
        }
    }

    #[tokio::test]
    async fn messages_that_are_not_placed_yet_are_read_and_changed_like_others() {
        let mut bench = Bench::new().await;
        bench.committed().await;
        bench.forget();
        assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 6, 7, 8]);
        let deleted = FlagChange::Add(Flags::from_iter([SystemFlag::Deleted]));
        bench.store.store(bench.inbox, uids([6]), deleted, None).await.unwrap();
        assert_eq!(bench.unplaced(), 1, "only the piece that the change meets is placed");
        bench.store.expunge(bench.inbox, None).await.unwrap();
        bench.store.move_messages(bench.inbox, uids([8]), bench.inbox).await.unwrap();
        bench.forget();
        assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 7, 9]);
        bench.check();
        bench.disk.crash(Crash::Power);
        bench.store = Mailstore::open(settings(), Arc::new(bench.disk.clone())).unwrap();
        assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 7, 9]);
        bench.check();
    }

    #[tokio::test]
    async fn what_a_crash_left_unplaced_is_placed_at_the_next_start() {
        let mut bench = Bench::new().await;
        bench.committed().await;
        let row = bench.store.status(bench.inbox).await.unwrap();
        assert_eq!((row.messages, row.recent, bench.unplaced()), (8, 8, 1));
        bench.disk.crash(Crash::Power);
        bench.store = Mailstore::open(settings(), Arc::new(bench.disk.clone())).unwrap();
        assert_eq!(bench.unplaced(), 0);
        assert_eq!(bench.numbers().await, [1, 2, 3, 4, 5, 6, 7, 8]);
        bench.check();
    }

    #[tokio::test]
    async fn bodies_of_an_open_transfer_are_referred_to() {
        let bench = Bench::new().await;
        let body = bench.store.snapshot(bench.inbox).await.unwrap().row(1).unwrap().body;
        bench.add(TransferId(9), &[&[1, 2]]).await;
        assert_eq!(bench.store.body_references(body).unwrap(), 2);
        bench.store.submit(Command::TransferAbort(TransferId(9))).await.unwrap();
        assert_eq!(bench.store.body_references(body).unwrap(), 1);
        bench.check();
    }

    /// Applies all records from `from` on, each `times` times.
    fn replay(bench: &Bench, view: &MemoryView, from: Lsn, times: usize) {
        let mut applier = Applier::load(view).unwrap();
        for frame in bench.store.inner.journal.read(from).unwrap() {
            for stored in frame.unwrap().records.iter().filter(|stored| stored.lsn() >= from) {
                for _ in 0..times {
                    let mut batch = ViewBatch::new();
                    applier.apply(&stored.record, &stored.place, &mut batch).unwrap();
                    view.apply(stored.lsn(), batch).unwrap();
                }
            }
        }
    }

    #[tokio::test]
    async fn records_that_are_replayed_twice_change_nothing() {
        let bench = Bench::new().await;
        bench.committed().await;
        let committed = Lsn(bench.store.inner.journal.lsn_next().0 - 1);
        for index in 0..2 {
            let place = TransferPlace { mailbox: bench.inbox, transfer: TransferId(7), index, bytes: 0 };
            bench.store.submit(Command::TransferPlace(place)).await.unwrap();
        }
        assert_eq!(bench.unplaced(), 0);
        let maintained = bench.store.inner.shared.view.snapshot();
        let view = MemoryView::new(&TABLES);
        replay(&bench, &view, Lsn::FIRST, 2);
        assert_eq!(crate::check::differences(&*maintained, &view).unwrap(), []);
        replay(&bench, &view, committed, 1);
        assert_eq!(
            crate::check::differences(&*maintained, &view).unwrap(),
            [],
            "also without what came before"
        );
        replay(&bench, &view, Lsn::FIRST, 1);
        assert_eq!(crate::check::differences(&*maintained, &view).unwrap(), [], "also from the beginning");
    }

    /// Lets all segments go that can.
    async fn compact(store: &Mailstore) -> journal::CompactionReport {
        let (store, eager) = (store.clone(), journal::CompactionSettings::eager());
        let settings = journal::CompactionSettings { live_share_max: 2.0, ..eager };
        tokio::task::spawn_blocking(move || store.compact(settings)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn segments_of_a_large_copy_wait_for_its_end_and_go_then() {
        let disk = FaultDisk::new();
        let settings = MailstoreSettings { segment_bytes: 256, ..settings() };
        let mut bench = Bench::open(settings.clone(), disk.clone()).await;
        bench.committed().await;
        let waiting = compact(&bench.store).await;
        assert!(waiting.stuck.iter().any(|(_, why)| why.contains("under way")), "{waiting}");
        bench.check();
        for index in 0..2 {
            let (mailbox, transfer) = (bench.inbox, TransferId(7));
            let place = TransferPlace { mailbox, transfer, index, bytes: 0 };
            bench.store.submit(Command::TransferPlace(place)).await.unwrap();
            compact(&bench.store).await;
            bench.check();
        }
        let done = compact(&bench.store).await;
        assert!(done.compacted > 0 && done.stuck.is_empty(), "{done}");
        bench.check();
        disk.crash(Crash::Power);
        bench.store = Mailstore::open(settings, Arc::new(disk)).unwrap();
        assert_eq!((bench.unplaced(), bench.numbers().await), (0, vec![1, 2, 3, 4, 5, 6, 7, 8]));
        bench.check();
    }

    #[tokio::test]
    async fn a_transfer_that_is_let_go_is_aborted() {
        let bench = Bench::new().await;
        let transfer = Transfer::new(bench.store.clone()).unwrap();
        bench.add(transfer.id, &[&[1, 2]]).await;
        let body = bench.store.snapshot(bench.inbox).await.unwrap().row(1).unwrap().body;
        let dying = tokio::spawn(async move {
            let _transfer = transfer;
            panic!("as a bug would have it");
        });
        assert!(dying.await.is_err());
        // Bulk work comes behind what was submitted while the task died.
        let behind = TransferPlace { mailbox: bench.inbox, transfer: TransferId(0), index: 0, bytes: 0 };
        bench.store.submit_bulk(Command::TransferPlace(behind)).await.unwrap();
        assert_eq!(bench.store.body_references(body).unwrap(), 1);
        bench.check();
    }

    #[tokio::test]
    async fn a_transfer_that_is_let_go_while_its_commit_waits_is_there_as_a_whole() {
        let bench = Bench::new().await;
        for round in 1..=20 {
            let transfer = Transfer::new(bench.store.clone()).unwrap();
            bench.add(transfer.id, &[&[1, 2]]).await;
            let (to, source) = (bench.inbox, uids(1..=2));
            let commit = TransferCommit { transfer: transfer.id, to, source, bytes: 0 };
            tokio::select! {
                biased;
                _ = bench.store.submit_bulk(Command::TransferCommit(commit)) => {}
                () = std::future::ready(()) => {}
            }
            drop(transfer);
            let behind = TransferPlace { mailbox: to, transfer: TransferId(0), index: 0, bytes: 0 };
            bench.store.submit_bulk(Command::TransferPlace(behind)).await.unwrap();
            bench.forget();
            assert_eq!(bench.store.status(to).await.unwrap().messages, 4 + 2 * round);
            assert_eq!(bench.numbers().await.len() as u32, 4 + 2 * round);
        }
        bench.check();
    }

    #[tokio::test]
    async fn a_change_keeps_its_mailbox_in_memory_whatever_the_budget_is() {
        let bench = Bench::new().await;
        bench.store.inner.shared.slot(bench.inbox).unwrap().evict();
        let using = bench.store.in_use(bench.inbox).await.unwrap();
        bench.forget();
        assert!(bench.store.inner.shared.slot(bench.inbox).unwrap().published().is_some());
        let pieces = using.pieces(&uids(1..=4), 0);
        assert!(pieces.len() == 1 && pieces[0].bytes >= 4 * MESSAGE_BYTES);
        drop(using);
        bench.forget();
        assert!(bench.store.inner.shared.slot(bench.inbox).unwrap().published().is_none());
    }

    #[tokio::test]
    async fn a_command_weighs_what_it_makes_the_store_hold() {
        let bench = Bench::new().await;
        let keywords = (0..8).map(|n| crate::Keyword::parse(&format!("{n:0250}")).unwrap());
        let long = FlagChange::Add(Flags::new([], keywords).unwrap());
        let light = bench.store.in_use(bench.inbox).await.unwrap().whole().bytes;
        bench.store.store(bench.inbox, uids(1..=4), long.clone(), None).await.unwrap();
        let using = bench.store.in_use(bench.inbox).await.unwrap();
        assert!(using.whole().bytes > light + 4 * 2_000);
        let bytes = using.pieces(&uids(1..=4), long.keyword_bytes())[0].bytes;
        assert!(bytes > light + 8 * 2_000);
        let (from, to, uids) = (bench.inbox, bench.inbox, uids(1..=4));
        let command = Command::Copy(crate::command::Copy { from, uids, to, now: 0, bytes });
        assert!(command.weight() > bytes);
    }
}
