//! From a message that came in to a message that we are responsible for: filter, route, accept.
//!
//! MX and submission take mail by the same three hops; this crate is their order and nothing else. It refuses to
//! decide on senders and recipients (the listeners do) and to answer positively without [`spool::Accepted`].

mod audit;

use address::Address;
use filter::{Filters, Verdict};
use receive::{Transaction, refusal_of};
use route::{RouteError, Router};
use smtp::Refusal;
use spool::{Accepted, NextHop, QueueId, Route, Routed, Spool, SpoolError};
use telemetry::Fault;
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument;

/// Takes messages into the spool. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    filters: Filters,
    router: Router,
    spool: Spool,
}

impl Intake {
    /// Filters by `filters`, routes by `router`, and keeps what is taken in `spool`.
    pub fn new(filters: Filters, router: Router, spool: Spool) -> Self {
        Self { filters, router, spool }
    }

    /// A name for a message that is about to come in.
    pub fn queue_id_next(&self, now: jiff::Timestamp) -> QueueId {
        self.spool.queue_id_next(now)
    }

    /// Takes a message, or says why not. What the sender is not told is logged here. A message that one of the hops
    /// crashes on is put off (451), and nobody else hears of it.
    pub async fn take(&self, queue_id: QueueId, transaction: Transaction) -> Result<Accepted, Refusal> {
        let intake = self.clone();
        let hops = async move { intake.hops(queue_id, transaction).await };
        // A set of one, so that the work ends with the session that waits for it.
        let mut worker = JoinSet::new();
        worker.spawn(hops.in_current_span());
        match worker.join_next().await {
            Some(Ok(taken)) => taken,
            Some(Err(error)) => Err(crash_refusal(queue_id, &error)),
            None => unreachable!("one was spawned"),
        }
    }

    async fn hops(&self, queue_id: QueueId, transaction: Transaction) -> Result<Accepted, Refusal> {
        let filtered = self.filters.run(&queue_id.to_string(), transaction).await?;
        let envelope = filtered.transaction.envelope.clone();
        let routes = self.router.route(&envelope).await.map_err(|error| route_refusal(&error))?;
        filtered.cut_loops(routes.iter().filter_map(local_recipient))?;
        let notes = audit::notes(&filtered, &routes);
        let origin = filtered.transaction.session.origin(filtered.transaction.arrival);
        let hold = match filtered.verdict {
            Verdict::Accept => None,
            Verdict::Hold(reason) => Some(reason),
        };
        let routed = Routed { queue_id, origin, envelope, body: filtered.body, routes, hold, notes };
        let accepted = self.spool.accept(routed).await.map_err(|error| spool_refusal(&error))?;
        tracing::info!(%queue_id, "accepted");
        Ok(accepted)
    }
}

/// The address under which a route ends in a mailbox here.
fn local_recipient(route: &Route) -> Option<&Address> {
    let is_local = matches!(route.next_hop, NextHop::Local { .. });
    is_local.then(|| route.rewritten.as_ref().unwrap_or(&route.recipient.address))
}

/// 451 4.4.3 where the directory is away (RFC 3463 3.5).
pub fn route_refusal(error: &RouteError) -> Refusal {
    error.fault().log("routing", error);
    match error {
        error if error.is_temporary() => {
            Refusal::new(451, (4, 4, 3), "Directory is not available, try later")
        }
        error => refusal_of(error.fault(), &error.to_string()),
    }
}

fn crash_refusal(queue_id: QueueId, error: &JoinError) -> Refusal {
    metrics::counter!("tartan_intake_panicked_total").increment(1);
    tracing::error!(fault = Fault::Bug.as_str(), %queue_id, %error, "taking a message crashed; its sender is put off");
    refusal_of(Fault::Bug, "The message cannot be taken now")
}

fn spool_refusal(error: &SpoolError) -> Refusal {
    error.fault().log("accepting into the spool", error);
    if error.is_no_space() {
        // RFC 5321 4.2.3.
        return Refusal::new(452, (4, 3, 1), "Insufficient system storage");
    }
    refusal_of(error.fault(), "The message cannot be queued now")
}
