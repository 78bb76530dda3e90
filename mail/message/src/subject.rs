//! The base subject (RFC 5256 2.1).

/// A subject without what replying and forwarding put around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSubject {
    /// What is compared, blanks collapsed; its case is kept.
    pub text: String,
    /// The subject was that of a reply or a forwarded message.
    pub is_reply_or_forward: bool,
}

/// The base subject of a decoded subject ([`crate::decode_header`]).
pub fn base_subject(_subject: &str) -> BaseSubject {
    unimplemented!("base_subject")
}
