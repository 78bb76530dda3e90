//! A store on a disk in memory.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::sync::Arc;

use address::AccountName;
use disk::{Body, Crash, FaultDisk};
use jiff::Timestamp;
use mailstore::{
    AppendRequest, Appended, FlagChange, Flags, MailboxId, MailboxPath, Mailstore, MailstoreSettings, ModSeq,
    SystemFlag, Uid, UidSet,
};

pub fn alice() -> AccountName {
    AccountName::parse("alice@example.org").unwrap()
}

pub fn path(components: &[&str]) -> MailboxPath {
    MailboxPath::personal(&alice(), components).unwrap()
}

pub fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

pub fn uids(numbers: impl IntoIterator<Item = u32>) -> UidSet {
    numbers.into_iter().map(uid).collect()
}

pub fn flags(flags: &[SystemFlag]) -> Flags {
    flags.iter().copied().collect()
}

/// Settings of a store on a `FaultDisk`, without mailboxes besides the inbox.
pub fn settings() -> MailstoreSettings {
    MailstoreSettings {
        account_mailboxes: Vec::new(),
        segment_bytes: 64 * 1024,
        ..MailstoreSettings::in_memory("m")
    }
}

/// A store and the disk below it.
pub struct Bench {
    pub disk: FaultDisk,
    pub store: Mailstore,
    pub inbox: MailboxId,
}

impl Bench {
    pub async fn new() -> Self {
        let disk = FaultDisk::new();
        let store = Mailstore::open(settings(), Arc::new(disk.clone())).unwrap();
        let inbox = store.account_ensure(&alice()).await.unwrap();
        Self { disk, store, inbox }
    }

    /// The machine dies and comes back.
    pub fn crash(&mut self, crash: Crash) {
        self.disk.crash(crash);
        self.store = Mailstore::open(settings(), Arc::new(self.disk.clone())).unwrap();
    }

    pub fn reopen(&mut self) {
        self.store.stop().unwrap();
        self.store = Mailstore::open(settings(), Arc::new(self.disk.clone())).unwrap();
    }

    pub async fn append(&self, subject: &str) -> Appended {
        self.append_to(self.inbox, &message(subject), Flags::EMPTY).await
    }

    pub async fn append_to(&self, mailbox: MailboxId, message: &str, flags: Flags) -> Appended {
        self.store.append(request(mailbox, message, flags)).await.unwrap()
    }

    pub async fn delete(&self, mailbox: MailboxId, numbers: impl IntoIterator<Item = u32>) -> UidSet {
        let deleted = FlagChange::Add(flags(&[SystemFlag::Deleted]));
        self.store.store(mailbox, uids(numbers), deleted, None).await.unwrap();
        self.store.expunge(mailbox, None).await.unwrap().uids
    }

    pub async fn uids(&self, mailbox: MailboxId) -> Vec<u32> {
        self.store.snapshot(mailbox).await.unwrap().rows().map(|row| row.uid.number()).collect()
    }

    pub async fn modseq(&self, mailbox: MailboxId) -> ModSeq {
        self.store.status(mailbox).await.unwrap().highest_modseq
    }

    /// The view is what the journal says, and what readers see is what the view says.
    pub fn check(&self) {
        let differences = self.store.differences().unwrap();
        assert!(differences.is_empty(), "{}", differences[0]);
    }
}

pub fn request(mailbox: MailboxId, message: &str, flags: Flags) -> AppendRequest {
    let internal_date = Timestamp::from_second(1_700_000_000).unwrap();
    AppendRequest { mailbox, body: Body::from_bytes(message.as_bytes().to_vec()), flags, internal_date }
}

pub fn message(subject: &str) -> String {
    format!(
        "From: a@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nbody of {subject}\r\n"
    )
}
