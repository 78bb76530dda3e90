//! EXPUNGE (RFC 3501 6.4.3) and UID EXPUNGE (RFC 4315 2.1).

use imap::SequenceSet;
use mailstore::Mailstore;

use crate::refusal::{Done, Outcome};
use crate::selected::{Selected, uid_set};

/// The EXPUNGE responses are those that any command ends with.
pub(crate) async fn run(store: &Mailstore, selected: &Selected, uids: Option<&SequenceSet>) -> Outcome {
    selected.writable()?;
    let uids = uids.map(|set| uid_set(&selected.uids.by_uid(set)));
    store.expunge(selected.id(), uids).await?;
    Ok(Done::plain("EXPUNGE completed"))
}
