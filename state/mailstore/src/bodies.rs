//! Reading messages back.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use disk::{Body, BodyFile, Disk};
use journal::{Journal, JournalError, SequencerError, View};
use parking_lot::Mutex;

use crate::cache::Cache;
use crate::codec::decoded;
use crate::entry::FileId;
use crate::prepare::BodyData;
use crate::presentation::Presented;
use crate::rows::{self, BodyRow};
use crate::{BodyId, MailstoreError};

/// How often a body is looked up again because it was moved meanwhile.
const MOVES_MAX: usize = 3;

/// All bodies of the store.
pub(crate) struct Bodies {
    pub(crate) disk: Arc<dyn Disk>,
    /// The directory of large bodies.
    pub(crate) dir: PathBuf,
    journal: Arc<dyn Journal>,
    view: Arc<dyn View>,
    cache: Cache<Presented>,
    leaving: Arc<Mutex<Leaving>>,
}

/// Files of bodies that are no more and stay while a backup may copy them.
#[derive(Debug, Default)]
struct Leaving {
    pins: usize,
    files: Vec<PathBuf>,
}

/// Keeps the files of all bodies in place.
pub(crate) struct BodiesPin {
    disk: Arc<dyn Disk>,
    leaving: Arc<Mutex<Leaving>>,
}

impl BodiesPin {
    pub(crate) fn new(bodies: &Bodies) -> Self {
        bodies.leaving.lock().pins += 1;
        Self { disk: bodies.disk.clone(), leaving: bodies.leaving.clone() }
    }
}

impl Drop for BodiesPin {
    fn drop(&mut self) {
        let mut leaving = self.leaving.lock();
        leaving.pins -= 1;
        if leaving.pins == 0 {
            // What stays behind is swept at the next start.
            leaving.files.drain(..).for_each(|path| drop(self.disk.remove(&path)));
        }
    }
}

impl Bodies {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        journal: Arc<dyn Journal>,
        view: Arc<dyn View>,
        cache_bytes_max: usize,
    ) -> Self {
        let (cache, leaving) = (Cache::new(cache_bytes_max), Arc::default());
        Self { disk, dir, journal, view, cache, leaving }
    }

    /// The presentation, if it is in memory.
    pub(crate) fn cached(&self, body: BodyId) -> Option<Presented> {
        self.cache.find(body)
    }

    pub(crate) fn remember(&self, body: BodyId, presented: Presented) {
        let bytes = presented.bytes();
        self.cache.insert(body, presented, bytes);
    }

    /// The presentation from the view. Blocks.
    pub(crate) fn presented(&self, body: BodyId) -> Result<Presented, MailstoreError> {
        metrics::counter!("tartan_mailstore_presentation_reads_total").increment(1);
        let row = self.view.get(rows::PRESENTATIONS, &rows::body_key(body))?;
        let presented = Presented::decode(&row.ok_or(MailstoreError::BodyUnknown)?)?;
        self.remember(body, presented.clone());
        Ok(presented)
    }

    /// The message. Blocks. Compaction may have moved it since the view was asked; then the view knows where it is now.
    pub(crate) fn body(&self, body: BodyId) -> Result<Body, MailstoreError> {
        for _ in 0..MOVES_MAX {
            match self.body_once(body) {
                Err(MailstoreError::Journal(SequencerError::Journal(JournalError::SegmentGone(_)))) => {}
                read => return read,
            }
        }
        self.body_once(body)
    }

    fn body_once(&self, body: BodyId) -> Result<Body, MailstoreError> {
        let row = self.view.get(rows::BODIES, &rows::body_key(body))?;
        let row: BodyRow = decoded(&row.ok_or(MailstoreError::BodyUnknown)?)?;
        if let Some(file) = row.file {
            let path = self.dir.join(file.name());
            return Ok(Body::from_file(BodyFile::open(self.disk.clone(), path)?));
        }
        let place = row.place.ok_or(MailstoreError::Damaged("row of a body"))?;
        let record = self.journal.record_read(&place)?;
        BodyData::message(&record, body).map(Body::from_bytes)
    }

    /// Removes the file of a body that is no more, at once or when no backup needs it any longer.
    pub(crate) fn remove(&self, file: FileId) -> Result<(), MailstoreError> {
        let path = self.dir.join(file.name());
        let mut leaving = self.leaving.lock();
        if leaving.pins > 0 {
            leaving.files.push(path);
            return Ok(());
        }
        match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes files that no body of the store is in: of appends that a crash cut short. Gives how many there were.
    pub(crate) fn sweep(&self) -> Result<usize, MailstoreError> {
        let mut swept = 0;
        for name in self.disk.list(&self.dir)? {
            let Some(file) = FileId::parse(&name) else { continue };
            if self.view.get(rows::FILES, &rows::file_key(file))?.is_none() {
                self.disk.remove(&self.dir.join(name))?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
