//! What LMTP decides.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use address::{AccountName, Envelope, Recipient};
use deliver::{DeliverError, Delivered, Deliverer, Delivery};
use jiff::Timestamp;
use mailstore::MailstoreError;
use net::{Network, Peer};
use receive::{Proof, Role, SessionInfo, Transaction, refusal_of};
use route::{Resolution, RouteError, Router};
use smtp::{EnhancedCode, Flavour, Refusal, Reply};
use telemetry::Fault;
use tokio::task::JoinSet;
use tracing::Instrument;

/// Delivers to the accounts that a router finds.
pub(crate) struct LmtpRole {
    router: Router,
    deliverer: Deliverer,
    trusted: Vec<Network>,
    transactions: AtomicU64,
}

impl LmtpRole {
    pub(crate) fn new(router: Router, deliverer: Deliverer, trusted: Vec<Network>) -> Self {
        Self { router, deliverer, trusted, transactions: AtomicU64::new(0) }
    }
}

/// A recipient's mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    account: AccountName,
    detail: Option<String>,
}

/// The mail store's word that a recipient's copy is durable.
pub(crate) struct Stored(Delivered);

impl Proof for Stored {
    fn reply(&self) -> Reply {
        let appended = self.0.appended();
        let text = format!("stored as uid {} of {}", appended.uid(), self.0.mailbox());
        Reply::new(250, EnhancedCode::new(2, 0, 0), text)
    }
}

impl Role for LmtpRole {
    type Proof = Stored;
    type Id = String;
    type Target = Target;

    const FLAVOUR: Flavour = Flavour::Lmtp;

    fn name(&self) -> &'static str {
        "lmtpd"
    }

    fn transaction_id(&self, session: &SessionInfo, _now: Timestamp) -> String {
        format!("{}-{}", session.id, self.transactions.fetch_add(1, Ordering::Relaxed))
    }

    async fn on_connect(&self, session: &SessionInfo) -> Result<(), Refusal> {
        let trusted = match &session.peer {
            Peer::Pipe { .. } => true,
            Peer::Tcp(address) => self.trusted.iter().any(|network| network.contains(address.ip())),
        };
        if trusted { Ok(()) } else { Err(Refusal::new(554, (5, 7, 1), "Not a host that delivers here")) }
    }

    async fn on_rcpt(
        &self,
        _session: &SessionInfo,
        _envelope: &Envelope,
        recipient: &Recipient,
    ) -> Result<Target, Refusal> {
        match self.router.resolve(&recipient.address).await {
            Ok(Resolution::Account { account, detail }) => Ok(Target { account, detail }),
            Ok(_) => Err(Refusal::new(550, (5, 1, 1), "No such mailbox here")),
            Err(error) => Err(resolve_refusal(&error)),
        }
    }

    /// All copies at once, so that they share the mail store's next sync.
    async fn on_body(
        &self,
        _id: String,
        transaction: Transaction,
        targets: Vec<Target>,
    ) -> Vec<Result<Stored, Refusal>> {
        let body = match transaction.stamped("") {
            Ok(body) => body,
            Err(error) => {
                let refusal = refused(&DeliverError::Body(error));
                return targets.iter().map(|_| Err(refusal.clone())).collect();
            }
        };
        let delivery = |index: usize, target: Target| Delivery {
            account: target.account,
            recipient: transaction.envelope.recipients[index].address.clone(),
            detail: target.detail,
            reverse_path: transaction.envelope.reverse_path.clone(),
            body: body.clone(),
            arrival: transaction.arrival,
        };
        let deliveries: Vec<_> =
            targets.into_iter().enumerate().map(|(index, target)| delivery(index, target)).collect();
        match <[Delivery; 1]>::try_from(deliveries) {
            Ok([only]) => {
                vec![caught(deliver(&self.deliverer, only)).await.unwrap_or_else(|| Err(crashed()))]
            }
            Err(several) => self.all_at_once(several).await,
        }
    }
}

impl LmtpRole {
    async fn all_at_once(&self, several: Vec<Delivery>) -> Vec<Result<Stored, Refusal>> {
        let count = several.len();
        let mut deliveries = JoinSet::new();
        for (index, delivery) in several.into_iter().enumerate() {
            let deliverer = self.deliverer.clone();
            let delivered = async move { (index, deliver(&deliverer, delivery).await) };
            deliveries.spawn(delivered.in_current_span());
        }
        in_order(deliveries, count).await
    }
}

/// One delivery where it is: a task of its own would wake another thread for nothing. None if it panicked, which has been
/// logged where it happened.
async fn caught<T>(delivery: impl Future<Output = T>) -> Option<T> {
    let mut delivery = pin!(delivery);
    poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| delivery.as_mut().poll(task))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

async fn deliver(deliverer: &Deliverer, delivery: Delivery) -> Result<Stored, Refusal> {
    let recipient = delivery.recipient.clone();
    match deliverer.deliver(delivery).await {
        Ok(delivered) => {
            let appended = delivered.appended();
            tracing::info!(%recipient, mailbox = %delivered.mailbox(), uid = %appended.uid(), "delivered");
            Ok(Stored(delivered))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// The answers by the recipients' order. A delivery that crashed has crashed on this message, as far as one can see
/// (RFC 3463 3.7, X.6.0): the relay tries a few times and then holds it.
async fn in_order(
    mut deliveries: JoinSet<(usize, Result<Stored, Refusal>)>,
    count: usize,
) -> Vec<Result<Stored, Refusal>> {
    let mut answers: Vec<Result<Stored, Refusal>> = Vec::new();
    answers.resize_with(count, || Err(crashed()));
    while let Some(ended) = deliveries.join_next().await {
        match ended {
            Ok((index, answer)) => answers[index] = answer,
            Err(error) => Fault::Bug.log("delivering", &error),
        }
    }
    answers
}

fn crashed() -> Refusal {
    Refusal::new(451, (4, 6, 0), "The delivery of this message crashed")
}

fn refused(error: &DeliverError) -> Refusal {
    error.fault().log("delivering", error);
    match error {
        DeliverError::Loop(_) => Refusal::new(554, (5, 4, 6), error.to_string()),
        DeliverError::HeaderTooBig | DeliverError::Mailstore(MailstoreError::MessageTooLarge) => {
            Refusal::new(552, (5, 3, 4), error.to_string())
        }
        DeliverError::Body(error) if disk::is_no_space(error) => storage_full(),
        DeliverError::Mailstore(error) if error.is_no_space() => storage_full(),
        _ => refusal_of(error.fault(), "The message cannot be stored now"),
    }
}

fn storage_full() -> Refusal {
    Refusal::new(452, (4, 3, 1), "Insufficient system storage")
}

fn resolve_refusal(error: &RouteError) -> Refusal {
    error.fault().log("resolving a recipient", error);
    Refusal::new(451, (4, 4, 3), "Directory is not available, try later")
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[tokio::test]
    async fn a_delivery_that_panics_is_an_answer_and_not_the_end_of_the_session() {
        assert_eq!(caught(async { 7 }).await, Some(7));
        let crash = async {
            tokio::task::yield_now().await;
            panic!("as a bug would");
        };
        assert_eq!(caught::<()>(crash).await, None);
    }
}
