//! Address fields (RFC 5322 3.4), as loosely as they are found.

use std::borrow::Cow;

/// One item of an address list. Strings are raw, their RFC 5322 quoting removed, not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressItem<'h> {
    /// An address.
    Mailbox {
        /// The phrase or, failing that, the comment.
        name: Option<Cow<'h, [u8]>>,
        /// An obsolete source route, `@a,@b`.
        route: Option<Cow<'h, [u8]>>,
        /// The local part.
        local: Cow<'h, [u8]>,
        /// The domain; `None` if the address has none.
        domain: Option<Cow<'h, [u8]>>,
    },
    /// A group begins.
    GroupBegin(Cow<'h, [u8]>),
    /// A group ends.
    GroupEnd,
}

/// The items of a field's value (unfolded or not).
pub fn address_items(_value: &[u8]) -> Vec<AddressItem<'_>> {
    unimplemented!("address_items")
}
