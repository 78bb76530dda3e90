//! CREATE (RFC 3501 6.3.3), with the USE of RFC 6154 3.

use address::AccountName;
use imap::{Code, MailboxName, SpecialUse};
use mailstore::Mailstore;

use crate::names::{SEPARATOR, path_of};
use crate::refusal::{Done, Outcome, Refusal};

pub(crate) async fn run(
    store: &Mailstore,
    account: &AccountName,
    name: &MailboxName,
    special_use: &[SpecialUse],
) -> Outcome {
    // RFC 3501 6.3.3: a separator at the end says that names will be made below; the mailbox is made without it.
    let path = path_of(account, &name.without_separator_at_end(SEPARATOR))?;
    let special_use = match special_use {
        [] => None,
        [one] => mailstore::SpecialUse::parse(one.attribute()),
        _ => return Err(Refusal::no(Code::UseAttr, "A mailbox has one special use").into()),
    };
    store.mailbox_create(&path, special_use).await?;
    Ok(Done::plain("CREATE completed"))
}
