//! Of which things each record speaks. Follows from the record alone.

use journal::{Record, StoreError};

use super::{ExpungedAt, Key, ReferenceAt};
use crate::entry::{
    BODY_DATA, ENTANGLED, Entry, MessageAppended, MessagesExpunged, MessagesMoved, TransferCommitted,
    TransferPlaced,
};
use crate::message_row::Message;
use crate::rows;
use crate::{Flags, MailboxId, Uid, UidSet};

/// The things that a record makes, changes or takes away; some of them more than once. The bytes of a body speak of
/// nothing: the record behind them does.
pub(crate) fn keys(record: &Record) -> Result<Vec<Key>, StoreError> {
    if record.kind == BODY_DATA {
        return Ok(Vec::new());
    }
    let entry = Entry::decode(record)?;
    let mut keys = Keys(Vec::new());
    if let Entry::BodyStored(stored) = &entry {
        // Always the first: the bytes before the record are those of this body.
        keys.0.push(Key::Body(stored.body, stored.file));
    }
    keys.0.push(Key::Marks);
    if ENTANGLED.contains(&record.kind) {
        keys.0.push(Key::Entangled);
    }
    for (mailbox, counters) in entry.counters() {
        keys.0.push(Key::Mailbox(mailbox));
        keys.0.push(Key::Change(mailbox, counters.modseq));
    }
    keys.entry(&entry);
    Ok(keys.0)
}

struct Keys(Vec<Key>);

impl Keys {
    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::BodyStored(_) => {}
            Entry::MessageAppended(appended) => self.appended(appended),
            Entry::FlagsSet(set) => {
                set.groups.iter().for_each(|(flags, uids)| {
                    self.uids(set.mailbox, uids);
                    self.keywords(set.mailbox, flags);
                });
            }
            Entry::MessagesExpunged(expunged) => self.expunged(expunged),
            Entry::MessagesCopied(copied) => self.messages(copied.mailbox, &copied.messages),
            Entry::MessagesMoved(moved) => self.moved(moved),
            Entry::TransferRows(rows) => self.0.push(Key::Transfer(rows.transfer)),
            Entry::TransferCommitted(TransferCommitted { transfer, .. }) => {
                self.0.push(Key::Transfer(*transfer));
            }
            Entry::TransferPlacedOnly(placed) => self.0.push(Key::Transfer(placed.transfer)),
            Entry::TransferPlaced(TransferPlaced { mailbox, transfer, messages, .. }) => {
                self.0.push(Key::Transfer(*transfer));
                self.messages(*mailbox, messages);
            }
            Entry::TransferAborted(aborted) => self.0.push(Key::Transfer(aborted.transfer)),
            Entry::NameRow(row) => self.0.push(Key::Name(row.id)),
            Entry::NameRemoved(removed) => self.0.push(Key::Name(removed.id)),
            Entry::MailboxRow(row) => self.0.push(Key::Mailbox(row.id)),
            Entry::MailboxCreated(created) => self.0.push(Key::Mailbox(created.mailbox.id)),
            Entry::SubscriptionSet(set) => self.0.push(Key::Subscription(set.owner, set.path.clone())),
            Entry::Restated(restated) => self.0.extend(restated.things.iter().map(|thing| thing.key())),
            Entry::Removed(removed) => self.0.extend(removed.keys.iter().cloned()),
        }
    }

    fn appended(&mut self, appended: &MessageAppended) {
        let MessageAppended { mailbox, message, owner, thread_keys, .. } = appended;
        self.messages(*mailbox, std::slice::from_ref(message));
        self.0.extend(rows::thread_keys(*owner, thread_keys).map(Key::Thread));
        self.0.extend(thread_keys.message_ids.last().map(|hash| Key::MessageId(*hash, message.body)));
    }

    fn expunged(&mut self, expunged: &MessagesExpunged) {
        let MessagesExpunged { mailbox, counters, at, groups } = expunged;
        groups.iter().for_each(|(_, uids)| self.uids(*mailbox, uids));
        self.0.push(Key::Expunged(ExpungedAt::new(*at, *mailbox, counters.modseq)));
    }

    fn moved(&mut self, moved: &MessagesMoved) {
        for (uid, message) in moved.messages.iter() {
            self.message(moved.from, *uid, message);
            self.message(moved.to, message.uid, message);
            self.keywords(moved.to, &message.flags);
        }
    }

    fn messages(&mut self, mailbox: MailboxId, messages: &[Message]) {
        for message in messages {
            self.message(mailbox, message.uid, message);
            self.keywords(mailbox, &message.flags);
        }
    }

    fn message(&mut self, mailbox: MailboxId, uid: Uid, message: &Message) {
        self.0.push(Key::Message(mailbox, uid));
        self.0.push(Key::Reference(ReferenceAt { body: message.body, mailbox, uid }));
    }

    fn uids(&mut self, mailbox: MailboxId, uids: &UidSet) {
        self.0.extend(uids.iter().map(|uid| Key::Message(mailbox, uid)));
    }

    fn keywords(&mut self, mailbox: MailboxId, flags: &Flags) {
        let keywords = flags.keywords().iter();
        self.0.extend(keywords.map(|keyword| Key::Keyword(mailbox, keyword.folded())));
    }
}
