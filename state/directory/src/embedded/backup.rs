//! What a backup copies, while the directory goes on.

use journal::StoreBackup;

use super::Embedded;
use crate::error::DirectoryError;

impl Embedded {
    /// The files that make up the directory now: its journal as far as it is synced. Until the answer is dropped they stay.
    /// Blocks.
    pub fn backup_begin(&self) -> Result<StoreBackup, DirectoryError> {
        let pin = self.journal.pin();
        Ok(StoreBackup::new(self.journal.backup_files(&pin)?, vec![Box::new(pin)]))
    }
}
