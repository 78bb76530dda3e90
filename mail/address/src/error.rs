//! What can be wrong with an address.

/// Why a text is no address, domain, path or parameter. Always the fault of whoever wrote the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is nothing where something must be.
    #[error("the address is empty")]
    Empty,
    /// There is no `@` outside quotes.
    #[error("the address has no domain")]
    NoDomain,
    /// The local part is neither a dot-string nor a quoted string (RFC 5321 4.1.2).
    #[error("the local part is malformed")]
    LocalPart,
    /// The local part is longer than `limits::LOCAL_PART_BYTES_MAX`.
    #[error("the local part is too long")]
    LocalPartTooLong,
    /// The domain is no sequence of labels (RFC 5321 4.1.2, RFC 5890 2.3.2.1).
    #[error("the domain is malformed")]
    Domain,
    /// The domain or one of its labels is too long (RFC 5321 4.5.3.1.2, RFC 1035 2.3.4).
    #[error("the domain is too long")]
    DomainTooLong,
    /// The text in brackets is no address literal (RFC 5321 4.1.3).
    #[error("the address literal is malformed")]
    Literal,
    /// A path is not of the form `<...>` (RFC 5321 4.1.2).
    #[error("the path is malformed")]
    Path,
    /// A login name has characters that no account name may have.
    #[error("the account name is malformed")]
    AccountName,
    /// An account name is longer than `limits::ACCOUNT_NAME_BYTES_MAX`.
    #[error("the account name is too long")]
    AccountNameTooLong,
    /// A parameter of MAIL or RCPT has a value that its RFC does not allow.
    #[error("the parameter value is malformed")]
    Parameter,
    /// A parameter of MAIL or RCPT is longer than its RFC or `limits` allows.
    #[error("the parameter value is too long")]
    ParameterTooLong,
}
