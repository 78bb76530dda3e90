//! MOVE (RFC 6851 3.1).

use address::AccountName;
use imap::{MailboxName, Numbering, SequenceSet};
use mailstore::Mailstore;

use super::copy::{copy_uid, resolve};
use crate::channel::Channel;
use crate::refusal::{Done, Outcome, try_create};
use crate::selected::Selected;

/// RFC 6851 4.3: COPYUID comes in an untagged OK, before the EXPUNGE responses.
pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    account: &AccountName,
    selected: &Selected,
    by: Numbering,
    set: &SequenceSet,
    target: &MailboxName,
) -> Outcome {
    selected.writable()?;
    let (uids, target) = resolve(store, account, selected, by, set, target).await?;
    let moved = store.move_messages(selected.id(), uids, target.id()).await;
    let outcome = moved.map_err(|error| try_create(error.into()))?;
    match copy_uid(&outcome) {
        Some(code) => {
            code.write_untagged(out.text(), "Moved");
            Ok(Done::plain("MOVE completed"))
        }
        None => Ok(Done::plain("No matching messages, nothing moved")),
    }
}
