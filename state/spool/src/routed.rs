//! What comes in: a message that is filtered and routed.

use address::{AccountName, Address, Domain, Envelope, Recipient};
use compact_str::CompactString;
use disk::Body;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::AuditNote;
use crate::queue_id::QueueId;

/// Where a message came from: facts of the session that brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The role that received it: `mx`, `submission`, `spool` for our own reports.
    pub role: CompactString,
    /// The session's id, as in the logs.
    pub session: Option<CompactString>,
    /// The other side: `192.0.2.1:40123`, or the name of a role.
    pub peer: CompactString,
    /// What it called itself in HELO, EHLO or LHLO.
    pub helo: CompactString,
    /// Who logged in.
    pub account: Option<AccountName>,
    /// Whether it came under TLS.
    pub tls: bool,
    /// When the message was complete.
    pub arrival: Timestamp,
}

/// Where a recipient's copy goes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextHop {
    /// By LMTP to the mailbox of an account of this system.
    Local {
        /// The account.
        account: AccountName,
    },
    /// By SMTP to the hosts that the domain's MX records name (RFC 5321 5.1).
    Mx {
        /// The domain.
        domain: Domain,
    },
    /// By SMTP to a host that the configuration names, a smart host or a fixed route.
    Host {
        /// Its name or address.
        host: CompactString,
        /// Its port.
        port: u16,
    },
    /// Not known yet. Reports of the spool's own start so, and what an operator gives back to be routed anew: the worker
    /// that gets it asks the router and answers [`crate::Attempt::Expanded`] with what it was told.
    Unrouted,
}

/// One copy of a message: for whom, and where it goes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The recipient as the sender gave it, with NOTIFY and ORCPT.
    pub recipient: Recipient,
    /// The address to use from here on, where an alias has made another of it.
    pub rewritten: Option<Address>,
    /// Where it goes next.
    pub next_hop: NextHop,
}

impl Route {
    /// A route for a recipient as it is.
    pub fn new(recipient: Recipient, next_hop: NextHop) -> Self {
        Self { recipient, rewritten: None, next_hop }
    }

    /// The address that goes into RCPT.
    pub fn address(&self) -> &Address {
        self.rewritten.as_ref().unwrap_or(&self.recipient.address)
    }
}

/// A message ready to be taken responsibility for: what [`crate::Spool::accept`] consumes.
#[derive(Debug)]
pub struct Routed {
    /// Its name, from [`crate::Spool::queue_id_next`], which the `Received` field already shows.
    pub queue_id: QueueId,
    /// Where it came from.
    pub origin: Origin,
    /// The envelope as received.
    pub envelope: Envelope,
    /// The message, trace fields in front.
    pub body: Body,
    /// One for each copy; none is refused.
    pub routes: Vec<Route>,
    /// Why it is to be held from the start, if it is.
    pub hold: Option<String>,
    /// What the hops before have to say for the audit.
    pub notes: Vec<AuditNote>,
}
