//! What FETCH sends of a message besides its row: rendered parts and sections of the body.

use std::sync::Arc;

use bytes::Bytes;
use disk::Body;
use imap::{FetchItem, Partial, Section, SectionText, response::SectionData};
use mailstore::{BodyId, Mailstore, MailstoreError};
use message::{Rendered, Structure};

/// What has to be loaded for a list of items.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// Envelope, body structure, header of the message.
    rendered: bool,
    /// The body and where its parts are.
    parts: bool,
}

/// What a section is taken from.
enum Source {
    Rendered,
    Parts,
}

impl Needs {
    pub(crate) fn of(items: &[FetchItem]) -> Self {
        items.iter().fold(Self::default(), |needs, item| match item {
            FetchItem::Uid
            | FetchItem::Flags
            | FetchItem::ModSeq
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size => needs,
            FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure | FetchItem::Rfc822Header => {
                Self { rendered: true, ..needs }
            }
            FetchItem::Rfc822 | FetchItem::Rfc822Text => Self { parts: true, ..needs },
            FetchItem::Section { section, .. } => match source(section) {
                Source::Rendered => Self { rendered: true, ..needs },
                Source::Parts => Self { parts: true, ..needs },
            },
        })
    }

    /// What a message of that size takes of the memory that messages read [`together`] have.
    pub(crate) fn weight(self, size: u64) -> u64 {
        if self.parts { size } else { 0 }
    }

    /// The rendered forms of several messages, in their order: none where they are not needed, or not all
    /// readable.
    async fn rendered_of(self, store: &Mailstore, bodies: &[BodyId]) -> Vec<Option<Arc<Rendered>>> {
        if !self.rendered {
            return vec![None; bodies.len()];
        }
        match store.rendered_many(bodies).await {
            Ok(rendered) => rendered.into_iter().map(Some).collect(),
            Err(_) => vec![None; bodies.len()],
        }
    }

    /// The bodies of several messages, in the same way.
    async fn parts_of(self, store: &Mailstore, bodies: &[BodyId]) -> Vec<Option<Parts>> {
        if self.parts
            && let Ok(read) = store.body_many(bodies).await
        {
            return read.into_iter().map(|(structure, body)| Some(Parts { structure, body })).collect();
        }
        bodies.iter().map(|_| None).collect()
    }
}

/// How many of the first messages are read together, given the sizes of all: at least one, and no more than may be
/// in memory.
pub(crate) fn together(sizes: impl Iterator<Item = u64>) -> usize {
    within(sizes, limits::BODY_MEMORY_BYTES_MAX)
}

/// How many of the first sizes fit into so many bytes; at least one.
pub(crate) fn within(sizes: impl Iterator<Item = u64>, bytes_max: usize) -> usize {
    let mut bytes: u64 = 0;
    let fit = sizes.take_while(|size| {
        bytes = bytes.saturating_add(*size);
        bytes <= bytes_max as u64
    });
    fit.count().max(1)
}

/// The header of the message itself is kept beside the envelope; every other section is in the body.
fn source(section: &Section) -> Source {
    match section.text {
        Some(SectionText::Header | SectionText::HeaderFields { .. }) if section.parts.is_empty() => {
            Source::Rendered
        }
        _ => Source::Parts,
    }
}

/// What was loaded of one message.
#[derive(Debug, Default)]
pub(crate) struct Material {
    rendered: Arc<Rendered>,
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    structure: Arc<Structure>,
    body: Body,
}

impl Material {
    /// Loads what is needed of several messages, which are few enough to be read [`together`]; each by itself where
    /// not all can be read.
    pub(crate) async fn load_many(
        store: &Mailstore,
        bodies: &[BodyId],
        needs: Needs,
    ) -> Vec<Result<Self, MailstoreError>> {
        let (rendered, parts) = (needs.rendered_of(store, bodies).await, needs.parts_of(store, bodies).await);
        let mut loaded = Vec::with_capacity(bodies.len());
        for ((body, rendered), parts) in bodies.iter().zip(rendered).zip(parts) {
            loaded.push(Self::load(store, *body, needs, rendered, parts).await);
        }
        loaded
    }

