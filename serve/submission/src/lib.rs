//! Mail from our own users: RFC 6409 on port 587, RFC 8314 on port 465.
//!
//! [`Submission`] takes mail for anybody from those who have signed in. It refuses to talk about passwords outside
//! TLS, to take mail before AUTH, to let a user send as somebody else unless that is allowed, and to link the mail
//! store. One value serves both ports: STARTTLS is offered where the connection is still in clear.

use std::sync::Arc;

use address::{Address, AddressLiteral, Envelope, Host, Recipient};
use directory::Directory;
use disk::Disk;
use filter::{Filters, Minimum, Repair};
use intake::{Intake, route_refusal};
use jiff::Timestamp;
use net::{Connection, TlsAcceptor, is_near};
use receive::{Receiver, ReceiverSettings, Role, SessionInfo, Transaction};
use route::{Resolution, Router};
use smtp::command::Mail;
use smtp::{Flavour, Refusal};
use spool::{Accepted, QueueId, Spool};

/// How mail from users is taken.
#[derive(Clone, Debug)]
pub struct SubmissionSettings {
    /// Name, limits and times of the listener.
    pub receiver: ReceiverSettings,
    /// `Received` fields after which a message is taken for looping.
    pub hops_max: usize,
    /// Whether a user may send as any address, not only those of the account.
    pub any_sender: bool,
}

impl Default for SubmissionSettings {
    fn default() -> Self {
        Self { receiver: ReceiverSettings::default(), hops_max: limits::HOPS_MAX, any_sender: false }
    }
}

/// The submission role. Cheap to clone.
#[derive(Clone)]
pub struct Submission {
    receiver: Receiver<SubmissionRole>,
}

impl Submission {
    /// Submission for the accounts of `directory`; with `tls` it offers STARTTLS.
    pub fn new(
        directory: Arc<dyn Directory>,
        router: Router,
        spool: Spool,
        disk: Arc<dyn Disk>,
        tls: Option<TlsAcceptor>,
        settings: SubmissionSettings,
    ) -> Self {
        let SubmissionSettings { receiver, hops_max, any_sender } = settings;
        let repair = Some(Repair { domain: receiver.domain.clone() });
        let filters = Filters::new(Minimum { hops_max, repair });
        let intake = Intake::new(filters, router.clone(), spool);
        let role = SubmissionRole { directory: directory.clone(), router, intake, any_sender };
        Self { receiver: Receiver::new(role, disk, tls, Some(directory), receiver) }
    }

    /// Serves one connection to its end.
    pub async fn serve(&self, connection: Connection) {
        self.receiver.serve(connection).await;
    }
}

struct SubmissionRole {
    directory: Arc<dyn Directory>,
    router: Router,
    intake: Intake,
    any_sender: bool,
}

impl Role for SubmissionRole {
    type Proof = Accepted;
    type Id = QueueId;
    type Target = ();

    const FLAVOUR: Flavour = Flavour::Submission;

    fn name(&self) -> &'static str {
        "submission"
    }

    fn transaction_id(&self, _session: &SessionInfo, now: Timestamp) -> QueueId {
        self.intake.queue_id_next(now)
    }

    /// RFC 6409 6.1: the sender must be one of the account's own. The null path is for reports, whose sender nobody
    /// could claim to be.
    async fn on_mail(&self, session: &SessionInfo, mail: &Mail) -> Result<(), Refusal> {
        match mail.reverse_path.address() {
            Some(sender) if !self.any_sender => self.own_address(session, sender).await,
            _ => Ok(()),
        }
    }

    /// RFC 6409 6.2 lets us refuse what is known to be undeliverable.
    async fn on_rcpt(
        &self,
        _session: &SessionInfo,
        _envelope: &Envelope,
        recipient: &Recipient,
    ) -> Result<(), Refusal> {
        match self.router.resolve(&recipient.address).await {
            Ok(Resolution::Unknown) => Err(Refusal::new(550, (5, 1, 1), "No such address here")),
            Ok(Resolution::Remote) if leads_nowhere(&recipient.address) => {
                Err(Refusal::new(550, (5, 1, 2), "No mail goes to that host"))
            }
            Ok(_) => Ok(()),
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

/// Whether an address literal names no host that mail goes to: this one, its link, or something that is no IP address.
fn leads_nowhere(address: &Address) -> bool {
    match address.host() {
        Host::Domain(_) => false,
        Host::Literal(AddressLiteral::Ip(ip)) => is_near(*ip),
        Host::Literal(AddressLiteral::General { .. }) => true,
    }
}

impl SubmissionRole {
    async fn own_address(&self, session: &SessionInfo, sender: &Address) -> Result<(), Refusal> {
        let Some(account) = &session.account else {
            return Err(Refusal::new(530, (5, 7, 0), "Authentication required"));
        };
        let own = self.directory.addresses_of(account).await.map_err(|error| {
            error.fault().log("looking up a sender", &error);
            Refusal::new(451, (4, 4, 3), "Directory is not available, try later")
        })?;
        let (base, _detail) = sender.split_detail('+');
        if own.iter().any(|address| [sender.key(), base.key()].contains(&address.key())) {
            return Ok(());
        }
        tracing::info!(%account, %sender, "sender is not the account's");
        Err(Refusal::new(550, (5, 7, 1), "That sender address is not yours"))
    }
}
