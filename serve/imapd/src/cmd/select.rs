//! SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2).

use address::AccountName;
use imap::{Code, MailboxName, Status, response};
use mailstore::{Mailbox, MailboxEntry, MailboxSnapshot, MailboxStatus, Mailstore};

use crate::channel::Channel;
use crate::names::path_of;
use crate::refusal::{Done, DoneCode, Outcome, Refusal};
use crate::report::write_flags;
use crate::selected::Selected;

/// The mailbox as now selected, and what the OK says.
pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    account: &AccountName,
    name: &MailboxName,
    read_only: bool,
    condstore: bool,
) -> Outcome<(Selected, Done)> {
    let mailbox = open(store, account, name)?;
    let status = mailbox.status().await?;
    let snapshot = mailbox.snapshot().await?;
    let mut selected = Selected::new(mailbox, &snapshot, read_only, condstore);
    claim_recent(&mut selected, &snapshot, &status);
    write_flags(out, &selected);
    write_numbers(out, &selected, &snapshot);
    let done = match read_only {
        true => Done::with(DoneCode::ReadOnly, "EXAMINE completed"),
        false => Done::with(DoneCode::ReadWrite, "SELECT completed"),
    };
    Ok((selected, done))
}

/// The mailbox of that name. A name without a mailbox (`\Noselect`) is refused like one that does not exist.
pub(crate) fn open(store: &Mailstore, account: &AccountName, name: &MailboxName) -> Outcome<Mailbox> {
    let path = path_of(account, name)?;
    match store.mailbox_find(&path) {
        Some(MailboxEntry { id: Some(id), .. }) => Ok(store.mailbox(id)?),
        Some(_) => Err(Refusal::no(Code::NonExistent, "The name holds no messages").into()),
        None => Err(Refusal::no(Code::NonExistent, "No such mailbox").into()),
    }
}

/// SELECT takes `\Recent` for this session; EXAMINE shows it and leaves it to others (RFC 3501 6.3.2).
fn claim_recent(selected: &mut Selected, snapshot: &MailboxSnapshot, status: &MailboxStatus) {
    if !selected.read_only {
        return selected.recent.add(selected.mailbox.recent_claim());
    }
    let first = snapshot.len().saturating_sub(status.recent) + 1;
    if let Some(row) = snapshot.row(first) {
        selected.recent.add_range(row.uid.number(), snapshot.uid_next().number());
    }
}

fn write_numbers(out: &mut Channel, selected: &Selected, snapshot: &MailboxSnapshot) {
    let text = out.text();
    response::exists(text, snapshot.len());
    response::recent(text, selected.recent_count());
    if let Some(row) = snapshot.first_unseen() {
        let code = Code::Unseen(row.seqno);
        response::untagged(text, Status::Ok, Some(code), "First message without \\Seen");
    }
    let validity = Code::UidValidity(snapshot.uid_validity().number());
    response::untagged(text, Status::Ok, Some(validity), "UIDs are valid");
    let next = Code::UidNext(snapshot.uid_next().number());
    response::untagged(text, Status::Ok, Some(next), "Predicted next UID");
    write_highest_modseq(out, selected);
}

/// RFC 7162 3.1.2.1: what the client knows is as new as this.
pub(crate) fn write_highest_modseq(out: &mut Channel, selected: &Selected) {
    let highest = Code::HighestModSeq(selected.reported.number());
    response::untagged(out.text(), Status::Ok, Some(highest), "Highest modseq");
}
