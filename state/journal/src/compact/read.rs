//! Reading a sealed segment as compaction does: its records of state, without the data between them.

use std::io;

use crate::error::{Damage, JournalError};
use crate::lsn::Lsn;
use crate::record::Class;
use crate::segment::{HeadAt, SEGMENT_HEAD_BYTES, SegmentReader, State};

/// The frames of a sealed segment, as records of state.
pub(super) struct States {
    reader: SegmentReader,
    offset: u64,
    expected: Lsn,
    next: Lsn,
}

/// The records of state of one frame.
pub(super) struct StateFrame {
    pub states: Vec<State>,
    /// Bytes of all records of the frame, data included.
    pub bytes: u64,
}

impl States {
    /// Reads a segment whose last record is the one before `next`.
    pub fn new(reader: SegmentReader, next: Lsn) -> Self {
        let expected = reader.segment().first;
        Self { reader, offset: SEGMENT_HEAD_BYTES as u64, expected, next }
    }

    /// The next frame; none at the end. Damage is an error: what it hides cannot be said anew.
    pub fn step(&mut self) -> Result<Option<StateFrame>, JournalError> {
        if self.expected >= self.next {
            return Ok(None);
        }
        let io = JournalError::io(self.reader.segment().path.clone());
        let Some((at, states)) = self.frame().map_err(io)? else {
            return Err(self.damaged(self.offset, self.expected));
        };
        if at.head.first != self.expected {
            return Err(self.damaged(self.offset, self.expected));
        }
        if let Some(state) = states.iter().find(|state| !state.stored.intact) {
            return Err(self.damaged(state.stored.place.offset, state.stored.place.lsn));
        }
        (self.offset, self.expected) = (at.end(), at.head.lsn_next());
        Ok(Some(StateFrame { states, bytes: at.head.data_bytes }))
    }

    /// The frame at the current place, if it is whole.
    fn frame(&mut self) -> io::Result<Option<(HeadAt, Vec<State>)>> {
        let Some(at) = self.reader.head_at(self.offset)? else { return Ok(None) };
        Ok(self.reader.states(&at)?.map(|states| (at, states)))
    }

    fn damaged(&self, offset: u64, lsn: Lsn) -> JournalError {
        let segment = self.reader.segment().path.clone();
        JournalError::Damaged(Damage { segment, offset, lsn, class: Class::State })
    }
}
