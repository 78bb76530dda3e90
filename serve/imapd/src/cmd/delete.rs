//! DELETE (RFC 3501 6.3.4). Sessions that have the mailbox selected are told to go (RFC 2180 3.3).

use address::AccountName;
use imap::MailboxName;
use mailstore::Mailstore;

use crate::names::path_of;
use crate::refusal::{Done, Outcome};

pub(crate) async fn run(store: &Mailstore, account: &AccountName, name: &MailboxName) -> Outcome {
    store.mailbox_delete(&path_of(account, name)?).await?;
    Ok(Done::plain("DELETE completed"))
}
