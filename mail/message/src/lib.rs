//! Structure and text of MIME messages, by byte offsets: no message is held whole, and none is changed.
//!
//! [`Scanner`] takes a message in chunks of any size and says where its parts are ([`Structure`]) and how
//! IMAP shows them ([`Rendered`]: ENVELOPE, BODY, BODYSTRUCTURE as they go on the wire). The functions of
//! [`header`](header_fields) work on one header section in memory; [`text_parts`] decodes text for search.
//!
//! What this crate refuses to do: correct a message, decode what IMAP wants raw, or describe more parts,
//! depth or header than [`ScanLimits`] allow; what lies beyond is content of the part around it. Line ends
//! are CRLF, but a bare LF is taken for one, since old stores have them. No clock, no files, no sockets.

mod addresses;
mod date;
mod fields;
mod header;
mod media;
mod part;
mod render;
mod scan;
mod section;
mod store;
mod subject;
mod text;
pub mod wire;

pub use addresses::{AddressItem, address_items};
pub use date::sent_date;
pub use fields::{HeaderField, HeaderIter};
pub use header::{first_header, header_fields, header_section, message_ids};
pub use part::{Part, PartKind, Structure};
pub use render::Rendered;
pub use scan::{ScanLimits, Scanned, Scanner, scan};
pub use section::{Section, SectionText};
pub use store::StructureDamaged;
pub use subject::{BaseSubject, base_subject};
pub use text::{charset_decode, decode_header, header_text, part_text, text_parts};
