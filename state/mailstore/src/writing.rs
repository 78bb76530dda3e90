//! Changing names and mailboxes.

use address::AccountName;
use disk::Body;

use crate::command::{
    AccountEnsure, Append, Command, Copy, Expunge, MailboxCreate, MailboxDelete, MailboxRename, Reply,
    StoreFlags, Subscribe,
};
use crate::compaction::Key;
use crate::mailstore::now;
use crate::pieces::{InUse, Piece};
use crate::prepare::{Prepared, prepare};
use crate::presentation::Presented;
use crate::transfer::Transfer;
use crate::{
    AppendRequest, Appended, CopyOutcome, EmailId, ExpungeOutcome, FlagChange, MailboxId, MailboxPath,
    Mailstore, MailstoreError, ModSeq, SpecialUse, StoreOutcome, UidSet,
};

/// Messages that one command expunges; further ones go behind what others ask for.
const MESSAGES_MAX: usize = limits::BULK_MESSAGES_MAX;

/// Bytes of a message that is prepared in place; a larger one holds up other tasks too long.
const IN_PLACE_BYTES_MAX: u64 = 64 * 1024;

/// Names.
impl Mailstore {
    /// Makes the inbox of an account, and the mailboxes of the settings, if the account has no inbox; gives the inbox.
    /// The account is subscribed to them.
    pub async fn account_ensure(&self, account: &AccountName) -> Result<MailboxId, MailstoreError> {
        let inbox = self.mailbox_find(&MailboxPath::inbox(account)).and_then(|entry| entry.id);
        if let Some(inbox) = inbox {
            return Ok(inbox);
        }
        let mailboxes = self.inner.account_mailboxes.clone();
        let ensure = AccountEnsure { account: account.clone(), mailboxes, now: now() };
        self.submit(Command::AccountEnsure(ensure)).await?.mailbox()
    }

    /// Makes a mailbox, and the levels of the hierarchy above it (RFC 3501 6.3.3). A name without a mailbox gets one.
    pub async fn mailbox_create(
        &self,
        path: &MailboxPath,
        special_use: Option<SpecialUse>,
    ) -> Result<MailboxId, MailstoreError> {
        let create = MailboxCreate { path: path.clone(), special_use, now: now() };
        self.submit(Command::MailboxCreate(create)).await?.mailbox()
    }

    /// Takes a mailbox out of sight; its name stays while there are names below it (RFC 3501 6.3.4).
    pub async fn mailbox_delete(&self, path: &MailboxPath) -> Result<(), MailstoreError> {
        let delete = MailboxDelete { path: path.clone(), now: now() };
        self.submit(Command::MailboxDelete(delete)).await.map(drop)
    }

    /// Renames a mailbox and all below it. Of the inbox, the messages move to a new mailbox of that name, and the inbox
    /// and the names below it stay (RFC 3501 6.3.5); in one commit, unless they are more than
    /// `limits::RENAME_MESSAGES_MAX`.
    pub async fn mailbox_rename(&self, from: &MailboxPath, to: &MailboxPath) -> Result<(), MailstoreError> {
        let rename = |bytes| {
            let rename = MailboxRename { from: from.clone(), to: to.clone(), now: now(), bytes };
            self.submit(Command::MailboxRename(rename))
        };
        let inbox = self.mailbox_find(from).filter(|_| from.is_inbox()).and_then(|entry| entry.id);
        let Some(inbox) = inbox else { return rename(0).await.map(drop) };
        let using = self.in_use(inbox).await?;
        let Piece { uids, bytes } = using.whole();
        let possible = from.domain() == to.domain() && self.mailbox_find(to).is_none();
        if possible && uids.len() > limits::RENAME_MESSAGES_MAX {
            let mailbox = self.mailbox_create(to, None).await?;
            return self.move_messages(inbox, uids, mailbox).await.map(drop);
        }
        let _placed = using.placed().await;
        rename(bytes).await.map(drop)
    }

    /// Adds a name to what an account has subscribed to; it need not exist (RFC 3501 6.3.6).
    pub async fn subscribe(&self, account: &AccountName, path: &MailboxPath) -> Result<(), MailstoreError> {
        self.subscription(account, path, true).await
    }

