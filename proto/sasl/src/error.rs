//! Why an exchange failed.

/// Why an exchange failed. But for [`SaslError::Unavailable`] it is the peer's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The mechanism is not known here.
    #[error("the mechanism is not known")]
    UnknownMechanism,
    /// The mechanism would send a password over a channel that others can read.
    #[error("the mechanism needs a secure channel")]
    ChannelNotSecure,
    /// A message does not follow its mechanism's grammar.
    #[error("the message is malformed")]
    Malformed,
    /// A message, name or password is longer than `limits` allows.
    #[error("the message is too long")]
    TooLong,
    /// A line is no base64.
    #[error("the line is not base64")]
    Base64,
    /// The client insists on channel binding or on an extension, or it took the offer for another (RFC 5802 5.1).
    #[error("channel binding and mandatory extensions are not supported")]
    ChannelBinding,
    /// The client gave up.
    #[error("the exchange was cancelled by the client")]
    Cancelled,
    /// The credentials are wrong, or there is no such account: nobody is told which.
    #[error("the credentials are wrong")]
    Credentials,
    /// The credentials are right but do not allow to act for the account that was asked for.
    #[error("acting for that account is not allowed")]
    Authorization,
    /// The credentials could not be checked now.
    #[error("the credentials cannot be checked now")]
    Unavailable,
}
