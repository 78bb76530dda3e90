//! Responses, written straight into a buffer (RFC 3501 7). Nothing here allocates but the buffer.

mod fetch;
mod search;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compact_str::CompactString;

use crate::cursor::is_atom_char;
use crate::{Flag, MailboxName, StatusItem, Tag, utf7};

pub use fetch::{FetchWriter, SectionData};
pub use message::wire::{write_nstring, write_number, write_string};
pub use search::{Found, esearch, search};

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

impl Status {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
            Status::PreAuth => "PREAUTH",
            Status::Bye => "BYE",
        }
    }
}

/// A response code (RFC 3501 7.1, RFC 4315 3, RFC 5530 3, RFC 6154 3, RFC 7162 7).
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
    /// RFC 7162 3.1.2.1: the highest modseq of the mailbox.
    HighestModSeq(u64),
    /// RFC 7162 3.1.3: messages, by the numbers that STORE or UID STORE used, which changed after UNCHANGEDSINCE.
    Modified(&'a [u32]),
}

impl Code<'_> {
    /// Appends the code without its brackets.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Code::BadCharset(charsets) => {
                put(out, "BADCHARSET (");
                write_joined(out, *charsets);
                put(out, ")");
            }
            Code::Capability(names) => {
                put(out, "CAPABILITY ");
                write_joined(out, *names);
            }
            Code::PermanentFlags(flags, new_keywords) => write_permanent_flags(out, flags, *new_keywords),
            Code::UidNext(uid) => write_numbers(out, "UIDNEXT", &[*uid]),
            Code::UidValidity(validity) => write_numbers(out, "UIDVALIDITY", &[*validity]),
            Code::Unseen(sequence) => write_numbers(out, "UNSEEN", &[*sequence]),
            Code::AppendUid { uid_validity, uid } => write_numbers(out, "APPENDUID", &[*uid_validity, *uid]),
            Code::CopyUid { uid_validity, from, to } => {
                write_numbers(out, "COPYUID", &[*uid_validity]);
                put(out, " ");
                write_set(out, from);
                put(out, " ");
                write_set(out, to);
            }
            Code::HighestModSeq(modseq) => {
                put(out, "HIGHESTMODSEQ ");
                write_number(out, *modseq);
            }
            Code::Modified(numbers) => {
                put(out, "MODIFIED ");
                write_set(out, numbers);
            }
            _ => put(out, self.atom()),
        }
    }

    /// The name of a code; all of it, where it has no arguments.
    fn atom(&self) -> &'static str {
        match self {
            Code::Alert => "ALERT",
            Code::BadCharset(_) => "BADCHARSET",
            Code::Capability(_) => "CAPABILITY",
            Code::Parse => "PARSE",
            Code::PermanentFlags(..) => "PERMANENTFLAGS",
            Code::ReadOnly => "READ-ONLY",
            Code::ReadWrite => "READ-WRITE",
            Code::TryCreate => "TRYCREATE",
            Code::UidNext(_) => "UIDNEXT",
            Code::UidValidity(_) => "UIDVALIDITY",
            Code::Unseen(_) => "UNSEEN",
            Code::AppendUid { .. } => "APPENDUID",
            Code::CopyUid { .. } => "COPYUID",
            Code::UidNotSticky => "UIDNOTSTICKY",
            Code::Unavailable => "UNAVAILABLE",
            Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Code::Expired => "EXPIRED",
            Code::PrivacyRequired => "PRIVACYREQUIRED",
            Code::ContactAdmin => "CONTACTADMIN",
            Code::NoPerm => "NOPERM",
            Code::InUse => "INUSE",
            Code::ExpungeIssued => "EXPUNGEISSUED",
            Code::Corruption => "CORRUPTION",
            Code::ServerBug => "SERVERBUG",
            Code::ClientBug => "CLIENTBUG",
            Code::Cannot => "CANNOT",
            Code::Limit => "LIMIT",
            Code::OverQuota => "OVERQUOTA",
            Code::AlreadyExists => "ALREADYEXISTS",
            Code::NonExistent => "NONEXISTENT",
            Code::UseAttr => "USEATTR",
            Code::TooBig => "TOOBIG",
            Code::HighestModSeq(_) => "HIGHESTMODSEQ",
            Code::Modified(_) => "MODIFIED",
        }
    }
}

// ---- Status responses (RFC 3501 7.1)

/// Appends `TAG STATUS [code] text`.
pub fn tagged(out: &mut Vec<u8>, tag: &Tag, status: Status, code: Option<Code<'_>>, text: &str) {
    put(out, tag.as_str());
    write_condition(out, status, code, text);
}

