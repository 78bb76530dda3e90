//! The client's messages of PLAIN and EXTERNAL, for our own roles towards each other and for tests.

/// The one message of PLAIN (RFC 4616 2).
pub fn plain(authzid: Option<&str>, login: &str, password: &str) -> Vec<u8> {
    [authzid.unwrap_or_default(), login, password].join("\0").into_bytes()
}

/// The one message of EXTERNAL: the account to act for, or nothing (RFC 4422 appendix A).
pub fn external(authzid: Option<&str>) -> Vec<u8> {
    authzid.unwrap_or_default().as_bytes().to_vec()
}
