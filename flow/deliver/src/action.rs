//! What is to be done with a message, in the terms of RFC 5228 4. Scripts will say; for now the address does.

use address::AccountName;
use mailstore::MailboxPath;

/// One action. Whatever goes wrong with `FileInto`, `Keep` is done in its stead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Into the inbox.
    Keep,
    /// Into the first of these mailboxes that is there.
    FileInto(Vec<MailboxPath>),
}

impl Action {
    /// The action for a message to `local+detail@domain`: the mailbox that the detail names, below the inbox or at
    /// the top.
    pub fn for_detail(account: &AccountName, detail: Option<&str>) -> Self {
        let candidates = detail.map_or(vec![], |detail| named(account, detail));
        if candidates.is_empty() { Self::Keep } else { Self::FileInto(candidates) }
    }
}

fn named(account: &AccountName, detail: &str) -> Vec<MailboxPath> {
    let top: Vec<&str> = detail.split('/').collect();
    let below: Vec<&str> = std::iter::once("INBOX").chain(top.iter().copied()).collect();
    [below, top].iter().filter_map(|components| MailboxPath::personal(account, components).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(detail: Option<&str>) -> String {
        match Action::for_detail(&AccountName::parse("ann@example.org").unwrap(), detail) {
            Action::Keep => "keep".into(),
            Action::FileInto(paths) => paths.iter().map(|p| p.to_string()).collect::<Vec<_>>().join(" "),
        }
    }

    #[test]
    fn the_detail_names_a_mailbox_below_the_inbox_or_at_the_top() {
        assert_eq!(action(Some("lists")), "example.org!ann/INBOX/lists example.org!ann/lists");
        assert_eq!(action(Some("lists/rust")), "example.org!ann/INBOX/lists/rust example.org!ann/lists/rust");
    }

    #[test]
    fn a_detail_that_no_mailbox_can_have_is_kept_in_the_inbox() {
        for detail in [None, Some(""), Some("a//b"), Some("50%"), Some("*")] {
            assert_eq!(action(detail), "keep", "{detail:?}");
        }
    }
}
