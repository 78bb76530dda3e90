//! EXPUNGE (RFC 3501 6.4.3) and UID EXPUNGE (RFC 4315 2.1).

use imap::SequenceSet;
use mailstore::{Mailstore, UidSet};

use crate::refusal::{Done, Outcome};
use crate::selected::{Selected, uid_set};

/// The EXPUNGE responses are those that any command ends with. Messages of which this client does not know yet stay:
/// it cannot have meant them.
pub(crate) async fn run(store: &Mailstore, selected: &Selected, uids: Option<&SequenceSet>) -> Outcome {
    selected.writable()?;
    store.expunge(selected.id(), Some(known(selected, uids))).await?;
    Ok(Done::plain("EXPUNGE completed"))
}

pub(crate) fn known(selected: &Selected, uids: Option<&SequenceSet>) -> UidSet {
    match uids {
        Some(set) => uid_set(&selected.uids.by_uid(set)),
        None => selected.uids.iter().filter_map(|message| mailstore::Uid::new(message.uid)).collect(),
    }
}
