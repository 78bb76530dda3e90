//! What is done with a message before it waits for the journal, by whoever brings it: scanned, hashed, compressed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use disk::{Body, Disk};
use message::{Rendered, ScanLimits, Scanned, Scanner};
use tokio::runtime::Handle;

use crate::entry::{BodyStored, FileId, ThreadKeys};
use crate::fresh;
use crate::presentation::Presented;
use crate::{BodyId, MailstoreError};

/// References of a message that are looked up for its conversation; the nearest ones.
const REFERENCES_MAX: usize = 12;

/// A message ready to be staged; its body id is still to be given.
pub(crate) struct Prepared {
    pub(crate) data: Option<BodyData>,
    pub(crate) file: Option<UnclaimedFile>,
    pub(crate) stored: BodyStored,
    pub(crate) thread_keys: ThreadKeys,
}

impl Prepared {
    /// Bytes that it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.0.len()) + self.stored.presentation.len()
    }
}

/// The record of a body: a version byte, the body id in 8 bytes (little-endian), how it is compressed in one, and the
/// bytes.
pub(crate) struct BodyData(Vec<u8>);

const DATA_VERSION: u8 = 1;
const DATA_HEADER_BYTES: usize = 10;
const DATA_PLAIN: u8 = 0;
/// LZ4, the size in front.
const DATA_LZ4: u8 = 1;

impl BodyData {
    fn new(message: &[u8]) -> Self {
        let compressed = lz4_flex::compress_prepend_size(message);
        match compressed.len() < message.len() {
            true => Self::with(DATA_LZ4, &compressed),
            false => Self::with(DATA_PLAIN, message),
        }
    }

    fn with(codec: u8, bytes: &[u8]) -> Self {
        let mut data = Vec::with_capacity(DATA_HEADER_BYTES + bytes.len());
        data.push(DATA_VERSION);
        data.extend([0; 8]);
        data.push(codec);
        data.extend_from_slice(bytes);
        Self(data)
    }

    /// The record, with the id that the body was given.
    pub(crate) fn for_body(mut self, body: BodyId) -> Bytes {
        self.0[1..9].copy_from_slice(&body.0.to_le_bytes());
        self.0.into()
    }

    /// The message in the record of a body.
    pub(crate) fn message(record: &Bytes, body: BodyId) -> Result<Bytes, MailstoreError> {
        let damaged = MailstoreError::Damaged("record of a body");
        if record.len() < DATA_HEADER_BYTES
            || record[0] != DATA_VERSION
            || record[1..9] != body.0.to_le_bytes()
        {
            return Err(damaged);
        }
        let bytes = record.slice(DATA_HEADER_BYTES..);
        match record[9] {
            DATA_PLAIN => Ok(bytes),
            DATA_LZ4 => lz4_flex::decompress_size_prepended(&bytes).map(Bytes::from).map_err(|_| damaged),
            _ => Err(damaged),
        }
    }
}

/// A file that no record names yet; removed unless one is staged.
#[derive(Debug)]
pub(crate) struct UnclaimedFile {
    disk: Arc<dyn Disk>,
    path: Option<PathBuf>,
    /// Where removing a large file holds up nobody: a refused message is let go by the sequencer's thread.
    runtime: Option<Handle>,
}

impl UnclaimedFile {
    /// A record names it: it stays. If the record does not become durable, the next start removes it.
    pub(crate) fn claim(mut self) -> ClaimedFile {
        let (disk, runtime) = (self.disk.clone(), self.runtime.clone());
        ClaimedFile { disk, path: self.path.take(), runtime }
    }
}

/// A file that a record names. It stays whatever becomes of this: whether a record is durable that was being written when
/// the store failed, nobody knows.
#[derive(Debug)]
pub(crate) struct ClaimedFile {
    disk: Arc<dyn Disk>,
    path: Option<PathBuf>,
    runtime: Option<Handle>,
}

impl ClaimedFile {
    /// The record was not written.
    pub(crate) fn unclaim(self) -> UnclaimedFile {
        let Self { disk, path, runtime } = self;
        UnclaimedFile { disk, path, runtime }
    }
}

impl Drop for UnclaimedFile {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else { return };
        let disk = self.disk.clone();
        // What stays behind is swept at the next start.
        let remove = move || drop(disk.remove(&path));
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn_blocking(remove)),
            None => remove(),
        }
    }
}

