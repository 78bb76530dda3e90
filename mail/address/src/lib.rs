//! Mail addresses, domains, account names and the SMTP envelope, as values that cannot be invalid.
//!
//! A parser takes text from a wire or from an operator and gives a value or an [`AddressError`]; `Display` gives
//! back the form that goes on a wire. The grammar is that of RFC 5321 4.1.2 with the UTF-8 additions of
//! RFC 6531 3.3. The crate looks nothing up, knows no account and no route, and does no IO. It does not parse the
//! address lists of message headers (RFC 5322); `message` does.
//!
//! Three decisions hold everywhere:
//!
//! - A [`Domain`] is kept in one canonical form, lower case with A-labels, so that comparing two of them is comparing
//!   bytes. [`Domain::unicode`] gives the U-labels for people to read.
//! - A [`LocalPart`] is kept unquoted and in its own case. Two addresses that a directory treats as one have the same
//!   [`Address::key`].
//! - What is stored ([`Envelope`], [`Recipient`]) has a compact binary form of its own with a version in front.

mod account;
mod codec;
mod domain;
mod envelope;
mod error;
mod literal;
mod local_part;
mod mailbox;
mod orcpt;
mod path;
pub mod xtext;

pub use account::AccountName;
pub use codec::DecodeError;
pub use domain::Domain;
pub use envelope::{AuthParam, BodyKind, Envelope, Envid, MailParams, Notify, Recipient, Ret};
pub use error::AddressError;
pub use literal::AddressLiteral;
pub use local_part::LocalPart;
pub use mailbox::{Address, Host};
pub use orcpt::Orcpt;
pub use path::{ForwardPath, ReversePath, split_path};
