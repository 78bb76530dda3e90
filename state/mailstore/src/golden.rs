//! What records looked like when their version was made. A change here is a change of the format on disk: the old form
//! must stay readable.

use bytes::Bytes;
use journal::{KeyRange, Lsn, MemoryView, Order, Place, Record, Row, Table, View, ViewBatch, ViewRead};

use crate::apply::Applier;
use crate::compaction::{ExpungedAt, Key, ReferenceAt, Removed, Restated, Stated, keys};
use crate::counters::Counters;
use crate::entry::*;
use crate::id::{NameId, TransferId};
use crate::message_row::{Grouped, Message};
use crate::rows::{
    self, Arrival, ChangeKind, ChangeRow, ExpungedRow, Marks, ReferenceRow, ThreadKey, ThreadRow,
};
use crate::{
    BodyId, EmailId, Flags, Keyword, MailboxId, MailboxPath, ModSeq, SpecialUse, SystemFlag, ThreadId, Uid,
    UidSet, UidValidity,
};

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn flags() -> Flags {
    Flags::new([SystemFlag::Seen], [Keyword::parse("$Junk").unwrap()]).unwrap()
}

fn counters(modseq: u64) -> Counters {
    let modseq = ModSeq::new(modseq);
    let (uid_next, recent_from) = (uid(300), uid(7));
    Counters { uid_next, modseq, messages: 5, unseen: 4, deleted: 3, bytes: 70_000, recent_from }
}

fn message(number: u32) -> Message {
    Message {
        uid: uid(number),
        modseq: ModSeq::new(9),
        flags: flags(),
        internal_date: 1_700_000_000,
        save_date: -1,
        size: 1_234,
        body: BodyId(42),
        email_id: EmailId(0x0102),
        thread_id: ThreadId(0x0304),
    }
}

fn path() -> MailboxPath {
    let account = address::AccountName::parse("alice@example.org").unwrap();
    MailboxPath::personal(&account, &["a", "b"]).unwrap()
}

fn groups() -> Vec<(Flags, UidSet)> {
    vec![(flags(), [uid(1), uid(2), uid(9)].into_iter().collect())]
}

fn mailbox_row() -> MailboxRow {
    let (id, uid_validity) = (MailboxId(0x11), UidValidity::new(77).unwrap());
    let (modseq, special_use) = (ModSeq::new(9), Some(SpecialUse::Junk));
    MailboxRow { id, uid_validity, special_use, created: 5, modseq, deleted: None }
}

/// One of each kind.
fn entries() -> Vec<Entry> {
    let (mailbox, transfer) = (MailboxId(0x11), TransferId(0x22));
    let counters = counters(9);
    let thread_keys = ThreadKeys { message_ids: vec![[1; 16]], subject: [2; 8] };
    let deleted = Some(MailboxDeleted { at: 6, path: path() });
    let modseq = ModSeq::new(9);
    vec![
        BodyStored {
            body: BodyId(42),
            hash: [3; 32],
            size: 1_234,
            file: Some(FileId([4; 16])),
            presentation: Bytes::from_static(b"p"),
        }
        .into(),
        MessageAppended { mailbox, counters, message: message(8), owner: NameId(0x33), thread_keys }.into(),
        FlagsSet { mailbox, counters, groups: groups() }.into(),
        MessagesExpunged { mailbox, counters, at: 6, groups: groups() }.into(),
        MessagesCopied { mailbox, counters, messages: Grouped(vec![message(8), message(9)]) }.into(),
        MessagesMoved {
            from: mailbox,
            from_counters: counters,
            to: MailboxId(0x12),
            to_counters: counters,
            messages: Grouped(vec![(uid(2), message(8))]),
        }
        .into(),
        TransferRows { transfer, index: 1, messages: Grouped(vec![message(8), message(9)]) }.into(),
        TransferCommitted { transfer, mailbox, counters, uid_first: uid(300) }.into(),
        TransferAborted { transfer }.into(),
        NameRow {
            id: NameId(1),
            parent: NameId(2),
            kind: NameKind::Component,
            text: "a".into(),
            mailbox: Some(mailbox),
            modseq,
        }
        .into(),
        NameRemoved { id: NameId(1), modseq }.into(),
        MailboxRow { deleted, ..mailbox_row() }.into(),
        SubscriptionSet { owner: NameId(0x33), path: path(), subscribed: true }.into(),
        MailboxCreated { mailbox: mailbox_row() }.into(),
        TransferPlacedOnly { mailbox, transfer, index: 3 }.into(),
        Restated { things: things() }.into(),
        Removed { keys: things().iter().map(Stated::key).chain(gone()).collect() }.into(),
        TransferPlaced { mailbox, transfer, index: 3, record: 77, messages: Grouped(vec![message(8)]) }
            .into(),
    ]
}

