//! What is to be sent: text in a reused buffer, and what is better not copied.

use std::ops::Range;

use bytes::Bytes;

/// Shared bytes up to this many are copied into the buffer.
const COPY_BYTES_MAX: usize = 1_024;

/// One piece. `F` is whatever the caller reads files by; this crate only carries it.
#[derive(Debug, Clone)]
pub enum Piece<F> {
    /// A range of the queue's own buffer.
    Inline(Range<usize>),
    /// Bytes that are shared.
    Bytes(Bytes),
    /// Octets of a file.
    File {
        /// The file.
        file: F,
        /// The first octet.
        offset: u64,
        /// How many.
        octets: u64,
    },
}

/// A piece as it is read from the queue.
#[derive(Debug)]
pub enum PieceRef<'p, F> {
    /// Bytes to send.
    Bytes(&'p [u8]),
    /// Octets of a file to send.
    File {
        /// The file.
        file: &'p F,
        /// The first octet.
        offset: u64,
        /// How many.
        octets: u64,
    },
}

/// A queue of pieces for one vectored write. Cleared, it keeps its memory.
#[derive(Debug)]
pub struct Pieces<F> {
    buffer: Vec<u8>,
    sealed: usize,
    queue: Vec<Piece<F>>,
    queued: u64,
}

impl<F> Default for Pieces<F> {
    fn default() -> Pieces<F> {
        Pieces { buffer: Vec::new(), sealed: 0, queue: Vec::new(), queued: 0 }
    }
}

impl<F> Pieces<F> {
    /// An empty queue.
    pub fn new() -> Pieces<F> {
        Pieces::default()
    }

    /// The buffer that the response writers append to. Only ever append.
    pub fn text(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Queues shared bytes; few of them are copied, which is cheaper.
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_BYTES_MAX {
            return self.buffer.extend_from_slice(&bytes);
        }
        self.seal();
        self.queued += bytes.len() as u64;
        self.queue.push(Piece::Bytes(bytes));
    }

    /// Queues octets of a file.
    pub fn push_file(&mut self, file: F, offset: u64, octets: u64) {
        self.seal();
        self.queued += octets;
        self.queue.push(Piece::File { file, offset, octets });
    }

    /// Octets to send, files included.
    pub fn octets(&self) -> u64 {
        self.queued + (self.buffer.len() - self.sealed) as u64
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.octets() == 0
    }

    /// The pieces in order.
    pub fn iter(&mut self) -> impl Iterator<Item = PieceRef<'_, F>> {
        self.seal();
        let buffer = &self.buffer;
        self.queue.iter().map(move |piece| match piece {
            Piece::Inline(range) => PieceRef::Bytes(&buffer[range.clone()]),
            Piece::Bytes(bytes) => PieceRef::Bytes(bytes),
            Piece::File { file, offset, octets } => PieceRef::File { file, offset: *offset, octets: *octets },
        })
    }

    /// Forgets what was sent and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.queue.clear();
        self.sealed = 0;
        self.queued = 0;
    }

    fn seal(&mut self) {
        if self.sealed < self.buffer.len() {
            self.queued += (self.buffer.len() - self.sealed) as u64;
            self.queue.push(Piece::Inline(self.sealed..self.buffer.len()));
            self.sealed = self.buffer.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pieces: &mut Pieces<&'static str>) -> Vec<String> {
        let shown = |piece: PieceRef<'_, &str>| match piece {
            PieceRef::Bytes(bytes) if bytes.len() > 99 => format!("{} bytes", bytes.len()),
            PieceRef::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            PieceRef::File { file, offset, octets } => format!("{file} {offset} {octets}"),
        };
        pieces.iter().map(shown).collect()
    }

    #[test]
    fn pieces_keep_their_order_and_small_ones_are_joined() {
        let mut pieces = Pieces::new();
        pieces.text().extend_from_slice(b"a");
        pieces.push_bytes(Bytes::from_static(b"b"));
        pieces.push_file("f", 3, 5);
        pieces.text().extend_from_slice(b"c");
        pieces.push_bytes(Bytes::from(vec![0; 2_000]));
        pieces.text().extend_from_slice(b"d");
        assert_eq!(pieces.octets(), 2 + 5 + 1 + 2_000 + 1);
        assert_eq!(sent(&mut pieces), ["ab", "f 3 5", "c", "2000 bytes", "d"]);
        assert_eq!(pieces.octets(), 2_009);
    }

    #[test]
    fn a_cleared_queue_is_empty_and_keeps_its_memory() {
        let mut pieces: Pieces<&str> = Pieces::new();
        pieces.text().extend_from_slice(&[b'x'; 500]);
        assert_eq!(sent(&mut pieces), ["500 bytes"]);
        pieces.clear();
        assert!(pieces.is_empty() && sent(&mut pieces).is_empty());
        assert!(pieces.text().capacity() >= 500);
    }
}
