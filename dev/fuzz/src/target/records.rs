//! The records of the mail store and of the queue, as a journal holds them: the stores are opened on them.

use crate::cuts::split;
use address::{AccountName, Address, Domain, Envelope, MailParams, Recipient, ReversePath};
use disk::{Body, FaultDisk};
use jiff::Timestamp;
use journal::{Class, Journal, JournalSettings, LocalJournal, Lsn, Record};
use mailstore::{
    AppendRequest, FlagChange, Flags, Keyword, MailboxPath, Mailstore, MailstoreSettings, SystemFlag,
};
use spool::{NextHop, Origin, Route, Routed, Spool, SpoolSettings};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

const DIR: &str = "/store";

/// A journal of any records, each a kind, a class, a length of two bytes and its bytes: a store opens on it or says
/// why not, the same at each start; it never panics.
pub fn open(bytes: &[u8]) {
    let ([which], input) = split::<1>(bytes);
    let disk = FaultDisk::new();
    let journal = journal(&disk);
    let records = records(input);
    if !records.is_empty() {
        journal.append(journal.epoch(), &records).expect("a healthy disk");
    }
    journal.close().expect("a healthy disk");
    drop(journal);
    let opens = if which & 1 == 0 { mailstore_opens } else { spool_opens };
    let first = opens(&disk);
    assert_eq!(first, opens(&disk));
}

fn journal(disk: &FaultDisk) -> LocalJournal {
    let dir = Path::new(DIR).join("journal");
    LocalJournal::open(Arc::new(disk.clone()), &dir, JournalSettings::default(), Lsn::ZERO)
        .expect("a healthy disk")
}

fn records(mut input: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(([kind, class, low, high], rest)) = input.split_first_chunk::<4>() {
        let (bytes, rest) = rest.split_at(usize::from(u16::from_le_bytes([*low, *high])).min(rest.len()));
        let class = if class & 1 == 0 { Class::State } else { Class::Body };
        records.push(Record { kind: u16::from(*kind), class, bytes: bytes.to_vec().into() });
        input = rest;
    }
    records
}

fn mailstore_settings() -> MailstoreSettings {
    MailstoreSettings { account_mailboxes: Vec::new(), ..MailstoreSettings::in_memory(DIR) }
}

fn mailstore_opens(disk: &FaultDisk) -> bool {
    let opened = Mailstore::open(mailstore_settings(), Arc::new(disk.clone()));
    opened.map(|store| drop(store.stop())).is_ok()
}

fn spool_settings() -> SpoolSettings {
    SpoolSettings { dir: PathBuf::from(DIR), ..SpoolSettings::default() }
}

fn spool_opens(disk: &FaultDisk) -> bool {
    let opened = Spool::open_in_memory(spool_settings(), Arc::new(disk.clone()));
    opened.map(|spool| drop(spool.stop())).is_ok()
}

/// The records of a small mail store and of a small queue, all of them and each alone.
pub fn seeds() -> Vec<Vec<u8>> {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let stores = [(0, mailstore_records(&runtime)), (1, spool_records(&runtime))];
    stores.into_iter().flat_map(|(which, records)| with_each_alone(which, &records)).collect()
}

fn with_each_alone(which: u8, records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let alone = records.iter().map(|record| [&[which], &record[..]].concat());
    alone.chain([[&[which], &records.concat()[..]].concat()]).collect()
}

/// The records on a disk, as [`open`] reads them.
fn written(disk: &FaultDisk) -> Vec<Vec<u8>> {
    let journal = journal(disk);
    let frames = journal.read(Lsn(1)).expect("a sound journal");
    let records = frames.flat_map(|frame| frame.expect("a sound frame").records);
    let encoded = records.filter_map(|stored| {
        let Record { kind, class, bytes } = stored.record;
        let [low, high] = u16::try_from(bytes.len()).ok()?.to_le_bytes();
        Some([&[u8::try_from(kind).ok()?, u8::from(class == Class::Body), low, high], &bytes[..]].concat())
    });
    encoded.collect()
}

fn mailstore_records(runtime: &Runtime) -> Vec<Vec<u8>> {
    let disk = FaultDisk::new();
    let store = Mailstore::open(mailstore_settings(), Arc::new(disk.clone())).expect("a new store");
    runtime.block_on(mailstore_history(&store));
    store.stop().expect("a healthy disk");
    drop(store);
    written(&disk)
}

/// Something of each kind.
async fn mailstore_history(store: &Mailstore) {
    let account = AccountName::parse("alice@example.org").expect("an account");
    let inbox = store.account_ensure(&account).await.expect("an inbox");
    let other = MailboxPath::personal(&account, &["other"]).expect("a path");
    let other = store.mailbox_create(&other, None).await.expect("a mailbox");
    for subject in ["one", "two"] {
        let text = format!("Subject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\n{subject}\r\n");
        let body = Body::from_bytes(text.into_bytes());
        let request =
            AppendRequest { mailbox: inbox, body, flags: Flags::EMPTY, internal_date: Timestamp::UNIX_EPOCH };
        store.append(request).await.expect("a message");
    }
    let keyword = Keyword::parse("$Junk").expect("a keyword");
    let flags = Flags::new([SystemFlag::Deleted], [keyword]).expect("flags");
    let all = || store_uids(store, inbox);
    store.copy(inbox, all().await, other).await.expect("a copy");
    store.store(inbox, all().await, FlagChange::Add(flags), None).await.expect("flags");
    store.expunge(inbox, None).await.expect("an expunge");
    store.move_messages(other, store_uids(store, other).await, inbox).await.expect("a move");
}

async fn store_uids(store: &Mailstore, mailbox: mailstore::MailboxId) -> mailstore::UidSet {
    let snapshot = store.snapshot(mailbox).await.expect("a snapshot");
    snapshot.rows().map(|row| row.uid).collect()
}

fn spool_records(runtime: &Runtime) -> Vec<Vec<u8>> {
    let disk = FaultDisk::new();
    let spool = Spool::open_in_memory(spool_settings(), Arc::new(disk.clone())).expect("a new queue");
    runtime.block_on(async {
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..2 {
            let accepted = spool.accept(routed(&spool)).await.expect("it is accepted");
            spool.hold(accepted.queue_id(), "for a while", now).await.expect("it is held");
            spool.delete(accepted.queue_id(), now).await.expect("it is deleted");
        }
    });
    spool.stop().expect("a healthy disk");
    drop(spool);
    written(&disk)
}

fn routed(spool: &Spool) -> Routed {
    let arrival = Timestamp::UNIX_EPOCH;
    let recipient = Recipient::new(Address::parse("to@example.org").expect("an address"));
    let next_hop = NextHop::Mx { domain: Domain::parse("example.org").expect("a domain") };
    Routed {
        queue_id: spool.queue_id_next(arrival),
        origin: Origin {
            role: "mx".into(),
            session: Some("session".into()),
            peer: "192.0.2.1:4321".into(),
            helo: "client.example.com".into(),
            account: None,
            tls: true,
            arrival,
        },
        envelope: Envelope {
            reverse_path: ReversePath::parse("<from@example.org>").expect("a path"),
            recipients: vec![recipient.clone()],
            params: MailParams::default(),
        },
        body: Body::from_bytes(b"Subject: x\r\n\r\nbody\r\n".to_vec()),
        routes: vec![Route::new(recipient, next_hop)],
        hold: None,
        notes: Vec::new(),
    }
}
