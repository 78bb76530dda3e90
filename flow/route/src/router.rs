//! The router.

use std::collections::HashSet;
use std::sync::Arc;

use address::{AccountName, Address, Envelope, LocalPart, Recipient};
use directory::Directory;
use spool::{NextHop, Route};

use crate::expand::Expansion;
use crate::{RouteError, RouteSettings, remote};

/// Decides where mail goes. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    directory: Arc<dyn Directory>,
    settings: Arc<RouteSettings>,
}

/// What an address is, one step only: aliases are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// An account's, with the detail that the address has beyond the account's own.
    Account {
        /// The account.
        account: AccountName,
        /// The detail of `name+detail`.
        detail: Option<String>,
    },
    /// An alias of these.
    Alias(Vec<Address>),
    /// Not ours.
    Remote,
    /// Ours, and not there (550 5.1.1).
    Unknown,
}

impl Router {
    /// A router that asks `directory`.
    pub fn new(directory: Arc<dyn Directory>, settings: RouteSettings) -> Self {
        Self { directory, settings: Arc::new(settings) }
    }

    /// What an address is; the whole address counts before the one without its detail.
    ///
    /// # Errors
    /// The directory cannot say now ([`RouteError::Directory`], 451).
    pub async fn resolve(&self, address: &Address) -> Result<Resolution, RouteError> {
        let whole = self.ask(address).await?;
        if whole != directory::Resolution::Unknown {
            return Ok(resolution(whole, None));
        }
        let Some(separator) = self.settings.detail_separator else { return Ok(Resolution::Unknown) };
        match address.split_detail(separator) {
            (_, None) => Ok(Resolution::Unknown),
            (base, Some(detail)) => Ok(resolution(self.ask(&base).await?, Some((separator, detail)))),
        }
    }

    /// RFC 5321 4.5.1: the host has a postmaster, whether or not its name is a domain with mail.
    async fn ask(&self, address: &Address) -> Result<directory::Resolution, RouteError> {
        let answer = self.ask_directory(address).await?;
        let host = self.settings.host.as_ref().filter(|host| host.is_postmaster(address));
        match host {
            Some(host) if answer == directory::Resolution::Remote => {
                self.ask_directory(&Address::postmaster(host.domain.clone())).await
            }
            _ => Ok(answer),
        }
    }

    async fn ask_directory(&self, address: &Address) -> Result<directory::Resolution, RouteError> {
        let answer = self.directory.resolve(address).await;
        answer.map_err(|error| RouteError::Directory { address: address.clone(), error: Box::new(error) })
    }

    /// The routes of all recipients; a mailbox that several lead to gets one copy, unless the sender
    /// wants to hear of each. A recipient without a route stays [`NextHop::Unrouted`], and so does one that stands for
    /// several others where the sender wants to hear of that: it is expanded in the queue, with the report
    /// (RFC 3461 5.2.7.3).
    ///
    /// # Errors
    /// The directory cannot say now ([`RouteError::Directory`], 451): nothing is routed.
    pub async fn route(&self, envelope: &Envelope) -> Result<Vec<Route>, RouteError> {
        let mut routes = Vec::with_capacity(envelope.recipients.len());
        let mut seen = HashSet::new();
        for recipient in &envelope.recipients {
            let found = match self.route_recipient(recipient, &recipient.address).await {
                Err(error) if error.is_temporary() => return Err(error),
                Err(error) => {
                    error.fault().log("routing an accepted recipient", &error);
                    vec![Route::new(recipient.clone(), NextHop::Unrouted)]
                }
                Ok(found) if found.len() > 1 && recipient.notify.on_success() => {
                    vec![Route::new(recipient.clone(), NextHop::Unrouted)]
                }
                Ok(found) => found,
            };
            let is_new = |route: &Route| seen.insert(route.address().key()) || recipient.notify.on_success();
            routes.extend(found.into_iter().filter(is_new));
        }
        Ok(routes)
    }

    /// The routes of one recipient, which by now has become `address`. Never none.
    ///
    /// # Errors
    /// All that [`RouteError`] names.
    pub async fn route_recipient(
        &self,
        recipient: &Recipient,
        address: &Address,
    ) -> Result<Vec<Route>, RouteError> {
        let mut expansion = Expansion::of(address);
        let mut routes = Vec::new();
        while let Some(next) = expansion.next()? {
            match self.resolve(&next).await? {
                Resolution::Account { account, detail } => {
                    routes.push(self.local(recipient, account, detail.as_deref()));
                }
                Resolution::Alias(targets) => expansion.targets_add(targets),
                Resolution::Remote => routes.push(self.remote(recipient, next)),
                Resolution::Unknown if next == *address => return Err(RouteError::Unknown(next)),
                Resolution::Unknown => routes.push(vanished(recipient, next)),
            }
        }
        if routes.is_empty() { Err(RouteError::Loop(address.clone())) } else { Ok(routes) }
    }

    fn local(&self, recipient: &Recipient, account: AccountName, detail: Option<&str>) -> Route {
        let name = Address::from(&account);
        let address = match detail.zip(self.settings.detail_separator) {
            Some((detail, separator)) => detail_added(name, separator, detail),
            None => name,
        };
        towards(recipient, address, NextHop::Local { account })
    }

    fn remote(&self, recipient: &Recipient, address: Address) -> Route {
        let next_hop = remote::next_hop(&address, &self.settings);
        towards(recipient, address, next_hop)
    }
}

/// A detail that was taken off goes on to the target of an alias that has only one.
fn resolution(answer: directory::Resolution, detail: Option<(char, &str)>) -> Resolution {
    match (answer, detail) {
        (directory::Resolution::Account(account), detail) => {
            Resolution::Account { account, detail: detail.map(|(_, detail)| detail.to_owned()) }
        }
        (directory::Resolution::Alias(mut targets), Some((separator, detail))) if targets.len() == 1 => {
            Resolution::Alias(targets.drain(..).map(|to| detail_added(to, separator, detail)).collect())
        }
        (directory::Resolution::Alias(targets), _) => Resolution::Alias(targets),
        (directory::Resolution::Remote, _) => Resolution::Remote,
        (directory::Resolution::Unknown, _) => Resolution::Unknown,
    }
}

/// The address with a detail; as it is where the two do not make an address.
fn detail_added(address: Address, separator: char, detail: &str) -> Address {
    let local = LocalPart::from_content(&format!("{}{separator}{detail}", address.local().content()));
    local.map_or(address.clone(), |local| address.with_local(local))
}

/// A target of an alias that is not there any more: the relay will report it.
fn vanished(recipient: &Recipient, address: Address) -> Route {
    tracing::warn!(recipient = %recipient.address, target = %address, "an alias has a target that is not there");
    towards(recipient, address, NextHop::Unrouted)
}

fn towards(recipient: &Recipient, address: Address, next_hop: NextHop) -> Route {
    let rewritten = (address.key() != recipient.address.key()).then_some(address);
    Route { recipient: recipient.clone(), rewritten, next_hop }
}
