//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 7.4.2).
//!
//! A part's header is read once, when it ends: what it says is kept as it will be written ([`Facts`]).
//! Sizes and children are known at the end, when the pieces are joined.

use bytes::Bytes;

use crate::addresses::{AddressItem, address_items};
use crate::fields::{HeaderIter, unfold};
use crate::media::{MediaType, Parameterized};
use crate::part::{Part, PartKind};
use crate::wire::{write_nstring, write_number, write_string};

/// What IMAP clients ask for most, as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The value of `ENVELOPE`, parentheses included.
    pub envelope: Bytes,
    /// The value of `BODY`.
    pub body: Bytes,
    /// The value of `BODYSTRUCTURE`.
    pub body_structure: Bytes,
    /// The message's header with its blank line. If it is longer than
    /// [`crate::ScanLimits::header_bytes_max`], its first whole lines and a blank line: then it is shorter
    /// than the root's `header` range.
    pub header: Bytes,
}

/// What a part's header says, rendered.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    kind: Option<PartKind>,
    /// Of a multipart.
    pub(crate) boundary: Option<Vec<u8>>,
    /// multipart/digest: parts without a type are messages.
    pub(crate) is_digest: bool,
    /// `body-fields` up to the encoding, with the type before them; of a multipart its subtype.
    basic: Vec<u8>,
    /// What BODYSTRUCTURE adds.
    extension: Vec<u8>,
    /// Of a message.
    envelope: Vec<u8>,
}

impl Facts {
    /// Reads a header section.
    pub(crate) fn read(header: &[u8], is_message: bool, in_digest: bool) -> Facts {
        let fields = Fields::read(header);
        let default = if in_digest { MediaType::digest_default } else { MediaType::plain_text };
        let media = fields.content_type.and_then(MediaType::parse).unwrap_or_else(default);
        let mut facts = Facts { kind: Some(kind(&media)), ..Facts::default() };
        if media.is_main("multipart") {
            facts.boundary = boundary(&media);
            facts.is_digest = media.is("multipart", "digest");
            write_string(&mut facts.basic, &media.sub);
            write_multipart_extension(&mut facts.extension, &media, &fields);
        } else {
            write_basic(&mut facts.basic, &media, &fields);
            write_single_extension(&mut facts.extension, &fields);
        }
        if is_message {
            write_envelope(&mut facts.envelope, &fields);
        }
        facts
    }

    pub(crate) fn kind(&self) -> PartKind {
        self.kind.unwrap_or(PartKind::Other)
    }

    /// No parts are looked for in this one: a limit is reached.
    pub(crate) fn make_opaque(&mut self) {
        self.boundary = None;
        if self.kind == Some(PartKind::Message) {
            self.kind = Some(PartKind::Other);
            self.basic = b"\"application\" \"octet-stream\" NIL NIL NIL \"7bit\"".to_vec();
        }
    }
}

fn kind(media: &MediaType) -> PartKind {
    match media {
        _ if media.is_main("multipart") => PartKind::Multipart,
        _ if media.is("message", "rfc822") => PartKind::Message,
        _ if media.is_main("text") => PartKind::Text,
        _ => PartKind::Other,
    }
}

/// Blanks at the end of a boundary are not part of it (RFC 2046 5.1.1).
fn boundary(media: &MediaType) -> Option<Vec<u8>> {
    let boundary = media.params.param(b"boundary")?.trim_ascii_end();
    (!boundary.is_empty()).then(|| boundary.to_vec())
}

/// The fields that are looked at. Of several with one name the first counts, but address fields add up.
#[derive(Default)]
struct Fields<'h> {
    date: Option<&'h [u8]>,
    subject: Option<&'h [u8]>,
    from: Vec<AddressItem>,
    sender: Vec<AddressItem>,
    reply_to: Vec<AddressItem>,
    to: Vec<AddressItem>,
    cc: Vec<AddressItem>,
    bcc: Vec<AddressItem>,
    in_reply_to: Option<&'h [u8]>,
    message_id: Option<&'h [u8]>,
    content_type: Option<&'h [u8]>,
    content_id: Option<&'h [u8]>,
    description: Option<&'h [u8]>,
    encoding: Option<&'h [u8]>,
    md5: Option<&'h [u8]>,
    disposition: Option<&'h [u8]>,
    language: Option<&'h [u8]>,
    location: Option<&'h [u8]>,
}

