//! Records.

use bytes::Bytes;

use crate::lsn::{Lsn, Place};

/// What damage to a record costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The state of a store: without it nothing after it can be trusted, and the journal opens read-only.
    State,
    /// The bytes of one message: without it that message is lost and named, and the rest goes on.
    ///
    /// Records of this class may come damaged to [`crate::Store::apply`], which must not look at their bytes.
    Body,
}

/// One record: what it means is known to its store alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The store's name for this kind of record.
    pub kind: u16,
    /// What damage to it costs.
    pub class: Class,
    /// Its content; stores put a version of their format first.
    pub bytes: Bytes,
}

impl Record {
    /// A record of a store's state.
    pub fn state(kind: u16, bytes: impl Into<Bytes>) -> Self {
        Self { kind, class: Class::State, bytes: bytes.into() }
    }

    /// The bytes of a message.
    pub fn body(kind: u16, bytes: impl Into<Bytes>) -> Self {
        Self { kind, class: Class::Body, bytes: bytes.into() }
    }
}

/// A record as it stands in a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record; if it is not intact, its bytes are not to be trusted.
    pub record: Record,
    /// Where it is.
    pub place: Place,
    /// Whether its bytes have their checksum. Only a body is ever handed out damaged.
    pub intact: bool,
}

impl StoredRecord {
    /// Its number.
    pub fn lsn(&self) -> Lsn {
        self.place.lsn
    }
}
