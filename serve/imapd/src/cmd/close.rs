//! CLOSE (RFC 3501 6.4.2) and UNSELECT (RFC 3691 2).

use mailstore::Mailstore;

use crate::refusal::{Done, Outcome};
use crate::selected::Selected;

/// Expunges without a word; an examined mailbox is only left.
pub(crate) async fn run(store: &Mailstore, selected: &Selected) -> Outcome {
    if !selected.read_only {
        store.expunge(selected.id(), None).await?;
    }
    Ok(Done::plain("CLOSE completed"))
}

pub(crate) fn run_unselect(_selected: &Selected) -> Outcome {
    Ok(Done::plain("UNSELECT completed"))
}
