//! Who may enter: what LOGIN and AUTHENTICATE share.

use address::AccountName;
use directory::{Directory, Principal};
use imap::Code;
use net::Connection;
use sasl::{Channel as SaslChannel, SaslError};

use crate::refusal::{Outcome, Refusal};

/// The SASL server for this connection: what it offers depends on who could read along.
pub(crate) fn sasl_server(connection: &Connection) -> sasl::Server {
    sasl::Server::new(match connection.identity() {
        Some(role) => SaslChannel::Pipe { role: role.as_str().to_owned() },
        None if connection.is_secure() => SaslChannel::Secure,
        None => SaslChannel::Plain,
    })
}

/// The account that a session is for. A role of ours that acts for nobody has no mailboxes.
pub(crate) fn account_of(principal: &Principal) -> Outcome<AccountName> {
    match principal.account() {
        Some(account) => Ok(account.clone()),
        None => Err(refusal(SaslError::Authorization).into()),
    }
}

/// RFC 5530 3. Nobody is told whether the name or the password was wrong.
pub(crate) fn refusal(error: SaslError) -> Refusal {
    match error {
        SaslError::Credentials => Refusal::no(Code::AuthenticationFailed, "Authentication failed"),
        SaslError::Authorization => {
            Refusal::no(Code::AuthorizationFailed, "Not allowed to act for that account")
        }
        SaslError::Unavailable => Refusal::no(Code::Unavailable, "Logins cannot be checked now"),
        SaslError::ChannelNotSecure => Refusal::no(Code::PrivacyRequired, "Use STARTTLS first"),
        SaslError::UnknownMechanism => Refusal::no_plain("Mechanism is not supported"),
        SaslError::ChannelBinding => Refusal::no_plain("Channel binding is not supported"),
        SaslError::Malformed | SaslError::TooLong => {
            Refusal::no(Code::ClientBug, "Authentication message is malformed")
        }
        SaslError::Base64 => Refusal::bad("Not BASE64"),
        SaslError::Cancelled => Refusal::bad("Authentication cancelled"),
    }
}

/// Whether somebody has guessed, and wrongly. A client that tries what is not there, or gives up, has not.
pub(crate) fn is_wrong_guess(refusal: &Refusal) -> bool {
    matches!(refusal.code, Some(Code::AuthenticationFailed | Code::AuthorizationFailed))
}

/// Asks the directory for the account of a login and its password.
pub(crate) async fn password_account(
    directory: &dyn Directory,
    login: &str,
    password: &[u8],
) -> Outcome<AccountName> {
    let wrong = || refusal(SaslError::Credentials);
    let text = std::str::from_utf8(password).map_err(|_| wrong())?;
    let password = sasl::Password::new(text).map_err(|_| wrong())?;
    match directory.verify_password(login, &password).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(wrong().into()),
        Err(error) => {
            error.fault().log("checking a login", &error);
            Err(refusal(SaslError::Unavailable).into())
        }
    }
}
