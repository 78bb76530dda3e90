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
            FetchItem::Uid | FetchItem::Flags | FetchItem::InternalDate | FetchItem::Rfc822Size => needs,
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

    /// The rendered forms of several messages, in their order: none where they are not needed, or not all
    /// readable.
    pub(crate) async fn rendered_of(
        self,
        store: &Mailstore,
        bodies: &[BodyId],
    ) -> Vec<Option<Arc<Rendered>>> {
        if !self.rendered {
            return vec![None; bodies.len()];
        }
        match store.rendered_many(bodies).await {
            Ok(rendered) => rendered.into_iter().map(Some).collect(),
            Err(_) => vec![None; bodies.len()],
        }
    }
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
    /// Loads what is needed; `rendered` is what is at hand already.
    pub(crate) async fn load(
        store: &Mailstore,
        body: BodyId,
        needs: Needs,
        rendered: Option<Arc<Rendered>>,
    ) -> Result<Self, MailstoreError> {
        let rendered = match rendered {
            Some(rendered) => rendered,
            None if needs.rendered => store.rendered(body).await?,
            None => Arc::default(),
        };
        // A header that fills all the room that is kept for it may go on in the body.
        let header_cut = rendered.header.len() >= limits::HEADER_BYTES_MAX;
        let parts = match needs.parts || header_cut {
            true => Some(Parts { structure: store.structure(body).await?, body: store.body(body).await? }),
            false => None,
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
