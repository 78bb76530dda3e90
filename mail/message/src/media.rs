//! Media types and parameters (RFC 2045 5.1).
