//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7).

use address::AccountName;
use imap::MailboxName;
use mailstore::Mailstore;

use crate::names::path_of;
use crate::refusal::{Done, Outcome};

/// The name need not exist: a client may subscribe to what will be there again tomorrow.
pub(crate) async fn run(store: &Mailstore, account: &AccountName, name: &MailboxName) -> Outcome {
    store.subscribe(account, &path_of(account, name)?).await?;
    Ok(Done::plain("SUBSCRIBE completed"))
}

pub(crate) async fn run_unsubscribe(store: &Mailstore, account: &AccountName, name: &MailboxName) -> Outcome {
    store.unsubscribe(account, &path_of(account, name)?).await?;
    Ok(Done::plain("UNSUBSCRIBE completed"))
}
