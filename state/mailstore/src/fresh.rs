//! Ids that nobody else gives out.

use crate::MailstoreError;

/// A random id; two are alike as good as never.
pub(crate) fn number() -> Result<u128, MailstoreError> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

fn fill(bytes: &mut [u8]) -> Result<(), MailstoreError> {
    Ok(getrandom::fill(bytes).map_err(|error| std::io::Error::other(error.to_string()))?)
}

/// Random ids that are there when they are needed: a command that has staged a record must not fail for want of one.
pub(crate) struct Fresh {
    seed: [u8; 32],
    drawn: u64,
}

impl Fresh {
    /// A source of its own.
    pub(crate) fn new() -> Result<Self, MailstoreError> {
        let mut seed = [0; 32];
        fill(&mut seed)?;
        Ok(Self { seed, drawn: 0 })
    }

    /// A random id; two are alike as good as never.
    pub(crate) fn number(&mut self) -> u128 {
        self.drawn += 1;
        let mut bytes = [0; 16];
        let hash = blake3::keyed_hash(&self.seed, &self.drawn.to_le_bytes());
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        u128::from_be_bytes(bytes)
    }

    /// A short random id that `taken` does not know. Never zero.
    pub(crate) fn short(&mut self, taken: impl Fn(u64) -> bool) -> u64 {
        loop {
            let id = self.number() as u64;
            if id != 0 && !taken(id) {
                return id;
            }
        }
    }
}
