//! Who has an account, which addresses there are, and who may log in.
//!
//! [`Directory`] is what the rest of the system asks; it can only be read. [`Embedded`] answers it from a journal of
//! its own and has the verbs that change it. An LDAP implementation comes later and must pass the same contract suite.
//!
//! The directory refuses to say whether an account exists: an unknown login takes the time of a wrong password and
//! gets SCRAM keys that no password fits. It knows no mailboxes, no routes beyond an address's targets, and treats
//! no plus-address: who asks takes the detail off first. Who guesses passwords waits longer and longer
//! ([`for_session`]); nobody is ever locked out.
//!
//! Invariants of the embedded one, kept by its verbs:
//!
//! - Every account and address belongs to a domain that is there.
//! - No address is both an account's own and an alias.
//! - A target of an alias that is in a domain of ours was there when the alias was made, and stays while it is a target.
//! - Aliases form no loop.
//! - `postmaster` and `abuse` of every domain are delivered as soon as there is one account (RFC 5321 4.5.1,
//!   RFC 2142 4).

mod authenticate;
mod embedded;
mod entry;
mod error;
mod guarded;
mod guesses;
mod password;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use address::{AccountName, Address, Domain};
use sasl::Password;

pub use authenticate::{Authentication, Principal, authenticate};
pub use embedded::{CheckReport, Embedded};
pub use entry::{AccountEntry, AddressEntry, Credentials, DomainEntry, Resolution};
pub use error::DirectoryError;
pub use password::PasswordSettings;

/// What a question to a directory gives, sooner or later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, DirectoryError>> + Send + 'a>>;

/// The questions that the system asks about accounts and addresses.
///
/// An `Err` never means "no": it means that the answer is not known now, and the asker must not act as if it were.
pub trait Directory: Send + Sync {
    /// The domain of a login that names none.
    fn default_domain(&self) -> &Domain;

    /// The entry of a domain that is ours.
    fn domain<'a>(&'a self, domain: &'a Domain) -> Answer<'a, Option<DomainEntry>>;

    /// The entry of an account.
    fn account<'a>(&'a self, account: &'a AccountName) -> Answer<'a, Option<AccountEntry>>;

    /// Where mail for an address goes. Case does not matter; a detail (`base+detail`) is not taken off.
    fn resolve<'a>(&'a self, address: &'a Address) -> Answer<'a, Resolution>;

    /// The addresses that are an account's own: what it may write in From and MAIL FROM.
    fn addresses_of<'a>(&'a self, account: &'a AccountName) -> Answer<'a, Vec<Address>>;

    /// The account of `login` if the password is right; takes as long for an unknown login.
    fn verify_password<'a>(
        &'a self,
        login: &'a str,
        password: &'a Password,
    ) -> Answer<'a, Option<AccountName>>;

    /// The SCRAM keys of `login`; for an unknown login a decoy that stays the same.
    fn credentials<'a>(&'a self, login: &'a str) -> Answer<'a, Credentials>;

    /// An account has proved by its credentials who it is; whoever runs the exchange says so.
    fn signed_in(&self, account: &AccountName) {
        let _ = account;
    }

    /// The same directory for the logins of the peer at `address`, so that who guesses passwords there is slowed down.
    /// None where peers are not told apart.
    fn for_peer(&self, address: IpAddr) -> Option<Arc<dyn Directory>> {
        let _ = address;
        None
    }
}

/// `directory` for one session of the peer at `address`, as [`Directory::for_peer`] gives it.
pub fn for_session(directory: &Arc<dyn Directory>, address: IpAddr) -> Arc<dyn Directory> {
    directory.for_peer(address).unwrap_or_else(|| directory.clone())
}
