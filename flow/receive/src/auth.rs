//! AUTH: the SASL exchange, with the directory asked between its steps (RFC 4954).

use directory::{Authentication, Principal, authenticate};
use sasl::{Challenge, Channel, SaslError, Server, Step};
use smtp::Refusal;
use smtp::command::Auth;

use crate::Role;
use crate::driver::Driver;

/// What is offered on a secure connection, the best first.
pub(crate) fn mechanisms() -> Vec<String> {
    Server::new(Channel::Secure).mechanisms().iter().map(|mechanism| mechanism.to_string()).collect()
}

/// The exchange of a session, and how often one has failed.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    waiting: Option<Challenge>,
    /// Whom the client claims to be.
    login: Option<String>,
    failures: u32,
}

impl Exchange {
    /// The client gave up.
    pub(crate) fn cancel(&mut self) {
        self.waiting = None;
        self.login = None;
    }
}

impl<R: Role> Driver<R> {
    pub(crate) async fn auth_start(&mut self, auth: Auth) {
        let step = Server::new(Channel::Secure).start(&auth.mechanism, auth.initial.as_deref());
        self.auth_advance(step).await;
    }

    pub(crate) async fn auth_response(&mut self, response: &[u8]) {
        let step = match self.exchange.waiting.take() {
            Some(challenge) => challenge.step(response),
            None => Step::Failed(SaslError::Malformed),
        };
        self.auth_advance(step).await;
    }

    async fn auth_advance(&mut self, step: Step) {
        let Some(directory) = self.directory.clone() else {
            return self.auth_failed(SaslError::UnknownMechanism);
        };
        if let Some(login) = step.login() {
            self.exchange.login = Some(login.to_owned());
        }
        match authenticate(directory.as_ref(), step).await {
            Authentication::Challenge(challenge) => {
                self.machine.challenge(challenge.message());
                self.exchange.waiting = Some(challenge);
            }
            Authentication::Done(principal) => self.auth_done(principal),
            Authentication::Refused(error) => self.auth_failed(error),
        }
    }

    fn auth_done(&mut self, principal: Principal) {
        let Principal::Account(account) = principal else {
            return self.auth_failed(SaslError::Authorization);
        };
        tracing::info!(%account, "logged in");
        self.auth_count("accepted");
        self.session.account = Some(account);
        self.machine.accept();
    }

    fn auth_failed(&mut self, error: SaslError) {
        tracing::info!(login = self.exchange.login.take(), %error, "login refused");
        self.auth_count("refused");
        self.machine.refuse(refusal(error));
        self.exchange.failures += 1;
        if self.exchange.failures >= limits::AUTH_FAILURES_MAX {
            self.machine.close(Refusal::new(421, (4, 7, 0), "Too many failed AUTH commands"));
        }
    }

    fn auth_count(&self, result: &'static str) {
        metrics::counter!("tartan_receive_sign_ins_total", "role" => self.session.role, "result" => result)
            .increment(1);
    }
}

/// RFC 4954 6. What is wrong with credentials is never told apart.
fn refusal(error: SaslError) -> Refusal {
    match error {
        SaslError::Unavailable => Refusal::new(454, (4, 7, 0), "Temporary authentication failure"),
        SaslError::UnknownMechanism => Refusal::new(504, (5, 5, 4), "Mechanism not offered"),
        SaslError::ChannelNotSecure => Refusal::new(538, (5, 7, 11), "Encryption required"),
        SaslError::Malformed | SaslError::Base64 | SaslError::Cancelled => {
            Refusal::new(501, (5, 5, 2), error.to_string())
        }
        SaslError::TooLong => Refusal::new(500, (5, 5, 6), error.to_string()),
        _ => Refusal::new(535, (5, 7, 8), "Authentication credentials invalid"),
    }
}
