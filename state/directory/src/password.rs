//! Passwords at rest, and the pool that hashes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use sasl::{Password, PreparedPassword, ScramKeys};
use tokio::sync::Semaphore;

use crate::DirectoryError;

/// Bytes of a salt, of argon2 and of SCRAM.
pub(crate) const SALT_BYTES: usize = 16;

/// A salt and hash of the right shape and of no password. Checking one costs what checking a real one costs.
const DECOY_SALT_AND_HASH: &str = "dGFydGFuLWRlY295LTAw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What hashing a password costs.
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    /// Memory of one argon2id hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes of one argon2id hash.
    pub argon2_passes: u32,
    /// Iterations of PBKDF2 in SCRAM keys; RFC 7677 4 asks for at least 4,096.
    pub scram_iterations: u32,
    /// Hashes made at one time.
    pub hashes_at_once: usize,
    /// Logins that wait for a hash; further ones are told to come back.
    pub hashes_waiting: usize,
}

impl Default for PasswordSettings {
    /// Cyrus SASL's client takes at most 65,536 iterations.
    fn default() -> Self {
        Self {
            argon2_memory_kib: 19 * 1024,
            argon2_passes: 2,
            scram_iterations: 50_000,
            hashes_at_once: limits::PASSWORD_HASHES_AT_ONCE_MAX,
            hashes_waiting: limits::PASSWORD_HASHES_WAITING_MAX,
        }
    }
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPassword {
    /// argon2id in PHC form.
    pub(crate) hash: String,
    pub(crate) scram: ScramKeys,
}

/// Hashes passwords on the blocking pool, a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Hashers {
    settings: PasswordSettings,
    params: Params,
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Hashers {
    pub(crate) fn new(settings: PasswordSettings) -> Result<Self, DirectoryError> {
        let params = Params::new(settings.argon2_memory_kib, settings.argon2_passes, 1, None);
        let params = params.map_err(|error| DirectoryError::Hash(error.to_string()))?;
        let free = Arc::new(Semaphore::new(settings.hashes_at_once));
        Ok(Self { settings, params, free, waiting: Arc::default() })
    }

    pub(crate) fn scram_iterations(&self) -> u32 {
        self.settings.scram_iterations
    }

    /// Makes what is stored of a new password.
    pub(crate) async fn store(&self, password: &Password) -> Result<StoredPassword, DirectoryError> {
        let prepared = password.prepare().map_err(DirectoryError::Password)?;
        let (params, iterations) = (self.params.clone(), self.settings.scram_iterations);
        self.run(move || stored(&prepared, params, iterations)).await?
    }

    /// Checks a password; without a hash to check against, wastes the same time and says no.
    pub(crate) async fn verify(
        &self,
        hash: Option<String>,
        password: &Password,
    ) -> Result<bool, DirectoryError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy_hash());
        let prepared = password.prepare().ok();
        let fits = self.run(move || fits(&hash, prepared.as_ref())).await??;
        Ok(known && fits)
    }

    fn decoy_hash(&self) -> String {
        let (memory, passes) = (self.settings.argon2_memory_kib, self.settings.argon2_passes);
        format!("$argon2id$v=19$m={memory},t={passes},p=1${DECOY_SALT_AND_HASH}")
    }

    /// Waits for a place in the pool and works there.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let waiting = Waiting::enter(&self.waiting, self.settings.hashes_waiting)?;
        let permit = self.free.clone().acquire_owned().await.expect("the semaphore is never closed");
        drop(waiting);
        let work = move || {
            let done = work();
            drop(permit);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| DirectoryError::Hash(error.to_string()))
    }
}

/// A place in the queue for the pool, given back when the caller goes on or away.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn enter(count: &Arc<AtomicUsize>, max: usize) -> Result<Self, DirectoryError> {
        let place = Self(count.clone());
        let before = count.fetch_add(1, Ordering::Relaxed);
        if before < max { Ok(place) } else { Err(DirectoryError::Busy) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn stored(
    password: &PreparedPassword,
    params: Params,
    iterations: u32,
) -> Result<StoredPassword, DirectoryError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), &random::<SALT_BYTES>()?);
    let hash: PasswordHash = hash.map_err(|error| DirectoryError::Hash(error.to_string()))?;
    let scram = ScramKeys::derive(password, &random::<SALT_BYTES>()?, iterations);
    Ok(StoredPassword { hash: hash.to_string(), scram })
}

/// A password with forbidden characters fits nothing, but takes its time.
fn fits(hash: &str, password: Option<&PreparedPassword>) -> Result<bool, DirectoryError> {
    let hash = PasswordHash::new(hash).map_err(|error| DirectoryError::Hash(error.to_string()))?;
    let bytes = password.map_or(&b""[..], PreparedPassword::as_bytes);
    let fits = Argon2::default().verify_password(bytes, &hash).is_ok();
    Ok(fits && password.is_some())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], DirectoryError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| DirectoryError::Random(error.to_string()))?;
    Ok(bytes)
}
