//! RENAME (RFC 3501 6.3.5).

use address::AccountName;
use imap::MailboxName;
use mailstore::Mailstore;

use crate::names::path_of;
use crate::refusal::{Done, Outcome};

pub(crate) async fn run(
    store: &Mailstore,
    account: &AccountName,
    from: &MailboxName,
    to: &MailboxName,
) -> Outcome {
    store.mailbox_rename(&path_of(account, from)?, &path_of(account, to)?).await?;
    Ok(Done::plain("RENAME completed"))
}