impl FileId {
    /// Its name in the directory of bodies.
    pub(crate) fn name(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        u128::from_str_radix(name, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

/// Scans, hashes and compresses; writes and syncs a file if the message is large. Blocks, long for a large one.
pub(crate) fn prepare(
    body: &Body,
    disk: &Arc<dyn Disk>,
    bodies: &Path,
) -> Result<(Prepared, Presented), MailstoreError> {
    if body.len() > limits::STORED_MESSAGE_BYTES_MAX {
        return Err(MailstoreError::MessageTooLarge);
    }
    let (scanned, hash) = read(body)?;
    let thread_keys = thread_keys(&scanned.rendered);
    let presented = Presented::new(scanned);
    let (data, file) = match body.len() <= limits::BODY_MEMORY_BYTES_MAX as u64 {
        true => (Some(BodyData::new(&body.read_all()?)), None),
        false => (None, Some(save(body, disk, bodies)?)),
    };
    let (file_id, file) = file.unzip();
    let stored = BodyStored {
        body: BodyId(0),
        hash,
        size: body.len(),
        file: file_id,
        presentation: presented.encode(),
    };
    Ok((Prepared { data, file, stored, thread_keys }, presented))
}

fn read(body: &Body) -> io::Result<(Scanned, [u8; 32])> {
    let mut scanner = Scanner::new(ScanLimits::default());
    let mut hasher = blake3::Hasher::new();
    for chunk in body.chunks(limits::BODY_CHUNK_BYTES) {
        let chunk = chunk?;
        scanner.push(&chunk);
        hasher.update(&chunk);
    }
    Ok((scanner.finish(), hasher.finalize().into()))
}

fn save(body: &Body, disk: &Arc<dyn Disk>, bodies: &Path) -> Result<(FileId, UnclaimedFile), MailstoreError> {
    let id = FileId(fresh::number()?.to_be_bytes());
    let path = bodies.join(id.name());
    let runtime = Handle::try_current().ok();
    let file = UnclaimedFile { disk: disk.clone(), path: Some(path.clone()), runtime };
    body.save(&**disk, &path)?;
    Ok((id, file))
}

/// The message ids by which a conversation is found, the likeliest first: what the message answers, what it refers to,
/// its own as the last (RFC 5322 3.6.4).
fn thread_keys(rendered: &Rendered) -> ThreadKeys {
    let header = &rendered.header[..];
    let field = |name: &[u8]| message::first_header(header, name).unwrap_or_default();
    let (parent, references, own) = (field(b"in-reply-to"), field(b"references"), field(b"message-id"));
    let parents = message::message_ids(&parent).into_iter().take(1);
    let references = message::message_ids(&references).into_iter().rev().take(REFERENCES_MAX);
    let own = message::message_ids(&own).first().map(|id| hashed(id));
    let mut message_ids: Vec<[u8; 16]> = Vec::new();
    for hash in parents.chain(references).map(hashed) {
        if own != Some(hash) && !message_ids.contains(&hash) {
            message_ids.push(hash);
        }
    }
    message_ids.extend(own);
    let subject = message::base_subject(&message::decode_header(&field(b"subject"))).text.to_lowercase();
    ThreadKeys { message_ids, subject: hashed(subject.as_bytes()) }
}

pub(crate) fn hashed<const BYTES: usize>(text: &[u8]) -> [u8; BYTES] {
    let mut hash = [0; BYTES];
    hash.copy_from_slice(&blake3::hash(text).as_bytes()[..BYTES]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(header: &str) -> ThreadKeys {
        thread_keys(&message::scan(format!("{header}\r\n\r\nbody\r\n").as_bytes()).rendered)
    }

    #[test]
    fn a_reply_is_looked_up_by_its_parent_first() {
        let parent = keys("Message-ID: <a@x>\r\nSubject: Lunch");
        let reply =
            keys("Message-ID: <c@x>\r\nIn-Reply-To: <b@x>\r\nReferences: <a@x> <b@x>\r\nSubject: Re: lunch");
        assert_eq!(parent.subject, reply.subject);
        assert_eq!(reply.message_ids, [hashed(b"b@x"), hashed(b"a@x"), hashed(b"c@x")]);
        assert_eq!(parent.message_ids, [hashed::<16>(b"a@x")]);
    }

    #[test]
    fn the_messages_own_id_is_the_last_also_where_it_refers_to_itself() {
        let keys = keys("Message-ID: <a@x>\r\nReferences: <a@x> <b@x>");
        assert_eq!(keys.message_ids, [hashed(b"b@x"), hashed(b"a@x")]);
    }

    #[test]
    fn references_are_limited_to_the_nearest() {
        let many: String = (0..100).map(|n| format!("<r{n}@x> ")).collect();
        let keys = keys(&format!("References: {many}\r\nMessage-ID: <own@x>"));
        assert_eq!(keys.message_ids.len(), REFERENCES_MAX + 1);
        assert_eq!(keys.message_ids[0], hashed(b"r99@x"));
    }

    #[test]
    fn body_data_round_trips_compressed_or_not() {
        for message in [&b"a"[..], &b"compress me ".repeat(100)] {
            let record = BodyData::new(message).for_body(BodyId(7));
            assert_eq!(BodyData::message(&record, BodyId(7)).unwrap(), message);
            assert!(BodyData::message(&record, BodyId(8)).is_err());
        }
    }
}