    /// Takes a name out of what an account has subscribed to (RFC 3501 6.3.7).
    pub async fn unsubscribe(&self, account: &AccountName, path: &MailboxPath) -> Result<(), MailstoreError> {
        self.subscription(account, path, false).await
    }

    async fn subscription(
        &self,
        account: &AccountName,
        path: &MailboxPath,
        subscribed: bool,
    ) -> Result<(), MailstoreError> {
        let subscribe = Subscribe { account: account.clone(), path: path.clone(), subscribed };
        self.submit(Command::Subscribe(subscribe)).await.map(drop)
    }
}

/// Messages.
impl Mailstore {
    /// Stores a message. The body is scanned, hashed and compressed here, before it waits for the journal.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, MailstoreError> {
        self.append_known(request, None).await
    }

    /// Stores a message that was in a store before; it keeps the id that it had there (RFC 8474 5.1).
    pub async fn append_restored(
        &self,
        request: AppendRequest,
        email_id: EmailId,
    ) -> Result<Appended, MailstoreError> {
        self.append_known(request, Some(email_id)).await
    }

    async fn append_known(
        &self,
        request: AppendRequest,
        email_id: Option<EmailId>,
    ) -> Result<Appended, MailstoreError> {
        let AppendRequest { mailbox, body, flags, internal_date } = request;
        let (prepared, presented) = self.prepare(body).await?;
        let internal_date = internal_date.as_second();
        let append = Append { mailbox, flags, internal_date, now: now(), prepared, email_id };
        let (appended, body) = self.submit(Command::Append(Box::new(append))).await?.appended()?;
        self.inner.bodies.remember(body, presented);
        metrics::counter!("tartan_mailstore_appends_total").increment(1);
        Ok(appended)
    }

    async fn prepare(&self, body: Body) -> Result<(Prepared, Presented), MailstoreError> {
        let bodies = &self.inner.bodies;
        if body.len() <= IN_PLACE_BYTES_MAX && !body.is_file() {
            return prepare(&body, &bodies.disk, &bodies.dir);
        }
        self.room_check()?;
        self.blocking(move |inner| prepare(&body, &inner.bodies.disk, &inner.bodies.dir)).await
    }

    /// Changes flags; with `unchanged_since`, only of messages not changed after that (RFC 7162 3.1.3).
    pub async fn store(
        &self,
        mailbox: MailboxId,
        uids: UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<StoreOutcome, MailstoreError> {
        let using = self.in_use(mailbox).await?;
        let pieces = using.pieces(&uids, change.keyword_bytes());
        let store = |uids, bytes| {
            let change = change.clone();
            Command::Store(StoreFlags { mailbox, uids, change, unchanged_since, bytes })
        };
        if let [piece] = &pieces[..] {
            let _placed = using.placed().await;
            return self.submit(store(uids, piece.bytes)).await?.store();
        }
        let _turn = self.bulk_turn(mailbox).await?;
        let _placed = using.placed().await;
        let mut outcome = StoreOutcome { missing: uids, ..StoreOutcome::default() };
        for piece in pieces {
            outcome.missing = outcome.missing.minus(&piece.uids);
            outcome.join(self.submit_bulk(store(piece.uids, piece.bytes)).await?.store()?);
        }
        Ok(outcome)
    }

    /// Takes messages with `\Deleted` out of sight: all of them, or those among `uids` (UID EXPUNGE, RFC 4315 2.1).
    pub async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: Option<UidSet>,
    ) -> Result<ExpungeOutcome, MailstoreError> {
        let using = self.in_use(mailbox).await?;
        let bytes = using.deleted_bytes();
        let expunge = || {
            let uids = uids.clone();
            Command::Expunge(Expunge { mailbox, uids, messages_max: MESSAGES_MAX, now: now(), bytes })
        };
        let placed = using.placed().await;
        let mut outcome = self.submit(expunge()).await?.expunge()?;
        drop(placed);
        if outcome.uids.len() < MESSAGES_MAX {
            return Ok(outcome);
        }
        let _turn = self.bulk_turn(mailbox).await?;
        let _placed = using.placed().await;
        loop {
            let more = self.submit_bulk(expunge()).await?.expunge()?;
            let last = more.uids.len();
            outcome.join(more);
            if last < MESSAGES_MAX {
                return Ok(outcome);
            }
        }
    }

    /// Copies messages, all or none (RFC 3501 6.4.7). Uids without a message are passed over.
    pub async fn copy(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<CopyOutcome, MailstoreError> {
        let using = self.in_use(from).await?;
        let pieces = using.pieces(&uids, 0);
        if let [piece] = &pieces[..] {
            let copy = Copy { from, uids, to, now: now(), bytes: piece.bytes };
            return self.submit(Command::Copy(copy)).await?.copy();
        }
        if pieces.iter().map(|piece| piece.uids.len()).sum::<usize>() > limits::COPY_MESSAGES_MAX {
            return Err(MailstoreError::CopyTooLarge);
        }
        self.copy_large(using, from, pieces, to).await
    }

    /// Moves messages; each is in one of the two mailboxes at any time (RFC 6851 3.3). Uids without a message are
    /// passed over.
    pub async fn move_messages(
        &self,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Result<CopyOutcome, MailstoreError> {
        let using = self.in_use(from).await?;
        let pieces = using.pieces(&uids, 0);
        let command = |uids, bytes| Command::Move(Copy { from, uids, to, now: now(), bytes });
        if let [piece] = &pieces[..] {
            let _placed = using.placed().await;
            return self.submit(command(uids, piece.bytes)).await?.copy();
        }
        let _turn = self.bulk_turn(from).await?;
        let _placed = using.placed().await;
        let mut moved: Option<CopyOutcome> = None;
        for piece in pieces {
            let more = self.submit_bulk(command(piece.uids, piece.bytes)).await?.copy()?;
            match &mut moved {
                Some(moved) => moved.join(more),
                None => moved = Some(more),
            }
        }
        moved.ok_or(MailstoreError::Unexpected)
    }

    /// Goes on to its end even if the caller does not wait for it.
    async fn copy_large(
        &self,
        using: InUse,
        from: MailboxId,
        pieces: Vec<Piece>,
        to: MailboxId,
    ) -> Result<CopyOutcome, MailstoreError> {
        let store = self.clone();
        let copying = tokio::spawn(async move {
            let _turn = store.bulk_turn(to).await?;
            let copied = Transfer::new(store)?.copy(from, pieces, to).await;
            drop(using);
            copied
        });
        copying.await.map_err(|_| MailstoreError::TaskDied)?
    }
}

impl StoreOutcome {
    fn join(&mut self, more: StoreOutcome) {
        self.modseq = self.modseq.max(more.modseq);
        self.changed.extend(&more.changed);
        self.modified.extend(&more.modified);
        self.missing.extend(&more.missing);
    }
}

impl ExpungeOutcome {
    fn join(&mut self, more: ExpungeOutcome) {
        self.modseq = self.modseq.max(more.modseq);
        self.uids.extend(&more.uids);
    }
}

impl CopyOutcome {
    fn join(&mut self, more: CopyOutcome) {
        self.modseq = self.modseq.max(more.modseq);
        self.source.extend(&more.source);
        self.destination.extend(&more.destination);
    }
}

/// The answer to the question that was asked.
macro_rules! answers {
    ($($name:ident: $variant:ident -> $type:ty),+ $(,)?) => {
        impl Reply {
            $(pub(crate) fn $name(self) -> Result<$type, MailstoreError> {
                match self {
                    Self::$variant(answer) => Ok(answer),
                    _ => Err(MailstoreError::Unexpected),
                }
            })+
        }
    };
}

answers! {
    mailbox: Mailbox -> MailboxId,
    store: Store -> StoreOutcome,
    expunge: Expunge -> ExpungeOutcome,
    copy: Copy -> CopyOutcome,
    transferred: Transferred -> UidSet,
    purged: Purged -> Vec<Key>,
    appended: Appended -> (Appended, crate::BodyId),
}
