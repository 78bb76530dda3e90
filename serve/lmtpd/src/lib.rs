//! Mail into mailboxes: RFC 2033, with a reply for each recipient.
//!
//! [`Lmtpd`] takes mail from the roles of its own process, over pipes that carry their identity, and from the hosts
//! that it is told to trust. It refuses to relay, to expand aliases (whoever sends here has done so), and to answer
//! 250 before the mail store has proved that the message is durable.

mod role;

use std::sync::Arc;

use deliver::Deliverer;
use disk::Disk;
use mailstore::Mailstore;
use net::{Connection, Network};
use receive::{Receiver, ReceiverSettings};
use route::Router;

use role::LmtpRole;

/// How mail into mailboxes is taken.
#[derive(Clone, Debug)]
pub struct LmtpdSettings {
    /// Name, limits and times of the listener.
    pub receiver: ReceiverSettings,
    /// Hosts that may deliver. Roles of this process always may.
    pub trusted: Vec<Network>,
}

impl Default for LmtpdSettings {
    fn default() -> Self {
        Self { receiver: ReceiverSettings::default(), trusted: Network::loopback().to_vec() }
    }
}

/// The LMTP role. Cheap to clone.
#[derive(Clone)]
pub struct Lmtpd {
    receiver: Receiver<LmtpRole>,
}

impl Lmtpd {
    /// Delivers into `mailstore`, to the accounts that `router` finds.
    pub fn new(router: Router, mailstore: Mailstore, disk: Arc<dyn Disk>, settings: LmtpdSettings) -> Self {
        let role = LmtpRole::new(router, Deliverer::new(mailstore), settings.trusted);
        Self { receiver: Receiver::new(role, disk, None, None, settings.receiver) }
    }

    /// Serves one connection to its end.
    pub async fn serve(&self, connection: Connection) {
        self.receiver.serve(connection).await;
    }
}