    /// Loads what is needed; `rendered` and `parts` are what is at hand already.
    async fn load(
        store: &Mailstore,
        body: BodyId,
        needs: Needs,
        rendered: Option<Arc<Rendered>>,
        parts: Option<Parts>,
    ) -> Result<Self, MailstoreError> {
        let rendered = match rendered {
            Some(rendered) => rendered,
            None if needs.rendered => store.rendered(body).await?,
            None => Arc::default(),
        };
        // A header that fills all the room that is kept for it may go on in the body.
        let header_cut = rendered.header.len() >= limits::HEADER_BYTES_MAX;
        let parts = match parts.is_none() && (needs.parts || header_cut) {
            true => Some(Parts { structure: store.structure(body).await?, body: store.body(body).await? }),
            false => parts,
        };
        Ok(Self { rendered, parts })
    }

    pub(crate) fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// What it takes to write an item: fields are picked from the header, all else is copied or sent as it is.
    pub(crate) fn steps(&self, item: &FetchItem) -> usize {
        match item {
            FetchItem::Section {
                section: Section { text: Some(SectionText::HeaderFields { .. }), .. },
                ..
            } => self.rendered.header.len().max(limits::BODY_CHUNK_BYTES),
            _ => 100,
        }
    }

    pub(crate) fn whole(&self) -> SectionData<Body> {
        self.section(&Section::default(), None)
    }

    pub(crate) fn header(&self) -> SectionData<Body> {
        self.section(&Section { text: Some(SectionText::Header), ..Section::default() }, None)
    }

    pub(crate) fn text(&self) -> SectionData<Body> {
        self.section(&Section { text: Some(SectionText::Text), ..Section::default() }, None)
    }

    /// A section, or the window of it that was asked for (RFC 3501 6.4.5).
    pub(crate) fn section(&self, section: &Section, window: Option<Partial>) -> SectionData<Body> {
        match (&self.parts, source(section)) {
            (None, Source::Parts) => SectionData::Absent,
            (None, Source::Rendered) => in_memory(fields(section, &self.rendered.header), window),
            (Some(parts), _) => parts.section(section, window),
        }
    }
}

impl Parts {
    fn section(&self, section: &Section, window: Option<Partial>) -> SectionData<Body> {
        let Some(range) = self.structure.section(section) else { return SectionData::Absent };
        if let Some(SectionText::HeaderFields { .. }) = section.text {
            let bytes = (range.end - range.start).min(limits::HEADER_BYTES_MAX as u64) as usize;
            return self.read(range.start, bytes, |header| in_memory(fields(section, &header), window));
        }
        let (offset, octets) = match window {
            None => (range.start, range.end - range.start),
            Some(Partial { origin, octets }) => {
                let offset = (range.start + u64::from(origin)).min(range.end);
                (offset, (range.end - offset).min(octets.into()))
            }
        };
        if self.body.is_file() {
            return SectionData::File { file: self.body.clone(), offset, octets };
        }
        self.read(offset, octets as usize, SectionData::Bytes)
    }

    /// A read that fails is logged and shown as an absent section: the response has begun.
    fn read(
        &self,
        offset: u64,
        bytes: usize,
        made: impl FnOnce(Bytes) -> SectionData<Body>,
    ) -> SectionData<Body> {
        match self.body.read_at(offset, bytes) {
            Ok(read) => made(read),
            Err(error) => {
                telemetry::Fault::Local.log("message body cannot be read", &error);
                SectionData::Absent
            }
        }
    }
}

/// The header, or the fields of it that the section names.
fn fields(section: &Section, header: &Bytes) -> Bytes {
    match &section.text {
        Some(SectionText::HeaderFields { names, not }) => message::header_fields(header, names, *not).into(),
        _ => header.clone(),
    }
}

fn in_memory(bytes: Bytes, window: Option<Partial>) -> SectionData<Body> {
    let Some(Partial { origin, octets }) = window else { return SectionData::Bytes(bytes) };
    let from = bytes.len().min(origin as usize);
    let until = bytes.len().min(from.saturating_add(octets as usize));
    SectionData::Bytes(bytes.slice(from..until))
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn messages_are_read_together_as_far_as_they_fit_in_memory() {
        let max = limits::BODY_MEMORY_BYTES_MAX as u64;
        assert_eq!(together([100; 32].into_iter()), 32);
        assert_eq!(together([max - 1, 1, 1].into_iter()), 2);
        assert_eq!(together([max + 1, 1].into_iter()), 1);
        assert_eq!(together([u64::MAX, u64::MAX].into_iter()), 1);
    }
}
