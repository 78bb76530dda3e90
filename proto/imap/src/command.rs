//! The commands a client sends, as types.

use std::fmt;

use compact_str::CompactString;

use crate::{
    CommandError, DateTime, Fetch, FetchItem, Flag, Line, List, MailboxName, Search, SequenceSet, SpecialUse,
};

/// The tag that a client puts before a command and the server before its answer (RFC 3501 2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(CompactString);

impl Tag {
    /// A tag, if `text` is one: characters of an astring without `+` (RFC 3501 9, `tag`).
    pub fn new(text: &[u8]) -> Option<Tag> {
        let text = std::str::from_utf8(text).ok().filter(|t| !t.is_empty())?;
        let well_formed = text.bytes().all(|b| crate::cursor::is_astring_char(b) && b != b'+');
        well_formed.then(|| Tag(text.into()))
    }

    /// The tag as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Command {
    /// Whether a client that sends it has shown that it knows of modseqs (RFC 7162 3.1, "CONDSTORE enabling command"):
    /// from then on every FETCH response that it did not ask for has one.
    pub fn enables_condstore(&self) -> bool {
        match self {
            Command::Enable(names) => names.iter().any(|name| name == "CONDSTORE"),
            Command::Select { condstore, .. } => *condstore,
            Command::Status { items, .. } => items.contains(&StatusItem::HighestModSeq),
            Command::List(list) => list.asks_modseq(),
            Command::Fetch(fetch) => {
                fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq)
            }
            Command::Store(store) => store.unchanged_since.is_some(),
            Command::Search(search) => search.key.asks_modseq(),
            _ => false,
        }
    }
}

impl Command {
    /// The names of existing mailboxes, or of ones to come, that it has; not the one that CREATE makes.
    pub fn mailboxes_mut(&mut self) -> Vec<&mut MailboxName> {
        match self {
            Command::Select { mailbox, .. }
            | Command::Status { mailbox, .. }
            | Command::Copy { mailbox, .. }
            | Command::Move { mailbox, .. }
            | Command::Delete(mailbox)
            | Command::Subscribe(mailbox)
            | Command::Unsubscribe(mailbox) => vec![mailbox],
            Command::Rename { from, to } => vec![from, to],
            Command::Append(append) => vec![&mut append.mailbox],
            _ => Vec::new(),
        }
    }
}

/// A command with its tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What the tagged answer begins with.
    pub tag: Tag,
    /// What is asked for.
    pub command: Command,
}

impl Request {
    /// Parses a framed line. An error carries the tag (if one could be read) and the answer to send.
    pub fn parse(line: &Line) -> Result<Request, CommandError> {
        crate::parse::request(line)
    }
}

