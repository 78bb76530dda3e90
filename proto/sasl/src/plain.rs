//! The message of PLAIN.

use crate::{Password, SaslError, prepare};

/// What a client says about itself.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) login: String,
    pub(crate) authzid: Option<String>,
    pub(crate) password: Password,
}

/// RFC 4616 2: `message = [authzid] UTF8NUL authcid UTF8NUL passwd`.
pub(crate) fn claim(message: &[u8]) -> Result<Claim, SaslError> {
    let parts: Vec<&[u8]> = message.splitn(4, |byte| *byte == 0).collect();
    let [authzid, login, password] = parts[..] else {
        return Err(SaslError::Malformed);
    };
    let login = prepare::name(login)?;
    if login.is_empty() {
        return Err(SaslError::Malformed);
    }
    let authzid = Some(prepare::name(authzid)?).filter(|name| !name.is_empty());
    Ok(Claim { login, authzid, password: prepare::password(password)? })
}