impl<'h> Fields<'h> {
    fn read(header: &'h [u8]) -> Fields<'h> {
        let mut fields = Fields::default();
        for field in HeaderIter::new(header) {
            fields.take(&field.name.to_ascii_lowercase(), field.value);
        }
        fields
    }

    fn take(&mut self, name: &[u8], value: &'h [u8]) {
        match name {
            b"from" => self.from.extend(address_items(value)),
            b"sender" => self.sender.extend(address_items(value)),
            b"reply-to" => self.reply_to.extend(address_items(value)),
            b"to" => self.to.extend(address_items(value)),
            b"cc" => self.cc.extend(address_items(value)),
            b"bcc" => self.bcc.extend(address_items(value)),
            _ => {
                if let Some(slot) = self.slot(name) {
                    slot.get_or_insert(value);
                }
            }
        }
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<&'h [u8]>> {
        Some(match name {
            b"date" => &mut self.date,
            b"subject" => &mut self.subject,
            b"in-reply-to" => &mut self.in_reply_to,
            b"message-id" => &mut self.message_id,
            b"content-type" => &mut self.content_type,
            b"content-id" => &mut self.content_id,
            b"content-description" => &mut self.description,
            b"content-transfer-encoding" => &mut self.encoding,
            b"content-md5" => &mut self.md5,
            b"content-disposition" => &mut self.disposition,
            b"content-language" => &mut self.language,
            b"content-location" => &mut self.location,
            _ => return None,
        })
    }
}

// ---- ENVELOPE

/// ```text
/// envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
///            env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
/// ```
/// Sender and Reply-To, where absent, are From (RFC 3501 7.4.2).
fn write_envelope(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.push(b'(');
    write_unfolded(out, fields.date);
    out.push(b' ');
    write_unfolded(out, fields.subject);
    let or_from = |own| if Vec::is_empty(own) { &fields.from } else { own };
    let (sender, reply_to) = (or_from(&fields.sender), or_from(&fields.reply_to));
    for list in [&fields.from, sender, reply_to, &fields.to, &fields.cc, &fields.bcc] {
        out.push(b' ');
        write_addresses(out, list);
    }
    out.push(b' ');
    write_unfolded(out, fields.in_reply_to);
    out.push(b' ');
    write_unfolded(out, fields.message_id);
    out.push(b')');
}

fn write_unfolded(out: &mut Vec<u8>, value: Option<&[u8]>) {
    write_nstring(out, value.map(unfold).as_deref());
}

/// RFC 3501 9: `"(" 1*address ")" / nil`
fn write_addresses(out: &mut Vec<u8>, items: &[AddressItem]) {
    if items.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for item in items {
        write_address(out, item);
    }
    out.push(b')');
}

/// RFC 3501 9: `address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"`. A NIL host means a
/// group, so an address without a domain says `MISSING_DOMAIN`, as Dovecot does.
fn write_address(out: &mut Vec<u8>, item: &AddressItem) {
    let fields = match item {
        AddressItem::GroupBegin(name) => [None, None, Some(&name[..]), None],
        AddressItem::GroupEnd => [None; 4],
        AddressItem::Mailbox { name, route, local, domain } => {
            let local = if local.is_empty() { b"MISSING_MAILBOX" } else { &local[..] };
            let domain = domain.as_deref().unwrap_or(b"MISSING_DOMAIN");
            [name.as_deref(), route.as_deref(), Some(local), Some(domain)]
        }
    };
    for (index, field) in fields.into_iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        write_nstring(out, field);
    }
    out.push(b')');
}

// ---- BODY and BODYSTRUCTURE

/// RFC 3501 9: `media-basic` or `media-text`, then `body-fields` without the size.
fn write_basic(out: &mut Vec<u8>, media: &MediaType, fields: &Fields<'_>) {
    write_string(out, &media.main);
    out.push(b' ');
    write_string(out, &media.sub);
    out.push(b' ');
    write_media_params(out, media);
    out.push(b' ');
    write_unfolded(out, fields.content_id);
    out.push(b' ');
    write_unfolded(out, fields.description);
    out.push(b' ');
    let encoding = fields.encoding.map(|value| Parameterized::parse(value).value);
    let encoding = encoding.filter(|encoding| !encoding.is_empty());
    write_string(out, encoding.as_deref().unwrap_or(b"7bit"));
}

/// Text without a charset is in US-ASCII (RFC 2045 5.2), and says so.
fn write_media_params(out: &mut Vec<u8>, media: &MediaType) {
    let mut params = media.params.params.clone();
    if media.is_main("text") && media.params.param(b"charset").is_none() {
        params.push((b"charset".to_vec(), b"us-ascii".to_vec()));
    }
    write_params(out, &params);
}

/// RFC 3501 9: `body-fld-param = "(" string SP string *(SP string SP string) ")" / nil`
fn write_params(out: &mut Vec<u8>, params: &[(Vec<u8>, Vec<u8>)]) {
    if params.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    for (index, (name, value)) in params.iter().enumerate() {
        out.push(if index == 0 { b'(' } else { b' ' });
        write_string(out, name);
        out.push(b' ');
        write_string(out, value);
    }
    out.push(b')');
}

