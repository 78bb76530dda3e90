//! The server's states in SCRAM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys::ScramKeys;
use super::message::{ClientFinal, ClientFirst};
use crate::exchange::{Challenge, Expect, Identity};
use crate::{Mechanism, SaslError, Step};

/// The server's part of the nonce: 18 random bytes, drawn anew for each exchange.
#[derive(Debug, Clone)]
pub struct ServerNonce(String);

impl ServerNonce {
    /// Makes a nonce of random bytes.
    pub fn from_random(bytes: [u8; 18]) -> Self {
        Self(STANDARD.encode(bytes))
    }

    /// Takes a nonce as it stands in a test vector.
    #[cfg(test)]
    pub(crate) fn literal(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Nothing has come yet.
#[derive(Debug)]
pub(crate) struct ExpectClientFirst;

impl ExpectClientFirst {
    pub(crate) fn step(self, message: &[u8]) -> Result<NeedAccount, SaslError> {
        let first = ClientFirst::parse(message)?;
        let identity =
            Identity { mechanism: Mechanism::ScramSha256, login: first.login, authzid: first.authzid };
        Ok(NeedAccount {
            identity,
            gs2_header: first.gs2_header.to_owned(),
            client_first_bare: first.bare.to_owned(),
            client_nonce: first.nonce.to_owned(),
        })
    }
}

/// The client has named an account, whose keys are needed to go on.
#[derive(Debug)]
pub struct NeedAccount {
    identity: Identity,
    gs2_header: String,
    client_first_bare: String,
    client_nonce: String,
}

impl NeedAccount {
    /// The login name as the client gave it.
    pub fn login(&self) -> &str {
        &self.identity.login
    }

    /// The account to act for, where it is another.
    pub fn authzid(&self) -> Option<&str> {
        self.identity.authzid.as_deref()
    }

    /// Goes on with the account's keys, or with [`ScramKeys::decoy`] where there is no such account.
    pub fn with_account(self, keys: ScramKeys, nonce: ServerNonce) -> Step {
        let nonce = format!("{}{}", self.client_nonce, nonce.0);
        let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(keys.salt()), keys.iterations());
        let expect = ExpectClientFinal {
            identity: self.identity,
            gs2_header: self.gs2_header,
            signed: format!("{},{server_first},", self.client_first_bare),
            nonce,
            keys,
        };
        Step::Challenge(Challenge::new(server_first.into_bytes(), Expect::ScramFinal(expect)))
    }

    /// Ends the exchange because the directory cannot be asked.
    pub fn unavailable(self) -> Step {
        Step::Failed(SaslError::Unavailable)
    }
}

/// `server-first-message` has been sent.
#[derive(Debug)]
pub(crate) struct ExpectClientFinal {
    identity: Identity,
    gs2_header: String,
    /// `client-first-message-bare "," server-first-message ","`
    signed: String,
    nonce: String,
    keys: ScramKeys,
}

impl ExpectClientFinal {
    /// RFC 5802 5.1: the header must come again as it was, and the nonce must be ours.
    pub(crate) fn step(self, message: &[u8]) -> Result<Challenge, SaslError> {
        let last = ClientFinal::parse(message)?;
        if last.channel_binding != self.gs2_header.as_bytes() {
            return Err(SaslError::ChannelBinding);
        }
        if last.nonce != self.nonce {
            return Err(SaslError::Credentials);
        }
        let auth_message = [self.signed.as_bytes(), last.without_proof.as_bytes()];
        let signature = self.keys.verified(&auth_message, &last.proof).ok_or(SaslError::Credentials)?;
        let server_final = format!("v={}", STANDARD.encode(signature));
        let expect = ExpectNothing { identity: self.identity };
        Ok(Challenge::new(server_final.into_bytes(), Expect::ScramNothing(expect)))
    }
}

/// `server-final-message` has been sent; the client says nothing more.
#[derive(Debug)]
pub(crate) struct ExpectNothing {
    identity: Identity,
}

impl ExpectNothing {
    pub(crate) fn step(self, message: &[u8]) -> Result<Identity, SaslError> {
        if message.is_empty() { Ok(self.identity) } else { Err(SaslError::Malformed) }
    }
}
