//! The exchange: what is offered, how it starts, what each step asks of the caller.

use crate::plain::{self, Claim};
use crate::scram::{ExpectClientFinal, ExpectClientFirst, ExpectNothing, NeedAccount};
use crate::{Mechanism, Password, SaslError, prepare};

/// How well the connection is protected, which decides what is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Others may read along: only what sends no password.
    Plain,
    /// TLS, without a client certificate that means anything.
    Secure,
    /// A pipe inside the process: secure, and the caller's role is known (RFC 4422 appendix A).
    Pipe {
        /// The name of the role at the other end.
        role: String,
    },
}

/// The server's side before an exchange.
#[derive(Debug, Clone)]
pub struct Server {
    channel: Channel,
}

impl Server {
    /// A server on a channel.
    pub fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// What is offered, the best first.
    pub fn mechanisms(&self) -> &'static [Mechanism] {
        match self.channel {
            Channel::Plain => &[Mechanism::ScramSha256],
            Channel::Secure => &[Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login],
            Channel::Pipe { .. } => {
                &[Mechanism::External, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login]
            }
        }
    }

    /// Begins an exchange, with the initial response if the command carried one.
    pub fn start(&self, mechanism: &str, initial: Option<&[u8]>) -> Step {
        match self.expectation(mechanism) {
            Err(error) => Step::Failed(error),
            Ok(expect) => match initial {
                Some(message) => expect.step(message),
                None => Step::Challenge(Challenge::new(expect.prompt(), expect)),
            },
        }
    }

    fn expectation(&self, mechanism: &str) -> Result<Expect, SaslError> {
        let mechanism: Mechanism = mechanism.parse()?;
        if !self.mechanisms().contains(&mechanism) {
            return Err(self.refusal(mechanism));
        }
        Ok(match (mechanism, &self.channel) {
            (Mechanism::ScramSha256, _) => Expect::ScramFirst(ExpectClientFirst),
            (Mechanism::Plain, _) => Expect::Plain,
            (Mechanism::Login, _) => Expect::LoginName,
            (Mechanism::External, Channel::Pipe { role }) => Expect::External { role: role.clone() },
            (Mechanism::External, _) => return Err(SaslError::UnknownMechanism),
        })
    }

    fn refusal(&self, mechanism: Mechanism) -> SaslError {
        match mechanism {
            Mechanism::Plain | Mechanism::Login => SaslError::ChannelNotSecure,
            Mechanism::ScramSha256 | Mechanism::External => SaslError::UnknownMechanism,
        }
    }
}

/// What has to happen next.
#[derive(Debug)]
pub enum Step {
    /// Send the challenge, then hand the client's answer to [`Challenge::step`].
    Challenge(Challenge),
    /// Look the account's SCRAM keys up and hand them to [`NeedAccount::with_account`].
    NeedAccount(NeedAccount),
    /// Check the password and tell [`NeedPasswordCheck::password_checked`].
    NeedPasswordCheck(NeedPasswordCheck),
    /// The client is who it says.
    Done(Identity),
    /// The exchange is over.
    Failed(SaslError),
}

impl Step {
    /// The login name as the client gave it, where this step has it. It is a claim, for logs.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::NeedAccount(need) => Some(need.login()),
            Self::NeedPasswordCheck(need) => Some(need.login()),
            Self::Done(identity) => Some(&identity.login),
            Self::Challenge(_) | Self::Failed(_) => None,
        }
    }
}

/// Who the client has proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// How it was proved.
    pub mechanism: Mechanism,
    /// The login name as the client gave it; for EXTERNAL the role at the other end of the pipe.
    pub login: String,
    /// The account to act for, where it is another. Whether that is allowed is the caller's to decide.
    pub authzid: Option<String>,
}

/// A challenge to send.
#[derive(Debug)]
pub struct Challenge {
    message: Vec<u8>,
    expect: Expect,
}

impl Challenge {
    pub(crate) fn new(message: Vec<u8>, expect: Expect) -> Self {
        Self { message, expect }
    }

    /// The challenge, before base64. It may be empty.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Goes on with the client's answer, after base64.
    pub fn step(self, response: &[u8]) -> Step {
        self.expect.step(response)
    }
}

/// What the client's next message must be.
#[derive(Debug)]
pub(crate) enum Expect {
    Plain,
    LoginName,
    LoginPassword { login: String },
    External { role: String },
    ScramFirst(ExpectClientFirst),
    ScramFinal(ExpectClientFinal),
    ScramNothing(ExpectNothing),
}

impl Expect {
    /// What is sent to a client that did not speak first.
    fn prompt(&self) -> Vec<u8> {
        match self {
            Self::LoginName => b"Username:".to_vec(),
            _ => Vec::new(),
        }
    }

    fn step(self, message: &[u8]) -> Step {
        if message.len() > limits::SASL_MESSAGE_BYTES_MAX {
            return Step::Failed(SaslError::TooLong);
        }
        let step = match self {
            Self::Plain => plain::claim(message).map(|claim| claimed(Mechanism::Plain, claim)),
            Self::LoginName => login_name(message),
            Self::LoginPassword { login } => login_password(login, message),
            Self::External { role } => external(role, message),
            Self::ScramFirst(expect) => expect.step(message).map(Step::NeedAccount),
            Self::ScramFinal(expect) => expect.step(message).map(Step::Challenge),
            Self::ScramNothing(expect) => expect.step(message).map(Step::Done),
        };
        step.unwrap_or_else(Step::Failed)
    }
}

/// LOGIN: the first message is the name.
fn login_name(message: &[u8]) -> Result<Step, SaslError> {
    let login = prepare::name(message)?;
    if login.is_empty() {
        return Err(SaslError::Malformed);
    }
    Ok(Step::Challenge(Challenge::new(b"Password:".to_vec(), Expect::LoginPassword { login })))
}

/// LOGIN: the second message is the password.
fn login_password(login: String, message: &[u8]) -> Result<Step, SaslError> {
    let claim = Claim { login, authzid: None, password: prepare::password(message)? };
    Ok(claimed(Mechanism::Login, claim))
}

/// RFC 4422 appendix A: the message is the authorisation identity or empty.
fn external(role: String, message: &[u8]) -> Result<Step, SaslError> {
    let authzid = Some(prepare::name(message)?).filter(|name| !name.is_empty());
    Ok(Step::Done(Identity { mechanism: Mechanism::External, login: role, authzid }))
}

fn claimed(mechanism: Mechanism, claim: Claim) -> Step {
    let Claim { login, authzid, password } = claim;
    let identity = Identity { mechanism, login, authzid };
    Step::NeedPasswordCheck(NeedPasswordCheck { identity, password })
}

/// The client claims to be someone and gives a password for it.
#[derive(Debug)]
pub struct NeedPasswordCheck {
    identity: Identity,
    password: Password,
}

impl NeedPasswordCheck {
    /// The login name as the client gave it.
    pub fn login(&self) -> &str {
        &self.identity.login
    }

    /// The password to check.
    pub fn password(&self) -> &Password {
        &self.password
    }

    /// Ends the exchange: with `false` for a wrong password and for an unknown account alike.
    pub fn password_checked(self, right: bool) -> Step {
        if right { Step::Done(self.identity) } else { Step::Failed(SaslError::Credentials) }
    }
}
