//! Modified UTF-7 (RFC 3501 5.1.3).

/// UTF-8 from modified UTF-7.
pub(crate) fn decode(_name: &[u8]) -> Option<String> {
    unimplemented!("utf7::decode")
}

/// Modified UTF-7 from UTF-8.
pub(crate) fn encode(_name: &str) -> String {
    unimplemented!("utf7::encode")
}
