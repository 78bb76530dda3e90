//! The client's messages in SCRAM (RFC 5802 7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys::Hash;
use crate::{SaslError, prepare};

/// `client-first-message`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// With its comma at the end, as it must come again in the final message.
    pub(super) gs2_header: &'a str,
    /// The message without the header: the first part of what is signed.
    pub(super) bare: &'a str,
    pub(super) authzid: Option<String>,
    pub(super) login: String,
    pub(super) nonce: &'a str,
}

/// `client-final-message`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// The message without its proof: the last part of what is signed.
    pub(super) without_proof: &'a str,
    /// The header of the first message, again.
    pub(super) channel_binding: Vec<u8>,
    pub(super) nonce: &'a str,
    pub(super) proof: Hash,
}

impl<'a> ClientFirst<'a> {
    /// `client-first-message = gs2-header client-first-message-bare`,
    /// `gs2-header = gs2-cbind-flag "," [authzid] ","`.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        let text = std::str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        let mut parts = text.splitn(3, ',');
        let flag = parts.next().ok_or(SaslError::Malformed)?;
        let authzid = parts.next().ok_or(SaslError::Malformed)?;
        let bare = parts.next().ok_or(SaslError::Malformed)?;
        check_binding_flag(flag)?;
        let (login, nonce) = login_and_nonce(bare)?;
        let gs2_header = &text[..text.len() - bare.len()];
        Ok(Self { gs2_header, bare, authzid: authorisation(authzid)?, login, nonce })
    }
}

/// `gs2-cbind-flag = ("p=" cb-name) / "n" / "y"`: binding is not offered, so that `p` is refused.
fn check_binding_flag(flag: &str) -> Result<(), SaslError> {
    match flag {
        "n" | "y" => Ok(()),
        _ if flag.starts_with("p=") => Err(SaslError::ChannelBinding),
        _ => Err(SaslError::Malformed),
    }
}

/// `authzid = "a=" saslname`, or nothing.
fn authorisation(text: &str) -> Result<Option<String>, SaslError> {
    if text.is_empty() { Ok(None) } else { sasl_name(attribute(text, "a=")?).map(Some) }
}

/// `client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]`.
fn login_and_nonce(bare: &str) -> Result<(String, &str), SaslError> {
    if bare.starts_with("m=") {
        return Err(SaslError::ChannelBinding);
    }
    let mut attributes = bare.split(',');
    let login = sasl_name(attribute(attributes.next().unwrap_or_default(), "n=")?)?;
    let nonce = attribute(attributes.next().unwrap_or_default(), "r=")?;
    if nonce.len() > limits::SCRAM_NONCE_BYTES_MAX {
        return Err(SaslError::TooLong);
    }
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SaslError::Malformed);
    }
    Ok((login, nonce))
}

impl<'a> ClientFinal<'a> {
    /// `client-final-message = channel-binding "," nonce ["," extensions] "," proof`.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, SaslError> {
        let text = std::str::from_utf8(message).map_err(|_| SaslError::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(',').ok_or(SaslError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let channel_binding = base64(attribute(attributes.next().unwrap_or_default(), "c=")?)?;
        let nonce = attribute(attributes.next().unwrap_or_default(), "r=")?;
        let proof = base64(attribute(proof, "p=")?)?.try_into().map_err(|_| SaslError::Malformed)?;
        Ok(Self { without_proof, channel_binding, nonce, proof })
    }
}

fn attribute<'a>(text: &'a str, name: &str) -> Result<&'a str, SaslError> {
    text.strip_prefix(name).ok_or(SaslError::Malformed)
}

fn base64(text: &str) -> Result<Vec<u8>, SaslError> {
    STANDARD.decode(text).map_err(|_| SaslError::Malformed)
}

/// `saslname = 1*(value-safe-char / "=2C" / "=3D")`.
fn sasl_name(text: &str) -> Result<String, SaslError> {
    let mut pieces = text.split('=');
    let mut name = String::from(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (escaped, plain) = piece.split_at_checked(2).ok_or(SaslError::Malformed)?;
        name.push(match escaped {
            "2C" | "2c" => ',',
            "3D" | "3d" => '=',
            _ => return Err(SaslError::Malformed),
        });
        name.push_str(plain);
    }
    if name.is_empty() { Err(SaslError::Malformed) } else { prepare::name(name.as_bytes()) }
}
