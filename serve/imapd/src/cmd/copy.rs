//! COPY (RFC 3501 6.4.7), with the COPYUID of RFC 4315 3.

use address::AccountName;
use imap::{Code, MailboxName, Numbering, SequenceSet};
use mailstore::{CopyOutcome, Mailbox, Mailstore, Uid, UidSet};

use super::select::open;
use crate::refusal::{Done, DoneCode, Outcome, Refusal, try_create};
use crate::selected::{Selected, uid_set};

pub(crate) async fn run(
    store: &Mailstore,
    account: &AccountName,
    selected: &Selected,
    by: Numbering,
    set: &SequenceSet,
    target: &MailboxName,
) -> Outcome {
    let (uids, target) = resolve(store, account, selected, by, set, target).await?;
    let outcome =
        store.copy(selected.id(), uids, target.id()).await.map_err(|error| try_create(error.into()))?;
    Ok(match copy_uid(&outcome) {
        Some(code) => Done::with(code, "COPY completed"),
        None => Done::plain("No matching messages, nothing copied"),
    })
}

/// What to copy or move, and where to. Messages named by sequence number must all be there still: the command
/// does all or nothing (RFC 2180 4.4).
pub(crate) async fn resolve(
    store: &Mailstore,
    account: &AccountName,
    selected: &Selected,
    by: Numbering,
    set: &SequenceSet,
    target: &MailboxName,
) -> Outcome<(UidSet, Mailbox)> {
    let uids = uid_set(&selected.resolve(by, set)?);
    let target = open(store, account, target).map_err(try_create)?;
    let snapshot = selected.mailbox.snapshot().await?;
    if by == Numbering::Sequence && snapshot.rows_of(&uids).count() < uids.len() {
        return Err(Refusal::no(Code::ExpungeIssued, "Some of the messages no longer exist").into());
    }
    Ok((uids, target))
}

/// COPYUID; none when nothing was copied.
pub(crate) fn copy_uid(outcome: &CopyOutcome) -> Option<DoneCode> {
    let numbers = |uids: &UidSet| uids.iter().map(Uid::number).collect();
    (!outcome.source.is_empty()).then(|| DoneCode::CopyUid {
        uid_validity: outcome.uid_validity.number(),
        from: numbers(&outcome.source),
        to: numbers(&outcome.destination),
    })
}
