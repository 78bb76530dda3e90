//! What a commit does to one mailbox.

use crate::message_row::Message;
use crate::{Flags, UidSet};

/// A change of one mailbox, as a record states it. The modseq is that of the counters that come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// New messages, with uids above all others.
    Append(Vec<Message>),
    /// Messages that have these flags now.
    Flags(Vec<(Flags, UidSet)>),
    /// Messages that are gone.
    Expunge(UidSet),
}
