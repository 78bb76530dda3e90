//! The log that every durable thing is written to first, and the machinery that turns it into state.
//!
//! - [`Journal`]: frames of records, each frame written and synced as a whole. [`LocalJournal`] keeps it in a directory.
//! - [`Synced`]: the proof that a frame is durable. Only a journal can make one, after the sync.
//! - [`View`]: what was made of the records: tables of keys and values that can be thrown away and made again.
//!   [`FjallView`] is on disk, [`MemoryView`] is not.
//! - [`Store`]: what a state crate writes: how a command becomes records, a record a change of the view, and a sync an
//!   answer. [`Sequencer`] drives it: all that waits, one frame, one write, one sync, then the answers.
//! - [`Compaction`]: segments of which little is needed make room; the store says anew what is ([`Store::restate`]).
//! - [`verify`], [`stat`], [`salvage`]: a journal's files, looked at from outside.
//!
//! It refuses to acknowledge what is not synced, to skip what it cannot read, to write to a journal that another owns
//! or that has failed once, and to know what a record means. The format on disk is in `frame.rs`, `segment.rs`, `gap.rs`.

mod codec;
mod compact;
mod error;
mod files;
mod frame;
mod gap;
mod inspect;
mod local;
mod lsn;
mod names;
mod read;
mod record;
mod restate;
mod scan;
mod segment;
mod sequencer;
mod space;
mod store;
mod tail;
mod view;
mod walk;
mod writer;

pub use codec::{DecodeError, Decoder, Encoder};
pub use compact::{Compaction, CompactionError, CompactionReport, CompactionSettings, Compactor};
pub use error::{Damage, JournalError, SequencerError, StoreError, ViewError};
pub use files::Pin;
pub use gap::{Gap, GapKind};
pub use inspect::{Lost, SalvageReport, SegmentStat, StatReport, Tally, VerifyReport, salvage, stat, verify};
pub use local::{JournalFile, JournalSettings, LocalJournal, StoreBackup};
pub use lsn::{Epoch, Lsn, Place};
pub use read::{Frame, Frames};
pub use record::{Class, Record, StoredRecord};
pub use restate::{Carried, Key, Needed, NoKey, Restated, Restating, Stated};
pub use sequencer::{Sequencer, SequencerHandle, SequencerSettings};
pub use store::{Slot, Staged, Store};
pub use tail::Tail;
pub use view::{FjallView, KeyRange, MemoryView, Order, Row, Rows, Table, View, ViewBatch, ViewRead};

use bytes::Bytes;

/// A log of records with one owner. `append` is for the owner's sequencer alone; all else may be called by anyone.
pub trait Journal: Send + Sync {
    /// Writes `records` as one frame and syncs it: after a crash all of them are there or none.
    ///
    /// Refused if `expected` is older than the journal's epoch (another owner has come), if the journal is read-only
    /// because of damage, and for ever after a failed write or sync. No records: nothing is written, and the proof
    /// covers all that was synced before. [`JournalError::NoSpace`] and [`JournalError::TooLarge`] refuse these records
    /// alone: nothing of them was written, and the journal goes on.
    fn append(&self, expected: Epoch, records: &[Record]) -> Result<Synced, JournalError>;
    /// The synced frames from the one that holds `from` on, as far as they are synced now.
    ///
    /// From [`Lsn::FIRST`], who starts from nothing, it passes over records that were compacted. From elsewhere that is
    /// [`JournalError::Compacted`], because what the reader has from before may be there no more; so is a compaction while
    /// it reads.
    fn read(&self, from: Lsn) -> Result<Frames, JournalError>;
    /// Follows the journal: the synced frames from `from` on, those to come as well.
    fn tail(&self, from: Lsn) -> Tail;
    /// Reads one record back; its checksum is verified.
    fn record_read(&self, place: &Place) -> Result<Bytes, JournalError>;
    /// Lets go of segments that hold nothing at or above `to`. The caller knows that nothing below is needed.
    fn trim(&self, to: Lsn) -> Result<(), JournalError>;
    /// The owner's term; grows by one with each opening.
    fn epoch(&self) -> Epoch;
    /// The number that the next record will get.
    fn lsn_next(&self) -> Lsn;
    /// A replay has met with damage that was not found at the opening: nothing is appended from now on.
    fn damage_found(&self, _damage: Damage) {}
    /// Whether records behind `applied` were compacted, so that a view that has seen no more must be made from nothing.
    fn lags(&self, _applied: Lsn) -> bool {
        false
    }
    /// The damage found when the journal was opened; not empty means that operators should hear of it.
    fn damage(&self) -> Vec<Damage>;
    /// What room the disk has for it. Cheap: the disk is asked once in a while.
    fn room(&self) -> Room {
        Room::Enough
    }
    /// Ends the owner's term in good order. Nothing can be appended afterwards.
    fn close(&self) -> Result<(), JournalError>;
}

/// What room a disk has for a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// For all.
    Enough,
    /// For what frees space or ends work in hand: commands that grow are refused.
    Low,
    /// For nothing, not even the mark with which a term begins: the journal can only be read until space is freed.
    Full,
}

/// The proof that records are durable, made by a journal after the sync and by nothing else.
///
/// State crates build the values that allow an acknowledgement (`Accepted`, `Appended`) from a reference to one.
#[derive(Debug)]
pub struct Synced {
    pub(crate) places: Vec<Place>,
    pub(crate) lsn_next: Lsn,
    pub(crate) epoch: Epoch,
}

impl Synced {
    /// Where a record that was staged for this frame has come to be.
    ///
    /// # Panics
    /// If the slot is of another frame and that one was longer: a bug in the store.
    pub fn place(&self, slot: Slot) -> Place {
        self.places[slot.index()]
    }

    /// All records of the frame, in order.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// All records below this number are durable.
    pub fn lsn_next(&self) -> Lsn {
        self.lsn_next
    }

    /// The term in which it was written.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}
