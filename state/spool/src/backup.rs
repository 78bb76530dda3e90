//! What a backup copies, while the queue goes on.

use std::sync::Arc;

use journal::{JournalFile, StoreBackup};

use crate::error::SpoolError;
use crate::spool::Spool;

impl Spool {
    /// The files that make up the queue now: its journal as far as it is synced, and the bodies that are files of their own.
    /// Until the answer is dropped they stay. Among the bodies there may be some that the journal does not name yet; a start
    /// removes them. Blocks.
    pub fn backup_begin(&self) -> Result<StoreBackup, SpoolError> {
        let (bodies, journal) = (self.bodies(), self.journal());
        let (bodies_pin, journal_pin) = (bodies.pin(), journal.pin());
        // Bodies are on disk before the record that names them: listed after it, none is missing.
        let mut files = journal.backup_files(&journal_pin)?;
        files.iter_mut().for_each(|file| file.name = format!("journal/{}", file.name));
        for (queue_id, bytes) in bodies.files().map_err(|error| SpoolError::Dir(Arc::new(error)))? {
            // One that no record names yet may still be written.
            let is_sealed = self.queue().entry(queue_id).is_some();
            let name = format!("bodies/{}", bodies.name(queue_id));
            files.push(JournalFile { name, bytes, is_sealed });
        }
        Ok(StoreBackup::new(files, vec![Box::new(bodies_pin), Box::new(journal_pin)]))
    }
}
