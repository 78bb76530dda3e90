//! STATUS (RFC 3501 6.3.10, RFC 7162 3.1.7).

use address::AccountName;
use imap::{MailboxName, StatusItem, response};
use mailstore::{MailboxStatus, Mailstore};

use super::select::open;
use crate::channel::Channel;
use crate::refusal::{Done, Outcome};

pub(crate) async fn run(
    out: &mut Channel,
    store: &Mailstore,
    account: &AccountName,
    name: &MailboxName,
    items: &[StatusItem],
) -> Outcome {
    let status = open(store, account, name)?.status().await?;
    write(out, name, items, &status);
    Ok(Done::plain("STATUS completed"))
}

pub(crate) fn write(out: &mut Channel, name: &MailboxName, items: &[StatusItem], status: &MailboxStatus) {
    response::status(out.text(), name, items.iter().map(|item| (*item, value(*item, status))));
}

fn value(item: StatusItem, status: &MailboxStatus) -> u64 {
    match item {
        StatusItem::Messages => status.messages.into(),
        StatusItem::Recent => status.recent.into(),
        StatusItem::UidNext => status.uid_next.number().into(),
        StatusItem::UidValidity => status.uid_validity.number().into(),
        StatusItem::Unseen => status.unseen.into(),
        StatusItem::HighestModSeq => status.highest_modseq.number(),
    }
}
