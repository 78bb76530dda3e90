//! How far a session has come (RFC 3501 3). Each state owns what is valid in it, so that a verb that asks for
//! the selected mailbox and finds none is refused before it runs.

use address::AccountName;

use crate::refusal::{Outcome, Refusal};
use crate::selected::Selected;

/// The state of a session; LOGOUT ends it.
pub(crate) enum State {
    ExpectLogin,
    Authenticated { account: AccountName },
    Selected { account: AccountName, mailbox: Box<Selected> },
}

impl State {
    pub(crate) fn expect_login(&self) -> Outcome<()> {
        match self {
            Self::ExpectLogin => Ok(()),
            _ => Err(Refusal::bad("Already logged in").into()),
        }
    }

    pub(crate) fn account(&self) -> Outcome<&AccountName> {
        match self {
            Self::ExpectLogin => Err(Refusal::bad("Log in first").into()),
            Self::Authenticated { account } | Self::Selected { account, .. } => Ok(account),
        }
    }

    /// The account and its selected mailbox.
    pub(crate) fn selected(&mut self) -> Outcome<(&AccountName, &mut Selected)> {
        match self {
            Self::ExpectLogin => Err(Refusal::bad("Log in first").into()),
            Self::Authenticated { .. } => Err(Refusal::bad("Select a mailbox first").into()),
            Self::Selected { account, mailbox } => Ok((account, mailbox)),
        }
    }

    /// The selected mailbox, if there is one.
    pub(crate) fn mailbox(&mut self) -> Option<&mut Selected> {
        match self {
            Self::Selected { mailbox, .. } => Some(mailbox),
            _ => None,
        }
    }

    pub(crate) fn select(&mut self, mailbox: Selected) {
        if let Ok(account) = self.account().cloned() {
            *self = Self::Selected { account, mailbox: Box::new(mailbox) };
        }
    }

    pub(crate) fn unselect(&mut self) {
        if let Self::Selected { account, .. } = self {
            *self = Self::Authenticated { account: account.clone() };
        }
    }

    /// A session that deletes the mailbox it has selected goes on without one.
    pub(crate) fn unselect_deleted(&mut self) {
        if self.mailbox().is_some_and(|selected| selected.mailbox.is_deleted()) {
            self.unselect();
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        !matches!(self, Self::ExpectLogin)
    }
}
