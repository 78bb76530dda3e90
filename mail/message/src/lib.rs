//! message: structure of MIME messages by byte offsets.

mod section;
pub mod wire;

pub use section::{Section, SectionText};
