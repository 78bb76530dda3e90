//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 7.4.2).

use bytes::Bytes;

/// What IMAP clients ask for most, as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The value of `ENVELOPE`, parentheses included.
    pub envelope: Bytes,
    /// The value of `BODY`.
    pub body: Bytes,
    /// The value of `BODYSTRUCTURE`.
    pub body_structure: Bytes,
    /// The message's header with its blank line; shorter than the root's `header` range if that is more
    /// than [`crate::ScanLimits::header_bytes_max`].
    pub header: Bytes,
}
