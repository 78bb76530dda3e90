//! Mail from other hosts: RFC 5321 on port 25.
//!
//! [`Mx`] takes mail for the addresses of the directory and for nobody else. It refuses to relay, to take mail that
//! it would have to bounce (an unknown recipient is refused at RCPT), to authenticate anyone, and to link the mail
//! store: what it takes goes into the spool.

use std::sync::Arc;

use address::{Envelope, Recipient};
use disk::Disk;
use filter::{Filters, Minimum};
use intake::{Intake, route_refusal};
use jiff::Timestamp;
use net::{Connection, TlsAcceptor};
use receive::{Receiver, ReceiverSettings, Role, SessionInfo, Transaction};
use route::{Resolution, Router};
use smtp::{Flavour, Refusal};
use spool::{Accepted, QueueId, Spool};

/// How mail from other hosts is taken.
#[derive(Clone, Debug)]
pub struct MxSettings {
    /// Name, limits and times of the listener.
    pub receiver: ReceiverSettings,
    /// `Received` fields after which a message is taken for looping.
    pub hops_max: usize,
}

impl Default for MxSettings {
    fn default() -> Self {
        Self { receiver: ReceiverSettings::default(), hops_max: limits::HOPS_MAX }
    }
}

/// The MX role. Cheap to clone.
#[derive(Clone)]
pub struct Mx {
    receiver: Receiver<MxRole>,
}

impl Mx {
    /// An MX for the addresses that `router` knows; with `tls` it offers STARTTLS.
    pub fn new(
        router: Router,
        spool: Spool,
        disk: Arc<dyn Disk>,
        tls: Option<TlsAcceptor>,
        settings: MxSettings,
    ) -> Self {
        let filters = Filters::new(Minimum { hops_max: settings.hops_max, repair: None });
        let role = MxRole { router: router.clone(), intake: Intake::new(filters, router, spool) };
        Self { receiver: Receiver::new(role, disk, tls, None, settings.receiver) }
    }

    /// Serves one connection to its end.
    pub async fn serve(&self, connection: Connection) {
        self.receiver.serve(connection).await;
    }
}

struct MxRole {
    router: Router,
    intake: Intake,
}

impl Role for MxRole {
    type Proof = Accepted;
    type Id = QueueId;
    type Target = ();

    const FLAVOUR: Flavour = Flavour::Smtp;

    fn name(&self) -> &'static str {
        "mx"
    }

    fn transaction_id(&self, _session: &SessionInfo, now: Timestamp) -> QueueId {
        self.intake.queue_id_next(now)
    }

    /// RFC 5321 3.6.2: no relaying for strangers; 3.3: 550 for a recipient that is not here.
    async fn on_rcpt(
        &self,
        _session: &SessionInfo,
        _envelope: &Envelope,
        recipient: &Recipient,
    ) -> Result<(), Refusal> {
        match self.router.resolve(&recipient.address).await {
            Ok(Resolution::Account { .. } | Resolution::Alias(_)) => Ok(()),
            Ok(Resolution::Remote) => Err(Refusal::new(550, (5, 7, 1), "Relaying denied")),
            Ok(Resolution::Unknown) => Err(Refusal::new(550, (5, 1, 1), "No such address here")),
            Err(error) => Err(route_refusal(&error)),
        }
    }

    async fn on_body(
        &self,
        id: QueueId,
        transaction: Transaction,
        _targets: Vec<()>,
    ) -> Vec<Result<Accepted, Refusal>> {
        vec![self.intake.take(id, transaction).await]
    }
}
