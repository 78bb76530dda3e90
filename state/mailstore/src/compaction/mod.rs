//! What compaction needs to know of the mail store: of which things a record speaks ([`Key`]), and what each of them is now.
//!
//! A segment is let go when all that it said and that still holds has been said again at the journal's end. For that, a
//! thing is a key and its rows in the view, so that
//!
//! - every record that writes a row of a thing has the thing among its keys ([`keys`]), which follow from the record alone;
//! - a thing that is there is said again with all of its rows ([`Restated`]; a body by its own two records), a thing that is
//!   gone by a [`Removed`], as long as an older segment speaks of it;
//! - rows that carry the number of the record by which they came about (when a message came, when it went) keep it.
//!
//! Then the last record that speaks of a row is always there, and a replay of what is left ends with the rows as they were
//! maintained, whatever they look like on the way.
//!
//! A message that was said again, or whose flags were set again, after the segment is passed over: its rows carry the last
//! record that said them. Otherwise a mailbox in which flags change all the time would be said again with each segment.
//!
//! Large copies that are under way hang on all of their records: segments with one of those wait until it is at its end.

mod key;
mod keys;
mod needed;
mod standing;
mod stated;

pub(crate) use key::{ExpungedAt, Key, ReferenceAt};
pub(crate) use keys::keys;
pub(crate) use needed::needed;
pub(crate) use standing::{Standing, standing};
pub(crate) use stated::{Removed, Restated, Stated};
