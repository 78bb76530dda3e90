//! Where a message goes while it is received.

use std::path::PathBuf;
use std::sync::Arc;

use disk::{BodyWriter, Disk};

/// Makes body writers.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    pub(crate) message_bytes_max: u64,
}

impl Bodies {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, message_bytes_max: u64) -> Self {
        Self { disk, dir, message_bytes_max }
    }

    pub(crate) fn writer(&self) -> BodyWriter {
        BodyWriter::new(self.disk.clone(), &self.dir, limits::BODY_MEMORY_BYTES_MAX)
    }
}
