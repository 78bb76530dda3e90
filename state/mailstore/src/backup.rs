//! What a backup copies, while the store goes on.

use bytes::Bytes;
use disk::OpenMode;
use journal::{JournalFile, StoreBackup};

use crate::bodies::BodiesPin;
use crate::codec::decoded;
use crate::entry::FileId;
use crate::rows::{self, BodyRow};
use crate::{BodyId, Mailstore, MailstoreError};

impl Mailstore {
    /// The files that make up the store now: its journal as far as it is synced, and the bodies that are files of their own.
    /// Until the answer is dropped they stay. Among the bodies there may be some that the journal does not name yet; a start
    /// removes them. Blocks.
    pub fn backup_begin(&self) -> Result<StoreBackup, MailstoreError> {
        let bodies_pin = BodiesPin::new(&self.inner.bodies);
        let journal_pin = self.inner.local.pin();
        // Bodies are on disk before the record that names them: listed after it, none is missing.
        let mut files = self.inner.local.backup_files(&journal_pin)?;
        files.iter_mut().for_each(|file| file.name = format!("journal/{}", file.name));
        files.extend(self.body_files()?);
        Ok(StoreBackup::new(files, vec![Box::new(bodies_pin), Box::new(journal_pin)]))
    }

    /// All bytes of a message, compared with the hash under which they were stored: what goes into another store must not take
    /// damage along.
    pub async fn body_verified(&self, body: BodyId) -> Result<Bytes, MailstoreError> {
        self.blocking(move |inner| {
            let row = inner.shared.view.get(rows::BODIES, &rows::body_key(body))?;
            let row: BodyRow = decoded(&row.ok_or(MailstoreError::BodyUnknown)?)?;
            let message = inner.bodies.body(body)?.read_all()?;
            match *blake3::hash(&message).as_bytes() == row.hash {
                true => Ok(message),
                false => Err(MailstoreError::Damaged("the bytes are not those that were stored")),
            }
        })
        .await
    }

    fn body_files(&self) -> Result<Vec<JournalFile>, MailstoreError> {
        let bodies = &self.inner.bodies;
        let names = bodies.disk.list(&bodies.dir)?;
        let files = names.into_iter().filter_map(|name| FileId::parse(&name));
        files.map(|file| self.body_file(file)).collect()
    }

    /// A body that a record names is whole and never changes; another may still be written.
    fn body_file(&self, file: FileId) -> Result<JournalFile, MailstoreError> {
        let name = format!("bodies/{}", file.name());
        if let Some(bytes) = self.body_size(file)? {
            return Ok(JournalFile { name, bytes, is_sealed: true });
        }
        let bodies = &self.inner.bodies;
        let bytes = match bodies.disk.open(&bodies.dir.join(file.name()), OpenMode::Read) {
            Ok(opened) => opened.len()?,
            // Its append was refused meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(JournalFile { name, bytes, is_sealed: false })
    }

    fn body_size(&self, file: FileId) -> Result<Option<u64>, MailstoreError> {
        let view = &self.inner.shared.view;
        let Some(body) = view.get(rows::FILES, &rows::file_key(file))? else { return Ok(None) };
        let row = view.get(rows::BODIES, &rows::body_key(BodyId(rows::key_number(&body)?)))?;
        let row: Option<BodyRow> = row.map(|row| decoded(&row)).transpose()?;
        Ok(row.map(|row| row.size))
    }
}
