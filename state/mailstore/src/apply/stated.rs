//! The rows of what compaction says again, and of what is no more.

use bytes::Bytes;
use journal::{Lsn, ViewBatch};

use super::Applier;
use crate::codec::encoded;
use crate::compaction::{Key, Stated};
use crate::rows::{self, FixedRow, StateRow};

impl Stated {
    /// The rows of a thing as they are when its last record has been applied.
    pub(super) fn apply(&self, lsn: Lsn, batch: &mut ViewBatch) {
        match self {
            // Raised before: see `Marks::raise`.
            Self::Marks(_) => {}
            Self::Name(row) => batch.put(rows::NAMES, rows::name_key(row.id), encoded(row)),
            Self::Mailbox(row, counters) => {
                batch.put(rows::MAILBOXES, rows::mailbox_key(row.id), encoded(row));
                batch.put(rows::COUNTERS, rows::mailbox_key(row.id), encoded(counters));
            }
            Self::Floor(mailbox, modseq) => {
                batch.put(rows::FLOORS, rows::mailbox_key(*mailbox), encoded(modseq))
            }
            Self::Subscription(owner, path) => {
                batch.put(rows::SUBSCRIPTIONS, rows::subscription_key(*owner, path), Bytes::new())
            }
            Self::Keyword(mailbox, keyword) => {
                batch.put(rows::KEYWORDS, rows::keyword_key(*mailbox, keyword), Bytes::new())
            }
            Self::Message(mailbox, message, expunged) => {
                let key = rows::message_key(*mailbox, message.uid);
                let state = StateRow { expunged: *expunged, ..StateRow::of(message, lsn.0) };
                batch.put(rows::MESSAGES, key.clone(), encoded(&FixedRow::of(message, lsn.0)));
                batch.put(rows::STATES, key, encoded(&state));
            }
            Self::Reference(at, row) => {
                batch.put(rows::REFERENCES, rows::reference_key(at.body, at.mailbox, at.uid), encoded(row))
            }
            Self::Change(mailbox, modseq, row) => {
                batch.put(rows::CHANGES, rows::change_key(*mailbox, *modseq), encoded(row))
            }
            Self::Expunged(at, row) => {
                batch.put(rows::EXPUNGED, rows::expunged_key(at.at, at.mailbox, at.modseq), encoded(row))
            }
            Self::MessageId(hash, body) => {
                batch.put(rows::MESSAGE_IDS, rows::message_id_key(hash, Some(*body)), Bytes::new())
            }
            Self::Thread(key, row) => batch.put(rows::THREADS, rows::thread_row_key(key), encoded(row)),
        }
    }
}

impl Applier {
    /// Removes all rows of a thing.
    pub(super) fn remove(&mut self, key: &Key, batch: &mut ViewBatch) {
        match key {
            Key::Marks | Key::Entangled => {}
            Key::Transfer(transfer) => self.transfers.end(*transfer, batch),
            _ => key.rows().into_iter().for_each(|(table, key)| batch.remove(table, key)),
        }
    }
}
