//! A structure as bytes, for the mail store to keep.

use crate::Structure;

/// The bytes are no structure: damaged, or of a version that this program does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("damaged or unknown form of a message structure")]
pub struct StructureDamaged;

impl Structure {
    /// Appends the structure, a version first.
    pub fn encode(&self, _out: &mut Vec<u8>) {
        unimplemented!("Structure::encode")
    }

    /// Reads back the whole of `bytes`.
    pub fn decode(_bytes: &[u8]) -> Result<Structure, StructureDamaged> {
        unimplemented!("Structure::decode")
    }
}