/// Appends `* STATUS [code] text`.
pub fn untagged(out: &mut Vec<u8>, status: Status, code: Option<Code<'_>>, text: &str) {
    put(out, "*");
    write_condition(out, status, code, text);
}

/// RFC 3501 9: `SP resp-cond-state`, `resp-text = ["[" resp-text-code "]" SP] text`
fn write_condition(out: &mut Vec<u8>, status: Status, code: Option<Code<'_>>, text: &str) {
    put(out, " ");
    put(out, status.as_str());
    put(out, " ");
    if let Some(code) = code {
        put(out, "[");
        code.write(out);
        put(out, "] ");
    }
    write_text(out, text);
    end(out);
}

/// Appends `+ text`.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    put(out, "+ ");
    write_text(out, text);
    end(out);
}

/// Appends `+ base64`, a SASL challenge (RFC 3501 6.2.2).
pub fn challenge(out: &mut Vec<u8>, data: &[u8]) {
    put(out, "+ ");
    put(out, &STANDARD.encode(data));
    end(out);
}

// ---- Server and mailbox status (RFC 3501 7.2)

/// Appends `* CAPABILITY ...`; `IMAP4rev1` is the caller's to name.
pub fn capability(out: &mut Vec<u8>, names: &[&str]) {
    put(out, "* CAPABILITY ");
    write_joined(out, names);
    end(out);
}

/// Appends `* ENABLED ...` (RFC 5161 3.2).
pub fn enabled(out: &mut Vec<u8>, names: &[CompactString]) {
    put(out, "* ENABLED");
    for name in names {
        put(out, " ");
        put(out, name);
    }
    end(out);
}

/// Appends `* FLAGS (...)` (RFC 3501 7.2.6).
pub fn flags<'f>(out: &mut Vec<u8>, flags: impl IntoIterator<Item = &'f Flag>) {
    put(out, "* FLAGS (");
    write_joined(out, flags.into_iter().map(Flag::as_str));
    put(out, ")");
    end(out);
}

/// Appends `* LIST (attributes) "separator" name` (RFC 3501 7.2.2), the name in UTF-8. `None` as separator
/// is NIL.
pub fn list(out: &mut Vec<u8>, attributes: &[&str], separator: Option<char>, name: &str) {
    write_list(out, "LIST", attributes, separator, name);
}

/// Appends `* LSUB (attributes) "separator" name` (RFC 3501 7.2.3), the name in UTF-8.
pub fn lsub(out: &mut Vec<u8>, attributes: &[&str], separator: Option<char>, name: &str) {
    write_list(out, "LSUB", attributes, separator, name);
}

/// RFC 3501 9: `mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox`
fn write_list(out: &mut Vec<u8>, kind: &str, attributes: &[&str], separator: Option<char>, name: &str) {
    put(out, "* ");
    put(out, kind);
    put(out, " (");
    write_joined(out, attributes);
    put(out, ") ");
    write_separator(out, separator);
    put(out, " ");
    write_mailbox(out, name);
    end(out);
}

fn write_separator(out: &mut Vec<u8>, separator: Option<char>) {
    let mut bytes = [0; 4];
    write_nstring(out, separator.map(|separator| separator.encode_utf8(&mut bytes).as_bytes()));
}

/// Appends `* STATUS name (ITEM n ...)` (RFC 3501 7.2.4).
pub fn status(out: &mut Vec<u8>, name: &MailboxName, items: impl IntoIterator<Item = (StatusItem, u64)>) {
    put(out, "* STATUS ");
    write_mailbox(out, name.as_str());
    put(out, " (");
    for (index, (item, value)) in items.into_iter().enumerate() {
        put(out, if index > 0 { " " } else { "" });
        put(out, item.name());
        put(out, " ");
        write_number(out, value);
    }
    put(out, ")");
    end(out);
}

/// One namespace: its prefix (UTF-8) and separator (RFC 2342 5).
pub type Namespace<'a> = (&'a str, char);

