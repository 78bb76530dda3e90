//! What FETCH is asked for most, kept apart from the body so that it is one read of the view.
//!
//! Form: a version byte, then, compressed by LZ4 with its size in front: envelope, body, body structure and header as
//! byte strings, then the structure in `message`'s own form.

use std::sync::Arc;

use bytes::Bytes;
use journal::{Decoder, Encoder};
use message::{Rendered, Scanned, Structure};

use crate::MailstoreError;

const VERSION: u8 = 1;

/// A message as IMAP shows it, and where its parts are.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) rendered: Arc<Rendered>,
    pub(crate) structure: Arc<Structure>,
}

impl Presented {
    pub(crate) fn new(scanned: Scanned) -> Self {
        Self { rendered: Arc::new(scanned.rendered), structure: Arc::new(scanned.structure) }
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let Rendered { envelope, body, body_structure, header } = &*self.rendered;
        256 + envelope.len()
            + body.len()
            + body_structure.len()
            + header.len()
            + 80 * self.structure.parts().len()
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut encoder = Encoder::new();
        let Rendered { envelope, body, body_structure, header } = &*self.rendered;
        [envelope, body, body_structure, header].into_iter().for_each(|bytes| encoder.bytes(bytes));
        self.structure.encode(encoder.raw());
        let mut encoded = vec![VERSION];
        encoded.extend(lz4_flex::compress_prepend_size(&encoder.finish()));
        encoded.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MailstoreError> {
        let damaged = MailstoreError::Damaged("presentation of a message");
        let Some((&VERSION, compressed)) = bytes.split_first() else { return Err(damaged) };
        let bytes = lz4_flex::decompress_size_prepended(compressed).map_err(|_| damaged.clone())?;
        let bytes = Bytes::from(bytes);
        let mut decoder = Decoder::new(&bytes);
        let mut field = || {
            let field = decoder.bytes().map_err(|_| damaged.clone())?;
            Ok::<_, MailstoreError>(bytes.slice_ref(field))
        };
        let rendered =
            Rendered { envelope: field()?, body: field()?, body_structure: field()?, header: field()? };
        let structure = Structure::decode(decoder.rest()).map_err(|_| damaged)?;
        Ok(Self { rendered: Arc::new(rendered), structure: Arc::new(structure) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presentation_round_trips() {
        let message = b"From: a@example.org\r\nSubject: hello\r\nContent-Type: text/plain\r\n\r\nbody\r\n";
        let presented = Presented::new(message::scan(message));
        let read = Presented::decode(&presented.encode()).unwrap();
        assert_eq!(read.rendered, presented.rendered);
        assert_eq!(read.structure, presented.structure);
        assert!(!read.rendered.envelope.is_empty());
    }

    #[test]
    fn damage_is_named() {
        assert!(matches!(Presented::decode(b""), Err(MailstoreError::Damaged(_))));
        assert!(matches!(Presented::decode(b"\x02rest"), Err(MailstoreError::Damaged(_))));
        assert!(matches!(Presented::decode(b"\x01\xff\xff\x00\x00\x01"), Err(MailstoreError::Damaged(_))));
    }
}
