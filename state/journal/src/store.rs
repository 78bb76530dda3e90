//! What a state crate tells the sequencer.

use crate::Synced;
use crate::error::StoreError;
use crate::lsn::{Lsn, Place};
use crate::record::Record;
use crate::restate::{Key, Needed, Restating, Stated};
use crate::view::{ViewBatch, ViewRead};

/// The number of a record within the frame that is being put together; [`Synced::place`] gives its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(usize);

impl Slot {
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// The frame that is being put together.
#[derive(Debug)]
pub struct Staged {
    records: Vec<Record>,
    bytes: usize,
    first: Lsn,
}

impl Staged {
    pub(crate) fn new(first: Lsn) -> Self {
        Self { records: Vec::new(), bytes: 0, first }
    }

    /// Adds a record.
    pub fn push(&mut self, record: Record) -> Slot {
        self.bytes += record.bytes.len();
        self.records.push(record);
        Slot(self.records.len() - 1)
    }

    /// The number that the next record pushed will have, if the frame is written.
    pub fn lsn_next(&self) -> Lsn {
        Lsn(self.first.0 + self.records.len() as u64)
    }

    /// The number that the record in `slot` will have, if the frame is written.
    pub fn lsn(&self, slot: Slot) -> Lsn {
        Lsn(self.first.0 + slot.0 as u64)
    }

    /// Records so far, of this command and those before it.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of those records.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no command has staged anything yet.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Drops all.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.first);
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }
}

/// The state behind a journal: how commands become records, records become state, and a sync becomes answers.
///
/// All methods are called by the sequencer's thread alone, in this order for each frame: `stage` for each command, (the
/// frame is written and synced), `apply` for each record, (the view takes the batch), `publish` once, `release` for
/// each command. If the write fails, the pending commands are dropped, their callers hear of it, and the store is
/// never called again: what `stage` changed in memory dies with it. The exception is a frame that found no room on the
/// disk or was too large: `revert` then makes the store forget it, and it goes on.
pub trait Store: Send + 'static {
    /// The version of what [`Store::keys`] says; another one has files of keys on disk made again.
    const KEYS_VERSION: u16 = 1;

    /// Keys that [`Store::restate`] is given at a time. One that says several keys in one record may take more.
    const KEYS_AT_ONCE: usize = limits::BULK_RECORDS_MAX;

    /// What its records speak of; [`crate::NoKey`] for a store that is not compacted.
    type Key: Key;
    /// What callers ask for. Expensive preparation (compression, hashing, parsing) is done before it is queued.
    type Command: Send + 'static;
    /// What `release` needs to know of a staged command.
    type Pending;
    /// What callers hear.
    type Reply: Send + 'static;

    /// Loads what is kept in memory from the view, which stands where it was left. Called once, before the replay.
    fn load(&mut self, view: &dyn ViewRead) -> Result<(), StoreError>;

    /// Bytes that the command holds while it waits, or those of the records that it will stage if they are more: for the
    /// bound on the queue. A command that weighs more than a frame may is refused before it is staged.
    fn weight(command: &Self::Command) -> usize;

    /// Checks the command against committed state and the state that the commands before it in this frame will make;
    /// stages results, never commands. A refused command stages nothing and keeps its answer in `Pending`.
    fn stage(&mut self, command: Self::Command, staged: &mut Staged) -> Self::Pending;

    /// Turns a record into changes of the view and of memory. The same code live and in replay. Applying a record a
    /// second time, at replay, must change nothing. Of a record of [`crate::Class::Body`] the bytes must not be looked at.
    fn apply(
        &mut self,
        lsn: Lsn,
        record: &Record,
        place: &Place,
        batch: &mut ViewBatch,
    ) -> Result<(), StoreError>;

    /// The view now shows all that was applied: make it visible to readers of memory too.
    fn publish(&mut self) {}

    /// The answer to a staged command: its records, and all that it was checked against, are durable and in the view.
    fn release(&mut self, pending: Self::Pending, synced: &Synced) -> Self::Reply;

    /// Forgets what was staged and not applied: memory is as `view` has it again.
    fn revert(&mut self, view: &dyn ViewRead) -> Result<(), StoreError> {
        self.load(view)
    }

    /// Whether the command takes room that is not given back soon, so that it is refused while space is low. What frees
    /// room, or ends work in hand, goes on from the reserve.
    fn grows(_command: &Self::Command) -> bool {
        false
    }

    /// The keys of a record of state: all that it makes, changes or removes. Depends on the record alone. Where data
    /// stands before the record, the first key is what the data belongs to.
    fn keys(_record: &Record) -> Result<Vec<Self::Key>, StoreError> {
        Err(StoreError::Uncompacted)
    }

    /// What of a record is still needed, going by `view`. An estimate that may be outdated at once: `restate` decides.
    /// With [`StoreError::NotYet`] the whole segment is passed over.
    fn needed(_view: &dyn ViewRead, _stated: &Stated<'_>) -> Result<Needed, StoreError> {
        Err(StoreError::Uncompacted)
    }

    /// Stages what the keys are now. Nothing else was staged for this frame, and `view` shows all that was before it.
    ///
    /// - A key that is live: records that say *all* of its state that the segment could have said. Data that is still at
    ///   the place where it was carried from goes in front of its record of state; data that is elsewhere stays there.
    /// - A key that is gone: a record of its removal if [`Restating::held_before`], else nothing.
    ///
    /// To say more than needed is right, to say less is not. Applied, the records must change nothing that readers see,
    /// but for the places of data. After an error nothing may have changed in memory; what was staged is dropped and the
    /// segment stays: with an alert, or after [`StoreError::NotYet`] without one. It is examined again later.
    fn restate(
        &mut self,
        _view: &dyn ViewRead,
        _restating: &Restating<Self::Key>,
        _staged: &mut Staged,
    ) -> Result<(), StoreError> {
        Err(StoreError::Uncompacted)
    }
}