/// Appends `* NAMESPACE personal others shared`; none of a kind is NIL.
pub fn namespace(
    out: &mut Vec<u8>,
    personal: &[Namespace<'_>],
    others: &[Namespace<'_>],
    shared: &[Namespace<'_>],
) {
    put(out, "* NAMESPACE");
    for namespaces in [personal, others, shared] {
        put(out, " ");
        write_namespaces(out, namespaces);
    }
    end(out);
}

/// RFC 2342 6: `"(" 1*("(" string SP (<"> QUOTED_CHAR <"> / nil) ")") ")" / nil`
fn write_namespaces(out: &mut Vec<u8>, namespaces: &[Namespace<'_>]) {
    if namespaces.is_empty() {
        return put(out, "NIL");
    }
    put(out, "(");
    for (prefix, separator) in namespaces {
        put(out, "(");
        write_string(out, utf7::encode(prefix).as_bytes());
        put(out, " ");
        write_separator(out, Some(*separator));
        put(out, ")");
    }
    put(out, ")");
}

/// Appends `* ID (...)` (RFC 2971 3.2); no fields are NIL.
pub fn id(out: &mut Vec<u8>, fields: &[(&str, &str)]) {
    put(out, "* ID ");
    put(out, if fields.is_empty() { "NIL" } else { "(" });
    for (index, (name, value)) in fields.iter().enumerate() {
        put(out, if index > 0 { " " } else { "" });
        write_string(out, name.as_bytes());
        put(out, " ");
        write_string(out, value.as_bytes());
    }
    put(out, if fields.is_empty() { "" } else { ")" });
    end(out);
}

// ---- Size and message status (RFC 3501 7.3, 7.4)

/// Appends `* n EXISTS`.
pub fn exists(out: &mut Vec<u8>, messages: u32) {
    write_numbered(out, messages, " EXISTS");
}

/// Appends `* n RECENT`.
pub fn recent(out: &mut Vec<u8>, messages: u32) {
    write_numbered(out, messages, " RECENT");
}

/// Appends `* n EXPUNGE`.
pub fn expunge(out: &mut Vec<u8>, sequence: u32) {
    write_numbered(out, sequence, " EXPUNGE");
}

fn write_numbered(out: &mut Vec<u8>, number: u32, name: &str) {
    put(out, "* ");
    write_number(out, u64::from(number));
    put(out, name);
    end(out);
}

// ---- Parts of responses

/// Appends a mailbox name given in UTF-8, in modified UTF-7, as an atom or a quoted string.
pub fn write_mailbox(out: &mut Vec<u8>, name: &str) {
    write_astring(out, utf7::encode(name).as_bytes());
}

/// Appends an atom, a quoted string or a literal, whichever is the first that can hold the bytes. An atom
/// has no `]`, which the grammar allows but some clients do not.
pub fn write_astring(out: &mut Vec<u8>, text: &[u8]) {
    let atom = !text.is_empty() && text.iter().all(|&b| is_atom_char(b));
    if atom && !text.eq_ignore_ascii_case(b"NIL") {
        out.extend_from_slice(text);
    } else {
        write_string(out, text);
    }
}

/// Appends numbers as a set, in the order given, runs of successors as ranges (RFC 4315 4, `uid-set`).
pub fn write_set(out: &mut Vec<u8>, numbers: &[u32]) {
    let runs = numbers.chunk_by(|before, after| before.checked_add(1) == Some(*after));
    for (index, run) in runs.enumerate() {
        put(out, if index > 0 { "," } else { "" });
        write_number(out, u64::from(run[0]));
        if let [_, .., last] = run {
            put(out, ":");
            write_number(out, u64::from(*last));
        }
    }
}

/// RFC 3501 9: `"PERMANENTFLAGS" SP "(" [flag-perm *(SP flag-perm)] ")"`
fn write_permanent_flags(out: &mut Vec<u8>, flags: &[Flag], new_keywords: bool) {
    put(out, "PERMANENTFLAGS (");
    write_joined(out, flags.iter().map(Flag::as_str).chain(new_keywords.then_some("\\*")));
    put(out, ")");
}

fn write_numbers(out: &mut Vec<u8>, name: &str, numbers: &[u32]) {
    put(out, name);
    for number in numbers {
        put(out, " ");
        write_number(out, u64::from(*number));
    }
}

/// Appends words with a space between them.
fn write_joined<W: AsRef<str>>(out: &mut Vec<u8>, words: impl IntoIterator<Item = W>) {
    for (index, word) in words.into_iter().enumerate() {
        put(out, if index > 0 { " " } else { "" });
        put(out, word.as_ref());
    }
}

/// RFC 3501 9: `text = 1*TEXT-CHAR`: line ends in it would end the response, so they become blanks, and
/// nothing becomes a full stop.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let bytes = if text.is_empty() { "." } else { text }.bytes();
    out.extend(bytes.map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }));
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn end(out: &mut Vec<u8>) {
    put(out, "\r\n");
}
