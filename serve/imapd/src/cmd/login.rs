//! LOGIN (RFC 3501 6.2.3).

use address::AccountName;
use directory::Directory;
use imap::Secret;
use net::Connection;
use sasl::SaslError;

use crate::login::{password_account, refusal};
use crate::refusal::Outcome;

/// The account. Without TLS the password is not even looked at: it has gone over the net in clear.
pub(crate) async fn run(
    connection: &Connection,
    directory: &dyn Directory,
    login: &str,
    password: &Secret,
) -> Outcome<AccountName> {
    if !connection.is_secure() {
        return Err(refusal(SaslError::ChannelNotSecure).into());
    }
    password_account(directory, login, &password.0).await
}
