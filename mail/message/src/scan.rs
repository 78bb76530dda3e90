//! The scanner: one pass over the bytes, in chunks of any size.

use crate::{Rendered, Structure};

/// How much of a message is described.
#[derive(Debug, Clone, Copy)]
pub struct ScanLimits {
    /// Octets of one header that are looked at.
    pub header_bytes_max: usize,
    /// Parts.
    pub parts_max: usize,
    /// Levels of nesting.
    pub depth_max: usize,
}

impl Default for ScanLimits {
    fn default() -> ScanLimits {
        ScanLimits {
            header_bytes_max: limits::HEADER_BYTES_MAX,
            parts_max: limits::MIME_PARTS_MAX,
            depth_max: limits::MIME_DEPTH_MAX,
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// Where the parts are.
    pub structure: Structure,
    /// How IMAP shows the message.
    pub rendered: Rendered,
}

/// Scans one message.
#[derive(Debug)]
pub struct Scanner {
    #[expect(dead_code)]
    limits: ScanLimits,
}

impl Scanner {
    /// At the beginning of a message.
    pub fn new(limits: ScanLimits) -> Scanner {
        Scanner { limits }
    }

    /// The next bytes; how they are cut makes no difference.
    pub fn push(&mut self, _chunk: &[u8]) {
        unimplemented!("Scanner::push")
    }

    /// The message has ended.
    pub fn finish(self) -> Scanned {
        unimplemented!("Scanner::finish")
    }
}

/// Scans a message that is in memory.
pub fn scan(message: &[u8]) -> Scanned {
    let mut scanner = Scanner::new(ScanLimits::default());
    scanner.push(message);
    scanner.finish()
}
