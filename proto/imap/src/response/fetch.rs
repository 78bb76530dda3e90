//! FETCH responses (RFC 3501 7.4.2).

use bytes::Bytes;

use super::{end, put, write_astring, write_joined, write_number};
use crate::{DateTime, Pieces, Section, SectionText};

/// What a section holds.
#[derive(Debug)]
pub enum SectionData<F> {
    /// There is no such part: `NIL`.
    Absent,
    /// In memory.
    Bytes(Bytes),
    /// In a file.
    File {
        /// The file.
        file: F,
        /// The first octet.
        offset: u64,
        /// How many.
        octets: u64,
    },
}

/// Writes one FETCH response: [`FetchWriter::begin`], items in any order, [`FetchWriter::end`].
#[derive(Debug)]
pub struct FetchWriter<'p, F> {
    pieces: &'p mut Pieces<F>,
    /// No item has been written.
    first: bool,
}

impl<'p, F> FetchWriter<'p, F> {
    /// Appends `* n FETCH (`.
    pub fn begin(pieces: &'p mut Pieces<F>, sequence: u32) -> FetchWriter<'p, F> {
        let out = pieces.text();
        put(out, "* ");
        write_number(out, u64::from(sequence));
        put(out, " FETCH (");
        FetchWriter { pieces, first: true }
    }

    /// Goes on in a response that has at least one item, after the queue was written out and cleared.
    pub fn resume(pieces: &'p mut Pieces<F>) -> FetchWriter<'p, F> {
        FetchWriter { pieces, first: false }
    }

    /// `UID n`.
    pub fn uid(&mut self, uid: u32) {
        self.name("UID ");
        write_number(self.pieces.text(), u64::from(uid));
    }

    /// `FLAGS (...)`: names as on the wire.
    pub fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f str>) {
        self.name("FLAGS (");
        write_joined(self.pieces.text(), flags);
        put(self.pieces.text(), ")");
    }

    /// `MODSEQ (n)` (RFC 7162 3.1.4.2).
    pub fn modseq(&mut self, modseq: u64) {
        self.name("MODSEQ (");
        write_number(self.pieces.text(), modseq);
        put(self.pieces.text(), ")");
    }

    /// `INTERNALDATE "..."`.
    pub fn internal_date(&mut self, date: &DateTime) {
        self.name("INTERNALDATE ");
        date.write(self.pieces.text());
    }

    /// `RFC822.SIZE n`.
    pub fn size(&mut self, octets: u64) {
        self.name("RFC822.SIZE ");
        write_number(self.pieces.text(), octets);
    }

    /// `ENVELOPE (...)`, already rendered.
    pub fn envelope(&mut self, rendered: &[u8]) {
        self.rendered("ENVELOPE ", rendered);
    }

    /// `BODY (...)`, already rendered.
    pub fn body(&mut self, rendered: &[u8]) {
        self.rendered("BODY ", rendered);
    }

    /// `BODYSTRUCTURE (...)`, already rendered.
    pub fn body_structure(&mut self, rendered: &[u8]) {
        self.rendered("BODYSTRUCTURE ", rendered);
    }

    /// `BODY[section]<origin> data`.
    pub fn section(&mut self, section: &Section, origin: Option<u32>, data: SectionData<F>) {
        self.name("BODY[");
        let out = self.pieces.text();
        write_section(out, section);
        put(out, "]");
        if let Some(origin) = origin {
            put(out, "<");
            write_number(out, u64::from(origin));
            put(out, ">");
        }
        self.data(data);
    }

    /// `RFC822 data`, `RFC822.HEADER data` or `RFC822.TEXT data`.
    pub fn rfc822(&mut self, name: &str, data: SectionData<F>) {
        self.name(name);
        self.data(data);
    }

    /// Appends `)` and the line end.
    pub fn end(self) {
        put(self.pieces.text(), ")");
        end(self.pieces.text());
    }

    fn name(&mut self, name: &str) {
        put(self.pieces.text(), if self.first { "" } else { " " });
        put(self.pieces.text(), name);
        self.first = false;
    }

    fn rendered(&mut self, name: &str, rendered: &[u8]) {
        self.name(name);
        self.pieces.text().extend_from_slice(rendered);
    }

    /// `SP nstring`, always as a literal where there is data.
    fn data(&mut self, data: SectionData<F>) {
        match data {
            SectionData::Absent => put(self.pieces.text(), " NIL"),
            SectionData::Bytes(bytes) => {
                self.literal_header(bytes.len() as u64);
                self.pieces.push_bytes(bytes);
            }
            SectionData::File { file, offset, octets } => {
                self.literal_header(octets);
                self.pieces.push_file(file, offset, octets);
            }
        }
    }

    fn literal_header(&mut self, octets: u64) {
        let out = self.pieces.text();
        put(out, " {");
        write_number(out, octets);
        put(out, "}\r\n");
    }
}

/// RFC 3501 9: `section-spec = section-msgtext / (section-part ["." section-text])`
fn write_section(out: &mut Vec<u8>, section: &Section) {
    for (index, number) in section.parts.iter().enumerate() {
        put(out, if index > 0 { "." } else { "" });
        write_number(out, u64::from(*number));
    }
    if let Some(text) = &section.text {
        put(out, if section.parts.is_empty() { "" } else { "." });
        write_section_text(out, text);
    }
}

fn write_section_text(out: &mut Vec<u8>, text: &SectionText) {
    match text {
        SectionText::Header => put(out, "HEADER"),
        SectionText::Text => put(out, "TEXT"),
        SectionText::Mime => put(out, "MIME"),
        SectionText::HeaderFields { names, not } => {
            put(out, if *not { "HEADER.FIELDS.NOT" } else { "HEADER.FIELDS" });
            for (index, name) in names.iter().enumerate() {
                put(out, if index > 0 { " " } else { " (" });
                write_astring(out, name.as_bytes());
            }
            put(out, ")");
        }
    }
}
