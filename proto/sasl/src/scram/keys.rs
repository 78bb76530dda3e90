//! The stored keys of SCRAM and the arithmetic on them (RFC 5802 3).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{PreparedPassword, SaslError};

/// Bytes of a SHA-256 hash.
const HASH_BYTES: usize = 32;
/// A SHA-256 hash.
pub(crate) type Hash = [u8; HASH_BYTES];

/// What a server keeps in place of a password (RFC 5802 3). It lets a server check, but not log in elsewhere.
///
/// The text form is that of RFC 5803 2: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Hash,
    server_key: Hash,
}

impl ScramKeys {
    /// Derives the keys of a password. This takes as long as `iterations` says: not for an async task.
    pub fn derive(password: &PreparedPassword, salt: &[u8], iterations: u32) -> Self {
        let salted: Hash =
            pbkdf2::pbkdf2_hmac_array::<Sha256, HASH_BYTES>(password.as_bytes(), salt, iterations);
        let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"])).into();
        let server_key = hmac(&salted, &[b"Server Key"]);
        Self { salt: salt.to_vec(), iterations, stored_key, server_key }
    }

    /// Keys for a login that has none, which no password fits.
    ///
    /// They depend on the login and a secret alone, so that asking twice tells nothing (RFC 5802 9).
    pub fn decoy(secret: &[u8], login: &str, salt_bytes: usize, iterations: u32) -> Self {
        let part = |label: &[u8]| hmac(secret, &[label, b"\0", login.as_bytes()]);
        let salt = part(b"salt")[..salt_bytes.min(HASH_BYTES)].to_vec();
        Self { salt, iterations, stored_key: part(b"stored key"), server_key: part(b"server key") }
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Iterations of PBKDF2.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Checks a client's proof and gives the server's own signature.
    ///
    /// RFC 5802 3: `ClientKey = ClientProof XOR ClientSignature`, and `H(ClientKey)` must be `StoredKey`.
    pub(crate) fn verified(&self, auth_message: &[&[u8]], proof: &Hash) -> Option<Hash> {
        let client_key = xor(proof, &hmac(&self.stored_key, auth_message));
        let stored_key: Hash = Sha256::digest(client_key).into();
        let right = bool::from(stored_key.ct_eq(&self.stored_key));
        right.then(|| hmac(&self.server_key, auth_message))
    }
}

/// HMAC-SHA-256 of a text in pieces.
fn hmac(key: &[u8], pieces: &[&[u8]]) -> Hash {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes a key of any length");
    pieces.iter().for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes().into()
}

fn xor(left: &Hash, right: &Hash) -> Hash {
    std::array::from_fn(|index| left[index] ^ right[index])
}

impl fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl FromStr for ScramKeys {
    type Err = SaslError;

    fn from_str(text: &str) -> Result<Self, SaslError> {
        parsed(text).ok_or(SaslError::Malformed)
    }
}

/// RFC 5803 2: `scram-mech "$" scram-info "$" scram-value`.
fn parsed(text: &str) -> Option<ScramKeys> {
    let rest = text.strip_prefix("SCRAM-SHA-256$")?;
    let (info, value) = rest.split_once('$')?;
    let (iterations, salt) = info.split_once(':')?;
    let (stored, server) = value.split_once(':')?;
    let iterations = iterations.parse().ok()?;
    let hash = |text: &str| -> Option<Hash> { STANDARD.decode(text).ok()?.try_into().ok() };
    let sound = (1..=limits::SCRAM_ITERATIONS_MAX).contains(&iterations);
    let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty() && sound)?;
    Some(ScramKeys { salt, iterations, stored_key: hash(stored)?, server_key: hash(server)? })
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}
