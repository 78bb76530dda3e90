//! Ids that nobody else gives out.

use crate::MailstoreError;

/// A random id; two are alike as good as never.
pub(crate) fn number() -> Result<u128, MailstoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(u128::from_be_bytes(bytes))
}

/// A short random id that `taken` does not know. Never zero.
pub(crate) fn short(taken: impl Fn(u64) -> bool) -> Result<u64, MailstoreError> {
    loop {
        let id = number()? as u64;
        if id != 0 && !taken(id) {
            return Ok(id);
        }
    }
}
