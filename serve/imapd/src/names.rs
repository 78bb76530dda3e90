//! Mailbox names as clients write them, and the paths that the store knows.
//!
//! `INBOX`, what stands below it, and every other name at the top are the account's own. `user/NAME` is where
//! other users' mailboxes will be; until they can be shared, nobody but NAME sees them there.

use address::AccountName;
use imap::{Code, MailboxName, Quirk, Quirks};
use mailstore::MailboxPath;

use crate::refusal::{Outcome, Refusal};

/// What stands between two levels of a name.
pub(crate) const SEPARATOR: char = '/';

/// The first component of other users' mailboxes (RFC 2342 2).
const OTHERS: &str = "user";

/// The path that a name stands for when `account` says it.
pub(crate) fn path_of(account: &AccountName, name: &MailboxName) -> Outcome<MailboxPath> {
    let components: Vec<&str> = name.components(SEPARATOR).collect();
    match components.as_slice() {
        [others, owner, below @ ..] if *others == OTHERS => own_by_owner(account, owner, below),
        own => Ok(MailboxPath::personal(account, own)?),
    }
}

/// `user/NAME/...` is `INBOX/...` for NAME; for anybody else there is no such mailbox, whether or not there
/// is.
fn own_by_owner(account: &AccountName, owner: &str, below: &[&str]) -> Outcome<MailboxPath> {
    if owner != account.name() && owner != account.to_string() {
        return Err(Refusal::no(Code::NoPerm, "Mailboxes of other users are not shared").into());
    }
    let components: Vec<&str> = std::iter::once("INBOX").chain(below.iter().copied()).collect();
    Ok(MailboxPath::personal(account, &components)?)
}

/// Makes a mailbox name what the client means by it ([`Quirk::ExtraSeparator`]).
pub(crate) fn mend(quirks: Quirks, name: &mut MailboxName) {
    if quirks.has(Quirk::ExtraSeparator) {
        *name = name.without_separator_at_end(SEPARATOR);
    }
}

/// The name of one of the account's own mailboxes.
pub(crate) fn name_of(path: &MailboxPath) -> String {
    path.components().join("/")
}
