//! SASL exchanges answered from a directory.

use address::AccountName;
use sasl::{Challenge, Identity, Mechanism, NeedAccount, NeedPasswordCheck, SaslError, ServerNonce, Step};

use crate::password::random;
use crate::{Directory, DirectoryError};

/// What a protocol has to do after a step of SASL.
#[derive(Debug)]
pub enum Authentication {
    /// Send the challenge; hand what its `step` gives to [`authenticate`] again.
    Challenge(Challenge),
    /// The client is known.
    Done(Principal),
    /// The client is refused. [`SaslError::Unavailable`] is our fault, the rest is the client's.
    Refused(SaslError),
}

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An account.
    Account(AccountName),
    /// A role of ours at the other end of a pipe.
    Role {
        /// Its name.
        role: String,
        /// The account it acts for, which exists.
        acting_for: Option<AccountName>,
    },
}

impl Principal {
    /// The account that is logged in or acted for.
    pub fn account(&self) -> Option<&AccountName> {
        match self {
            Self::Account(account) => Some(account),
            Self::Role { acting_for, .. } => acting_for.as_ref(),
        }
    }
}

/// Looks up whatever the step needs, until there is something to send or the exchange is over.
///
/// A fault of the directory is logged here.
pub async fn authenticate(directory: &dyn Directory, mut step: Step) -> Authentication {
    loop {
        let next = match step {
            Step::Challenge(challenge) => return Authentication::Challenge(challenge),
            Step::Failed(error) => return Authentication::Refused(error),
            Step::Done(identity) => return ended(directory, identity).await,
            Step::NeedAccount(need) => account_given(directory, need).await,
            Step::NeedPasswordCheck(need) => password_checked(directory, need).await,
        };
        match next {
            Ok(next) => step = next,
            Err(error) => return unavailable(&error),
        }
    }
}

async fn account_given(directory: &dyn Directory, need: NeedAccount) -> Result<Step, DirectoryError> {
    let nonce = ServerNonce::from_random(random()?);
    let credentials = directory.credentials(need.login()).await?;
    Ok(need.with_account(credentials.keys, nonce))
}

async fn password_checked(
    directory: &dyn Directory,
    need: NeedPasswordCheck,
) -> Result<Step, DirectoryError> {
    let account = directory.verify_password(need.login(), need.password()).await?;
    Ok(need.password_checked(account.is_some()))
}

async fn ended(directory: &dyn Directory, identity: Identity) -> Authentication {
    match principal(directory, identity).await {
        Ok(Ok(principal)) => {
            if let Principal::Account(account) = &principal {
                directory.signed_in(account);
            }
            Authentication::Done(principal)
        }
        Ok(Err(refusal)) => Authentication::Refused(refusal),
        Err(error) => unavailable(&error),
    }
}

/// An account acts for itself alone; a role of ours acts for any account.
async fn principal(
    directory: &dyn Directory,
    identity: Identity,
) -> Result<Result<Principal, SaslError>, DirectoryError> {
    let acting_for = identity.authzid.as_deref().map(|name| account_name(directory, name)).transpose();
    let Ok(acting_for) = acting_for else { return Ok(Err(SaslError::Authorization)) };
    if identity.mechanism == Mechanism::External {
        let known = match &acting_for {
            Some(account) => directory.account(account).await?.is_some(),
            None => true,
        };
        let principal = Principal::Role { role: identity.login, acting_for };
        return Ok(if known { Ok(principal) } else { Err(SaslError::Authorization) });
    }
    let account = account_name(directory, &identity.login);
    Ok(account.and_then(|account| match acting_for {
        Some(other) if other != account => Err(SaslError::Authorization),
        _ => Ok(Principal::Account(account)),
    }))
}

fn account_name(directory: &dyn Directory, login: &str) -> Result<AccountName, SaslError> {
    AccountName::parse_login(login, directory.default_domain()).map_err(|_| SaslError::Credentials)
}

fn unavailable(error: &DirectoryError) -> Authentication {
    error.fault().log("checking a login", error);
    Authentication::Refused(SaslError::Unavailable)
}
