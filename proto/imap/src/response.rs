//! Responses, written straight into a buffer (RFC 3501 7).

use bytes::Bytes;
use compact_str::CompactString;

use crate::{DateTime, Flag, MailboxName, Pieces, Section, StatusItem, Tag};

pub use message::wire::{write_nstring, write_string};

/// The five conditions (RFC 3501 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// Not done.
    No,
    /// Not understood.
    Bad,
    /// A greeting: already authenticated.
    PreAuth,
    /// The connection ends.
    Bye,
}

/// A response code (RFC 3501 7.1, RFC 4315 3, RFC 5530 3, RFC 6154 3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Code<'a> {
    /// Must be shown to the user.
    Alert,
    /// The charset is not supported; these are.
    BadCharset(&'a [&'a str]),
    /// Capabilities.
    Capability(&'a [&'a str]),
    /// A message cannot be parsed.
    Parse,
    /// Flags that can be changed; `true` adds `\*`, new keywords may be made.
    PermanentFlags(&'a [Flag], bool),
    /// The mailbox is read-only.
    ReadOnly,
    /// The mailbox is read-write.
    ReadWrite,
    /// The target does not exist but could be created.
    TryCreate,
    /// The next UID.
    UidNext(u32),
    /// The UID validity.
    UidValidity(u32),
    /// The first message without `\Seen`, by sequence number.
    Unseen(u32),
    /// RFC 4315: what APPEND made.
    AppendUid {
        /// The mailbox's validity.
        uid_validity: u32,
        /// The new message's UID.
        uid: u32,
    },
    /// RFC 4315: what COPY and MOVE made; both slices have the same length, in the same order.
    CopyUid {
        /// The target's validity.
        uid_validity: u32,
        /// UIDs copied.
        from: &'a [u32],
        /// UIDs made.
        to: &'a [u32],
    },
    /// RFC 4315: the mailbox has no lasting UIDs.
    UidNotSticky,
    /// RFC 5530: `UNAVAILABLE`.
    Unavailable,
    /// RFC 5530: `AUTHENTICATIONFAILED`.
    AuthenticationFailed,
    /// RFC 5530: `AUTHORIZATIONFAILED`.
    AuthorizationFailed,
    /// RFC 5530: `EXPIRED`.
    Expired,
    /// RFC 5530: `PRIVACYREQUIRED`.
    PrivacyRequired,
    /// RFC 5530: `CONTACTADMIN`.
    ContactAdmin,
    /// RFC 5530: `NOPERM`.
    NoPerm,
    /// RFC 5530: `INUSE`.
    InUse,
    /// RFC 5530: `EXPUNGEISSUED`.
    ExpungeIssued,
    /// RFC 5530: `CORRUPTION`.
    Corruption,
    /// RFC 5530: `SERVERBUG`.
    ServerBug,
    /// RFC 5530: `CLIENTBUG`.
    ClientBug,
    /// RFC 5530: `CANNOT`.
    Cannot,
    /// RFC 5530: `LIMIT`.
    Limit,
    /// RFC 5530: `OVERQUOTA`.
    OverQuota,
    /// RFC 5530: `ALREADYEXISTS`.
    AlreadyExists,
    /// RFC 5530: `NONEXISTENT`.
    NonExistent,
    /// RFC 6154: `USEATTR`.
    UseAttr,
    /// RFC 7888 4: `TOOBIG`, the literal is too large.
    TooBig,
}

/// Appends `TAG STATUS [code] text`.
pub fn tagged(_out: &mut Vec<u8>, _tag: &Tag, _status: Status, _code: Option<Code<'_>>, _text: &str) {
    unimplemented!("response::tagged")
}

/// Appends `* STATUS [code] text`.
pub fn untagged(_out: &mut Vec<u8>, _status: Status, _code: Option<Code<'_>>, _text: &str) {
    unimplemented!("response::untagged")
}

/// Appends `+ text`.
pub fn continuation(_out: &mut Vec<u8>, _text: &str) {
    unimplemented!("response::continuation")
}

/// Appends `+ base64`, a SASL challenge.
pub fn challenge(_out: &mut Vec<u8>, _data: &[u8]) {
    unimplemented!("response::challenge")
}

/// Appends `* CAPABILITY ...`; `IMAP4rev1` is the caller's to name.
pub fn capability(_out: &mut Vec<u8>, _names: &[&str]) {
    unimplemented!("response::capability")
}

/// Appends `* ENABLED ...` (RFC 5161 3.2).
pub fn enabled(_out: &mut Vec<u8>, _names: &[CompactString]) {
    unimplemented!("response::enabled")
}

/// Appends `* FLAGS (...)` (RFC 3501 7.2.6).
pub fn flags<'f>(_out: &mut Vec<u8>, _flags: impl IntoIterator<Item = &'f Flag>) {
    unimplemented!("response::flags")
}

/// Appends `* n EXISTS`.
pub fn exists(_out: &mut Vec<u8>, _messages: u32) {
    unimplemented!("response::exists")
}