/// How the numbers of a command count messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// Message sequence numbers (RFC 3501 2.3.1.2).
    Sequence,
    /// Unique identifiers: the command came as `UID ...` (RFC 3501 6.4.8).
    Uid,
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    // -- any state
    /// RFC 3501 6.1.1.
    Capability,
    /// RFC 3501 6.1.2.
    Noop,
    /// RFC 3501 6.1.3.
    Logout,
    /// RFC 2971 3.1: what the client says of itself; empty for `NIL`.
    Id(Vec<(String, Option<String>)>),

    // -- not authenticated
    /// RFC 3501 6.2.1.
    StartTls,
    /// RFC 3501 6.2.2; the initial response is RFC 4959's.
    Authenticate {
        /// The SASL mechanism's name in upper case.
        mechanism: CompactString,
        /// The initial response, decoded; `Some` of nothing when the client sent `=`.
        initial: Option<Secret>,
    },
    /// RFC 3501 6.2.3.
    Login {
        /// The login name.
        login: String,
        /// The password.
        password: Secret,
    },

    // -- authenticated
    /// RFC 5161 3.1.
    Enable(Vec<Capability>),
    /// SELECT (RFC 3501 6.3.1) or, read-only, EXAMINE (RFC 3501 6.3.2).
    Select {
        /// Which mailbox.
        mailbox: MailboxName,
        /// The command was EXAMINE.
        read_only: bool,
        /// With the parameter CONDSTORE (RFC 7162 3.1.8).
        condstore: bool,
    },
    /// RFC 3501 6.3.3, with the USE parameter of RFC 6154 3.
    Create {
        /// Which mailbox. A separator at its end, by which the client says that it will make mailboxes under
        /// it, is still there: the server knows its separator and takes it off.
        mailbox: MailboxName,
        /// What it is for; usually nothing.
        special_use: Vec<SpecialUse>,
    },
    /// RFC 3501 6.3.4.
    Delete(MailboxName),
    /// RFC 3501 6.3.5.
    Rename {
        /// The existing name.
        from: MailboxName,
        /// The name it shall have.
        to: MailboxName,
    },
    /// RFC 3501 6.3.6.
    Subscribe(MailboxName),
    /// RFC 3501 6.3.7.
    Unsubscribe(MailboxName),
    /// RFC 3501 6.3.8, with the options of RFC 5258.
    List(List),
    /// LSUB (RFC 3501 6.3.9): its selection and return options are empty.
    Lsub(List),
    /// RFC 3501 6.3.10.
    Status {
        /// Which mailbox.
        mailbox: MailboxName,
        /// What is asked, in the client's order.
        items: Vec<StatusItem>,
    },
    /// RFC 3501 6.3.11. The message itself was streamed past: see [`crate::LiteralHeader::append`].
    Append(Append),
    /// RFC 2342 5.
    Namespace,
    /// RFC 2177 3; the client ends it by the line `DONE` ([`crate::Framer::raw_line`]).
    Idle,

    // -- selected
    /// RFC 3501 6.4.1.
    Check,
    /// RFC 3501 6.4.2.
    Close,
    /// RFC 3691 2.
    Unselect,
    /// EXPUNGE (RFC 3501 6.4.3) or, with a set, UID EXPUNGE (RFC 4315 2.1).
    Expunge {
        /// Only these UIDs.
        uids: Option<SequenceSet>,
    },
    /// RFC 3501 6.4.4.
    Search(Search),
    /// RFC 3501 6.4.5.
    Fetch(Fetch),
    /// RFC 3501 6.4.6.
    Store(Store),
    /// RFC 3501 6.4.7.
    Copy {
        /// How `set` counts.
        by: Numbering,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: MailboxName,
    },
    /// RFC 6851 3.1.
    Move {
        /// How `set` counts.
        by: Numbering,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: MailboxName,
    },

    /// A verb that this crate does not know. A server answers BAD; a proxy passes the line on.
    Unknown {
        /// The verb in upper case.
        verb: CompactString,
        /// The whole line as it was framed, tag included, without its line end.
        raw: bytes::Bytes,
    },
}

/// The name of a capability, in upper case.
pub type Capability = CompactString;

/// APPEND up to its message (RFC 3501 6.3.11).
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// Where to.
    pub mailbox: MailboxName,
    /// Flags and keywords to set.
    pub flags: Vec<Flag>,
    /// The internal date, if the client gave one.
    pub internal_date: Option<DateTime>,
    /// Octets of the message.
    pub octets: u64,
}

/// STORE (RFC 3501 6.4.6).
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// How `set` counts.
    pub by: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// UNCHANGEDSINCE (RFC 7162 3.1.3): only messages whose modseq is not above this; 63 bits. Zero stands for
    /// messages that never had what the flags name.
    pub unchanged_since: Option<u64>,
    /// What is done with the flags.
    pub op: StoreOp,
    /// `.SILENT`: no FETCH response for what the client itself changed.
    pub silent: bool,
    /// The flags; never `\Recent`.
    pub flags: Vec<Flag>,
}

/// What STORE does with the flags it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOp {
    /// `FLAGS`.
    Replace,
    /// `+FLAGS`.
    Add,
    /// `-FLAGS`.
    Remove,
}

/// What STATUS can be asked for (RFC 3501 6.3.10, RFC 7162 3.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItem {
    /// Messages in the mailbox.
    Messages,
    /// Messages with `\Recent`.
    Recent,
    /// The next UID.
    UidNext,
    /// The UID validity.
    UidValidity,
    /// Messages without `\Seen`.
    Unseen,
    /// The highest modseq (RFC 7162 3.1.7).
    HighestModSeq,
}

impl StatusItem {
    /// Every item, with its name on the wire.
    pub const ALL: [(StatusItem, &str); 6] = [
        (StatusItem::Messages, "MESSAGES"),
        (StatusItem::Recent, "RECENT"),
        (StatusItem::UidNext, "UIDNEXT"),
        (StatusItem::UidValidity, "UIDVALIDITY"),
        (StatusItem::Unseen, "UNSEEN"),
        (StatusItem::HighestModSeq, "HIGHESTMODSEQ"),
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        StatusItem::ALL.iter().find(|(item, _)| *item == self).map_or("", |(_, name)| name)
    }
}

/// Bytes that must not show up in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A line that answers a SASL challenge (RFC 3501 6.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthLine {
    /// `*`: the client gives up.
    Cancel,
    /// The decoded answer.
    Data(Secret),
    /// Not base64.
    Malformed,
}

impl AuthLine {
    /// Reads a line without its line end.
    pub fn parse(line: &[u8]) -> AuthLine {
        crate::parse::auth_line(line)
    }
}