/// RFC 3501 9: `body-ext-1part`, all of it.
fn write_single_extension(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.push(b' ');
    write_unfolded(out, fields.md5);
    write_shared_extension(out, fields);
}

/// RFC 3501 9: `body-ext-mpart`, all of it.
fn write_multipart_extension(out: &mut Vec<u8>, media: &MediaType, fields: &Fields<'_>) {
    out.push(b' ');
    write_params(out, &media.params.params);
    write_shared_extension(out, fields);
}

/// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
fn write_shared_extension(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.push(b' ');
    write_disposition(out, fields.disposition);
    out.push(b' ');
    write_languages(out, fields.language);
    out.push(b' ');
    write_unfolded(out, fields.location);
}

/// RFC 3501 9: `body-fld-dsp = "(" string SP body-fld-param ")" / nil`
fn write_disposition(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let disposition = value.map(Parameterized::parse).filter(|parsed| !parsed.value.is_empty());
    let Some(disposition) = disposition else { return out.extend_from_slice(b"NIL") };
    out.push(b'(');
    write_string(out, &disposition.value);
    out.push(b' ');
    write_params(out, &disposition.params);
    out.push(b')');
}

/// RFC 3501 9: `body-fld-lang = nstring / "(" string *(SP string) ")"`; always the list.
fn write_languages(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let value = unfold(value.unwrap_or_default());
    let tags = value.split(|&b| b == b',').map(|tag| Parameterized::parse(tag).value);
    let before = out.len();
    for tag in tags.filter(|tag| !tag.is_empty()) {
        out.push(if out.len() == before { b'(' } else { b' ' });
        write_string(out, &tag);
    }
    out.extend_from_slice(if out.len() == before { b"NIL" } else { b")" });
}

/// Joins what was kept of each part.
pub(crate) fn rendered(parts: &[Part], facts: &[Facts]) -> Rendered {
    let body = |extended| {
        let mut out = Vec::new();
        Tree { parts, facts, extended }.write(&mut out, 0);
        Bytes::from(out)
    };
    Rendered {
        envelope: Bytes::copy_from_slice(&facts[0].envelope),
        body: body(false),
        body_structure: body(true),
        header: Bytes::new(),
    }
}

struct Tree<'s> {
    parts: &'s [Part],
    facts: &'s [Facts],
    extended: bool,
}

impl Tree<'_> {
    /// RFC 3501 9: `body = "(" (body-type-1part / body-type-mpart) ")"`. Nesting is bounded by
    /// [`crate::ScanLimits::depth_max`].
    fn write(&self, out: &mut Vec<u8>, index: usize) {
        out.push(b'(');
        match self.parts[index].kind {
            PartKind::Multipart => self.write_multipart(out, index),
            _ => self.write_single(out, index),
        }
        if self.extended {
            out.extend_from_slice(&self.facts[index].extension);
        }
        out.push(b')');
    }

    /// `body-type-mpart = 1*body SP media-subtype`: a multipart without parts is shown with one that is
    /// empty, as Cyrus and Dovecot do, since the grammar wants one.
    fn write_multipart(&self, out: &mut Vec<u8>, index: usize) {
        for &child in &self.parts[index].children {
            self.write(out, child as usize);
        }
        if self.parts[index].children.is_empty() {
            self.write_empty(out);
        }
        out.push(b' ');
        out.extend_from_slice(&self.facts[index].basic);
    }

    /// A part without content.
    fn write_empty(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
        out.extend_from_slice(if self.extended { b" NIL NIL NIL NIL)" } else { b")" });
    }

    /// `body-type-basic`, `body-type-text` or `body-type-msg`
    fn write_single(&self, out: &mut Vec<u8>, index: usize) {
        let part = &self.parts[index];
        out.extend_from_slice(&self.facts[index].basic);
        out.push(b' ');
        write_number(out, part.body.end - part.body.start);
        if part.kind == PartKind::Message {
            self.write_inner(out, part.children.first().map(|&child| child as usize));
        }
        if matches!(part.kind, PartKind::Message | PartKind::Text) {
            out.push(b' ');
            write_number(out, part.lines);
        }
    }

    /// `SP envelope SP body` of the message in a part; a part that ends with its header has none.
    fn write_inner(&self, out: &mut Vec<u8>, message: Option<usize>) {
        out.push(b' ');
        match message {
            Some(message) => {
                out.extend_from_slice(&self.facts[message].envelope);
                out.push(b' ');
                self.write(out, message);
            }
            None => {
                out.extend_from_slice(b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ");
                self.write_empty(out);
            }
        }
    }
}
