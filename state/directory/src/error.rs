//! What can go wrong, and whose fault it is.

use address::{AccountName, Address, Domain};
use journal::{JournalError, SequencerError};
use sasl::SaslError;
use telemetry::Fault;

/// Why the directory did not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DirectoryError {
    /// The domain is there already.
    #[error("domain {0} exists already")]
    DomainExists(Domain),
    /// The domain is not there.
    #[error("domain {0} does not exist")]
    DomainUnknown(Domain),
    /// The domain has accounts or addresses.
    #[error("domain {domain} is still in use: accounts {accounts}, other addresses {addresses}")]
    DomainInUse {
        /// The domain.
        domain: Domain,
        /// Its accounts.
        accounts: usize,
        /// Its other addresses.
        addresses: usize,
    },
    /// The account is there already.
    #[error("account {0} exists already")]
    AccountExists(AccountName),
    /// The account is not there.
    #[error("account {0} does not exist")]
    AccountUnknown(AccountName),
    /// The address is there already.
    #[error("address {0} exists already")]
    AddressExists(Address),
    /// The address is an account's name, which cannot be given or taken away by itself.
    #[error("address {0} is the name of an account")]
    AddressOfAccount(AccountName),
    /// The address is not there.
    #[error("address {0} does not exist")]
    AddressUnknown(Address),
    /// An address literal cannot be an address of ours.
    #[error("address {0} has no domain name")]
    AddressLiteral(Address),
    /// An alias needs targets, and not too many.
    #[error("an address needs between 1 and {max} targets, and {given} were given")]
    TargetCount {
        /// How many were given.
        given: usize,
        /// `limits::ALIAS_TARGETS_MAX`.
        max: usize,
    },
    /// The target is in a domain of ours but is not there.
    #[error("target {0} is neither an account nor an address here")]
    TargetUnknown(Address),
    /// The target leads back to the address.
    #[error("target {target} leads back to {address}")]
    Loop {
        /// The address to be added.
        address: Address,
        /// The target that comes back to it.
        target: Box<Address>,
    },
    /// An alias has it as a target.
    #[error("{address} is still a target of {alias}")]
    StillTarget {
        /// What should go.
        address: Address,
        /// What points there.
        alias: Box<Address>,
    },
    /// The password has characters that no password may have, or is empty or too long.
    #[error("the password cannot be used: {0}")]
    Password(SaslError),
    /// There is no account yet that mail for a postmaster could go to.
    #[error("no account can take the mail for the postmaster of {0} yet")]
    NoPostmaster(Domain),
    /// Too many logins wait for their passwords to be hashed.
    #[error("too many logins at once")]
    Busy,
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
    /// A stored hash cannot be used.
    #[error("the stored password of {0} cannot be used")]
    StoredPassword(AccountName),
    /// A hash could not be made.
    #[error("hashing failed: {0}")]
    Hash(String),
    /// The journal or its sequencer failed.
    #[error(transparent)]
    Store(#[from] SequencerError),
    /// The journal could not be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl DirectoryError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoPostmaster(_) | Self::Busy => Fault::Temporary,
            Self::Random(_) | Self::StoredPassword(_) | Self::Hash(_) => Fault::Local,
            Self::Store(error) => error.fault(),
            Self::Journal(error) => error.fault(),
            _ => Fault::Policy,
        }
    }
}
