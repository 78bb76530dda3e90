//! AUTHENTICATE (RFC 3501 6.2.2), with the initial response of RFC 4959.

use address::AccountName;
use directory::{Authentication, Directory, authenticate};
use imap::{AuthLine, Secret, response};
use net::Instant;
use sasl::{Challenge, SaslError, Step};

use crate::channel::{Channel, ReadError};
use crate::login::{account_of, refusal, sasl_server};
use crate::refusal::{Outcome, Refusal, Stop};

/// The account, after as many challenges as the mechanism needs; `claimed` becomes whom the client claims to be.
pub(crate) async fn run(
    out: &mut Channel,
    directory: &dyn Directory,
    mechanism: &str,
    initial: Option<&Secret>,
    deadline: Instant,
    claimed: &mut Option<String>,
) -> Outcome<AccountName> {
    let server = sasl_server(out.wire().connection());
    let mut step = server.start(mechanism, initial.map(|secret| secret.0.as_slice()));
    loop {
        if let Some(login) = step.login() {
            *claimed = Some(login.to_owned());
        }
        match authenticate(directory, step).await {
            Authentication::Challenge(challenge) => step = answer(out, challenge, deadline).await?,
            Authentication::Done(principal) => return account_of(&principal),
            Authentication::Refused(error) => return Err(refusal(error).into()),
        }
    }
}

/// Sends a challenge and takes the client's answer.
async fn answer(out: &mut Channel, challenge: Challenge, deadline: Instant) -> Outcome<Step> {
    response::challenge(out.text(), challenge.message());
    let line = out.raw_line(deadline).await.map_err(|error| match error {
        ReadError::Net(error) => Stop::Broken(error),
        ReadError::Frame(_) => Refusal::bad("Response is too long").into(),
    })?;
    match AuthLine::parse(&line) {
        AuthLine::Data(secret) => Ok(challenge.step(&secret.0)),
        AuthLine::Cancel => Err(refusal(SaslError::Cancelled).into()),
        AuthLine::Malformed => Err(refusal(SaslError::Base64).into()),
    }
}
