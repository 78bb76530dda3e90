//! A journal in a directory of this host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::Disk;

use crate::error::{Damage, JournalError};
use crate::lsn::{Epoch, Lsn, Place};
use crate::read::Frames;
use crate::record::Record;
use crate::tail::Tail;
use crate::{Journal, Synced};

/// How a local journal is kept.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// Bytes of a segment after which the next is begun.
    pub segment_bytes: u64,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self { segment_bytes: limits::SEGMENT_BYTES }
    }
}

/// A journal in a directory of this host: segments, and a lock that its owner holds.
pub struct LocalJournal {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    settings: JournalSettings,
}

impl LocalJournal {
    /// Opens the journal in `dir` for its one owner, making it if there is none.
    ///
    /// `witness` is the last record that a view has seen (its `applied_lsn`): proof that it was synced, so that its
    /// loss is damage and not a torn tail. Damage of state makes the journal read-only; it opens all the same.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        settings: JournalSettings,
        witness: Lsn,
    ) -> Result<Self, JournalError> {
        let _ = (witness, &settings);
        Ok(Self { dir: dir.to_path_buf(), disk, settings })
    }

    /// Reads everything and says what is not as it was written. Does not stop at the first damage.
    pub fn verify(&self) -> Result<Vec<Damage>, JournalError> {
        let _ = (&self.dir, &self.disk, &self.settings);
        unimplemented!("verify")
    }
}

impl Journal for LocalJournal {
    fn append(&self, _expected: Epoch, _records: &[Record]) -> Result<Synced, JournalError> {
        unimplemented!("append")
    }

    fn read(&self, _from: Lsn) -> Result<Frames, JournalError> {
        unimplemented!("read")
    }

    fn tail(&self, _from: Lsn) -> Tail {
        unimplemented!("tail")
    }

    fn record_read(&self, _place: &Place) -> Result<Bytes, JournalError> {
        unimplemented!("record_read")
    }

    fn trim(&self, _to: Lsn) -> Result<(), JournalError> {
        unimplemented!("trim")
    }

    fn epoch(&self) -> Epoch {
        unimplemented!("epoch")
    }

    fn lsn_next(&self) -> Lsn {
        unimplemented!("lsn_next")
    }

    fn damage(&self) -> Vec<Damage> {
        unimplemented!("damage")
    }

    fn close(&self) -> Result<(), JournalError> {
        unimplemented!("close")
    }
}