/// Appends `* n RECENT`.
pub fn recent(_out: &mut Vec<u8>, _messages: u32) {
    unimplemented!("response::recent")
}

/// Appends `* n EXPUNGE`.
pub fn expunge(_out: &mut Vec<u8>, _sequence: u32) {
    unimplemented!("response::expunge")
}

/// Appends `* SEARCH n ...` (RFC 3501 7.2.5).
pub fn search(_out: &mut Vec<u8>, _numbers: impl IntoIterator<Item = u32>) {
    unimplemented!("response::search")
}

/// Appends `* LIST (attributes) "separator" name` (RFC 3501 7.2.2). `None` as separator is NIL.
pub fn list(_out: &mut Vec<u8>, _attributes: &[&str], _separator: Option<char>, _name: &str) {
    unimplemented!("response::list")
}

/// Appends `* LSUB (attributes) "separator" name` (RFC 3501 7.2.3).
pub fn lsub(_out: &mut Vec<u8>, _attributes: &[&str], _separator: Option<char>, _name: &str) {
    unimplemented!("response::lsub")
}

/// Appends `* STATUS name (ITEM n ...)` (RFC 3501 7.2.4).
pub fn status(_out: &mut Vec<u8>, _name: &MailboxName, _items: impl IntoIterator<Item = (StatusItem, u64)>) {
    unimplemented!("response::status")
}

/// One namespace: its prefix (UTF-8) and separator (RFC 2342 5).
pub type Namespace<'a> = (&'a str, char);

/// Appends `* NAMESPACE personal others shared`; none of a kind is NIL.
pub fn namespace(
    _out: &mut Vec<u8>,
    _personal: &[Namespace<'_>],
    _others: &[Namespace<'_>],
    _shared: &[Namespace<'_>],
) {
    unimplemented!("response::namespace")
}

/// Appends `* ID (...)` (RFC 2971 3.2); no fields are NIL.
pub fn id(_out: &mut Vec<u8>, _fields: &[(&str, &str)]) {
    unimplemented!("response::id")
}

/// Appends a mailbox name, encoded and as a quoted string.
pub fn write_mailbox(_out: &mut Vec<u8>, _name: &str) {
    unimplemented!("response::write_mailbox")
}

/// Appends an atom, a quoted string or a literal, whichever is shortest.
pub fn write_astring(_out: &mut Vec<u8>, _text: &[u8]) {
    unimplemented!("response::write_astring")
}

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
}

impl<'p, F> FetchWriter<'p, F> {
    /// Appends `* n FETCH (`.
    pub fn begin(pieces: &'p mut Pieces<F>, _sequence: u32) -> FetchWriter<'p, F> {
        let mut writer = FetchWriter { pieces };
        writer.name("");
        unimplemented!("FetchWriter::begin")
    }

    /// Goes on in a response that was begun and whose first items may have been written out already.
    pub fn resume(_pieces: &'p mut Pieces<F>) -> FetchWriter<'p, F> {
        unimplemented!("FetchWriter::resume")
    }

    /// `UID n`.
    pub fn uid(&mut self, _uid: u32) {
        unimplemented!("FetchWriter::uid")
    }

    /// `FLAGS (...)`: names as on the wire.
    pub fn flags<'f>(&mut self, _flags: impl IntoIterator<Item = &'f str>) {
        unimplemented!("FetchWriter::flags")
    }

    /// `INTERNALDATE "..."`.
    pub fn internal_date(&mut self, _date: &DateTime) {
        unimplemented!("FetchWriter::internal_date")
    }

    /// `RFC822.SIZE n`.
    pub fn size(&mut self, _octets: u64) {
        unimplemented!("FetchWriter::size")
    }

    /// `ENVELOPE (...)`, already rendered.
    pub fn envelope(&mut self, _rendered: &[u8]) {
        unimplemented!("FetchWriter::envelope")
    }

    /// `BODY (...)`, already rendered.
    pub fn body(&mut self, _rendered: &[u8]) {
        unimplemented!("FetchWriter::body")
    }

    /// `BODYSTRUCTURE (...)`, already rendered.
    pub fn body_structure(&mut self, _rendered: &[u8]) {
        unimplemented!("FetchWriter::body_structure")
    }

    /// `BODY[section]<origin> data`.
    pub fn section(&mut self, _section: &Section, _origin: Option<u32>, _data: SectionData<F>) {
        unimplemented!("FetchWriter::section")
    }

    /// `RFC822 data`, `RFC822.HEADER data` or `RFC822.TEXT data`.
    pub fn rfc822(&mut self, _name: &str, _data: SectionData<F>) {
        unimplemented!("FetchWriter::rfc822")
    }

    /// Appends `)` and the line end.
    pub fn end(self) {
        unimplemented!("FetchWriter::end")
    }

    fn name(&mut self, name: &str) {
        self.pieces.text().extend_from_slice(name.as_bytes());
    }
}