/// One of each thing that can be said again.
fn things() -> Vec<Stated> {
    let (mailbox, body, modseq) = (MailboxId(0x11), BodyId(42), ModSeq::new(9));
    let name = NameRow {
        id: NameId(1),
        parent: NameId(2),
        kind: NameKind::Component,
        text: "a".into(),
        mailbox: Some(mailbox),
        modseq,
    };
    let key = ThreadKey { owner: NameId(0x33), message_id: [1; 16], subject: [2; 8] };
    let uids: UidSet = [uid(1), uid(2), uid(9)].into_iter().collect();
    vec![
        Stated::Marks(Marks { modseq, body: 42, uid_validity: 77 }),
        Stated::Name(name),
        Stated::Mailbox(mailbox_row(), counters(9)),
        Stated::Floor(mailbox, modseq),
        Stated::Subscription(NameId(0x33), path()),
        Stated::Keyword(mailbox, "$junk".into()),
        Stated::Message(mailbox, message(8), Some(6)),
        Stated::Reference(
            ReferenceAt { body, mailbox, uid: uid(8) },
            ReferenceRow { arrival: Arrival::Moved, from: Some(MailboxId(0x12)), record: 77 },
        ),
        Stated::Change(mailbox, modseq, ChangeRow { kind: ChangeKind::Gone, uids: uids.clone(), record: 77 }),
        Stated::Expunged(ExpungedAt::new(6, mailbox, modseq), ExpungedRow { uids, record: 77 }),
        Stated::MessageId([1; 16], body),
        Stated::Thread(key, ThreadRow { thread: ThreadId(0x0304), body }),
    ]
}

/// Things that are never said again in this way, but can be gone.
fn gone() -> [Key; 3] {
    [
        Key::Body(BodyId(42), Some(FileId([4; 16]))),
        Key::Body(BodyId(42), None),
        Key::Transfer(TransferId(0x22)),
    ]
}

/// Kind and bytes of each, in the form of version 1.
const VERSION_1: &str = include_str!("golden.txt");

/// The same of the first kinds, as they were written before large copies could be compacted.
const FIRST_KINDS: &str = include_str!("golden_first.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn records_are_written_in_the_form_of_version_1() {
    let written: Vec<_> = entries()
        .iter()
        .map(Entry::record)
        .map(|record| format!("{} {}\n", record.kind, hex(&record.bytes)))
        .collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/golden.txt"), written.concat()).unwrap();
    }
    assert_eq!(written.concat(), VERSION_1);
}

fn read(golden: &str) -> Vec<Entry> {
    let read = golden.lines().map(|line| {
        let (kind, bytes) = line.split_once(' ').unwrap();
        Entry::decode(&Record::state(kind.parse().unwrap(), unhex(bytes))).unwrap()
    });
    read.collect()
}

#[test]
fn records_of_version_1_are_read() {
    assert_eq!(read(VERSION_1), entries());
    assert_eq!(read(FIRST_KINDS), entries()[..15]);
}

#[test]
fn records_of_large_copies_that_hang_on_each_other_are_known_as_such() {
    let entangled = FIRST_KINDS.lines().filter(|line| {
        let (kind, bytes) = line.split_once(' ').unwrap();
        let record = Record::state(kind.parse().unwrap(), unhex(bytes));
        keys(&record).unwrap().contains(&Key::Entangled)
    });
    let kinds: Vec<_> = entangled.map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(kinds, ["8", "9", "16"]);
    assert!(
        entries().iter().all(|entry| !ENTANGLED[..2].contains(&entry.record().kind)),
        "no new ones are written"
    );
}

#[test]
fn every_row_that_a_record_writes_is_a_row_of_a_thing_that_it_speaks_of() {
    for entry in entries() {
        let record = entry.record();
        let keys = keys(&record).unwrap();
        let of_transfers = |table| {
            let transfers = [rows::TRANSFERS, rows::TRANSFER_REFERENCES, rows::UNPLACED];
            transfers.contains(&table) && keys.iter().any(|key| matches!(key, Key::Transfer(_)))
        };
        let known: Vec<_> = keys.iter().flat_map(Key::rows).collect();
        for (table, key) in written(&record) {
            assert!(of_transfers(table) || known.contains(&(table, key)), "{entry:?}: {table:?}");
        }
    }
}

/// The rows that a record puts into an empty view.
fn written(record: &Record) -> Vec<(Table, Bytes)> {
    let place = Place { lsn: Lsn(5), segment: Lsn(1), offset: 0, len: 0, checksum: 0 };
    let mut batch = ViewBatch::new();
    Applier::default().apply(record, &place, &mut batch).unwrap();
    let view = MemoryView::new(&rows::TABLES);
    view.apply(Lsn(5), batch).unwrap();
    let row = |table: Table| move |row: Result<Row, _>| (table, row.unwrap().0);
    let rows_of = |table| view.scan(table, KeyRange::all(), Order::Forward).unwrap().map(row(table));
    rows::TABLES.into_iter().flat_map(rows_of).collect()
}

#[test]
fn a_record_of_an_unknown_kind_or_version_is_refused() {
    assert!(Entry::decode(&Record::state(99, vec![1])).is_err());
    let mut newer = entries()[8].record();
    newer.bytes = [&[2], &newer.bytes[1..]].concat().into();
    assert!(Entry::decode(&newer).is_err());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_record_or_refused(kind in 0u16..23, mut bytes: Vec<u8>) {
        bytes.insert(0, 1);
        let _ = Entry::decode(&Record::state(kind, bytes));
    }
}
