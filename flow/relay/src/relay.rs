//! The worker pool.

use std::sync::Arc;

use disk::Body;
use jiff::Timestamp;
use net::{Pipes, Shutdown};
use route::Router;
use spool::{Attempt, Due, NextHop, Outcome, Spool, SpoolError};
use telemetry::SessionId;
use tokio::sync::{AcquireError, Notify, Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::connect::{Connector, Tried};
use crate::expand::expand;
use crate::lane::{Lanes, Place};
use crate::link::Link;
use crate::settings::RelaySettings;
use crate::transmit::{Copy, Transmitted};
use crate::{Destination, Failure, ResolverError};

/// Takes what is due from the spool and passes it on. Cheap to clone.
#[derive(Clone)]
pub struct Relay(Arc<Pool>);

struct Pool {
    spool: Spool,
    router: Router,
    connector: Connector,
    settings: RelaySettings,
    lanes: Lanes<Due>,
    slots: Semaphore,
    /// A copy was done with: there may be room for another.
    progress: Notify,
}

impl Relay {
    /// A relay that serves `spool`. `pipes` lead to the lmtpd of this process, if it has one.
    ///
    /// # Errors
    /// The host's own name servers are to be used and cannot be found out.
    pub fn new(
        spool: Spool,
        router: Router,
        pipes: Pipes,
        settings: RelaySettings,
    ) -> Result<Self, ResolverError> {
        Ok(Self(Arc::new(Pool {
            spool,
            router,
            connector: Connector::new(pipes, settings.clone())?,
            slots: Semaphore::new(settings.workers_max.max(1)),
            settings,
            lanes: Lanes::new(),
            progress: Notify::new(),
        })))
    }

    /// Works until a stop is asked for; then lets workers finish what they have in hand. A spool with damaged state gives
    /// no work: there is nothing to do but to wait for the stop.
    ///
    /// # Errors
    /// The spool cannot make outcomes durable any more: going on would deliver messages twice.
    pub async fn run(&self, shutdown: Shutdown) -> Result<(), SpoolError> {
        let mut workers = JoinSet::new();
        while !shutdown.is_asked() {
            tokio::select! {
                () = shutdown.asked() => break,
                error = self.0.spool.ended() => return Self::spool_ended(error, &shutdown).await,
                () = self.0.spool.wait_due(), if self.0.room() > 0 => self.claim(&shutdown, &mut workers),
                () = self.0.progress.notified() => {}
                Some(_) = workers.join_next() => {}
            }
        }
        let ended = async { while workers.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::SHUTDOWN_GRACE_TIME, ended).await.is_err() {
            tracing::warn!("relay workers were ended at the grace time; their messages are tried again");
        }
        Ok(())
    }

    async fn spool_ended(error: SpoolError, shutdown: &Shutdown) -> Result<(), SpoolError> {
        if !error.is_damage() {
            return Err(error);
        }
        tracing::error!(%error, "nothing is relayed");
        shutdown.asked().await;
        Ok(())
    }

    fn claim(&self, shutdown: &Shutdown, workers: &mut JoinSet<()>) {
        for due in self.0.spool.due(Timestamp::now(), self.0.room()) {
            let destination = Destination::from(&due.next_hop);
            let workers_max = self.0.workers_max(&destination);
            if let Some(place) = self.0.lanes.push(destination, due, workers_max) {
                workers.spawn(Arc::clone(&self.0).supervise(place, shutdown.clone()));
            }
        }
    }
}

impl Pool {
    fn room(&self) -> usize {
        self.settings.claimed_max.saturating_sub(self.lanes.waiting())
    }

    fn workers_max(&self, destination: &Destination) -> usize {
        match destination {
            Destination::Lmtp => self.settings.lmtp_connections_max,
            Destination::Mx(_) | Destination::Host { .. } => self.settings.per_destination_max,
            Destination::Router => 1,
        }
    }

    /// Runs a worker; where it crashes, the message in its hand has a strike (the spool sees to that),
    /// and what waits behind gets a new worker.
    async fn supervise(self: Arc<Self>, mut place: Place<Due>, shutdown: Shutdown) {
        let destination = place.destination().clone();
        loop {
            // A set of one, so that the worker ends with its supervisor.
            let mut worker = JoinSet::new();
            worker.spawn(Arc::clone(&self).work(place, shutdown.clone()));
            if let Some(Err(error)) = worker.join_next().await
                && error.is_panic()
            {
                metrics::counter!("tartan_relay_workers_panicked_total").increment(1);
                tracing::error!(fault = "bug", %destination, %error, "relay worker crashed");
            }
            match self.lanes.revive(&destination) {
                Some(revived) if !shutdown.is_asked() => place = revived,
                _ => return,
            }
        }
    }

    /// A place among all workers, for the length of one's work. Those that stay within this system have few enough by
    /// their lane, and must not wait behind hosts elsewhere that do not answer.
    async fn slot(&self, destination: &Destination) -> Result<Option<SemaphorePermit<'_>>, AcquireError> {
        match destination {
            Destination::Lmtp | Destination::Router => Ok(None),
            Destination::Mx(_) | Destination::Host { .. } => self.slots.acquire().await.map(Some),
        }
    }

    async fn work(self: Arc<Self>, mut place: Place<Due>, shutdown: Shutdown) {
        let Ok(_slot) = self.slot(place.destination()).await else { return };
        let session = SessionId::next();
        let span = tracing::info_span!("relay", %session, destination = %place.destination());
        let mut link = None;
        let work = async {
            while let Some(due) = self.next(&place, &shutdown).await {
                link = self.attempt(due, link.take(), &mut place, session).await;
                place.connected_set(link.is_some());
                self.progress.notify_one();
            }
        };
        work.instrument(span).await;
        if let Some(link) = link {
            link.quit().await;
        }
    }

    /// The next copy; none when there is nothing to do, a stop was asked for, or what comes of it could not be recorded.
    async fn next(&self, place: &Place<Due>, shutdown: &Shutdown) -> Option<Due> {
        tokio::select! {
            biased;
            () = shutdown.asked() => None,
            _ = self.spool.ended() => None,
            due = place.next(self.settings.idle_time) => due,
        }
    }

    /// Makes one attempt with a copy, unless there were too many that killed the process; gives the connection back if it
    /// can be used again.
    async fn attempt(
        &self,
        due: Due,
        link: Option<Link>,
        place: &mut Place<Due>,
        session: SessionId,
    ) -> Option<Link> {
        match self.spool.begin(due).await {
            Ok(Some(due)) => self.attempt_begun(due, link, place, session).await,
            Ok(None) => link,
            Err(error) => {
                error.fault().log("beginning an attempt", &error);
                link
            }
        }
    }

    async fn attempt_begun(
        &self,
        due: Due,
        link: Option<Link>,
        place: &mut Place<Due>,
        session: SessionId,
    ) -> Option<Link> {
        if *place.destination() == Destination::Router {
            let outcomes = expand(&self.router, &due).await;
            self.complete(due, outcomes, session).await;
            return None;
        }
        let body = match self.spool.body(due.queue_id).await {
            Ok(body) => body,
            Err(error) => {
                self.body_failed(due, &error, session).await;
                return link;
            }
        };
        let mut tried = Tried::new();
        if let Some(mut link) = link {
            tried.insert(link.remote().to_owned());
            let done = self.copy(&due, &body).transmit(&mut link).await;
            if !done.is_untouched {
                let (done, link) = self.others_asked(&due, &body, (done, link), place, &mut tried).await;
                return self.finish(due, done, link, session).await;
            }
            // A peer that closed a connection we kept idle has said nothing about the message.
            tried.clear();
            place.connected_set(false);
        }
        match self.connector.open(place.destination(), &mut tried).await {
            Ok(mut link) => {
                place.connected_set(true);
                self.log_connected(&link);
                let done = self.copy(&due, &body).transmit(&mut link).await;
                let (done, link) = self.others_asked(&due, &body, (done, link), place, &mut tried).await;
                self.finish(due, done, link, session).await
            }
            Err(failure) => {
                self.fail(place.unreachable(due), &failure, session).await;
                None
            }
        }
    }

    /// A host that puts off all of a message has not taken it: the next one is asked (RFC 5321 5.1), a few in all, for
    /// they may all mean it. What the last one says counts.
    async fn others_asked(
        &self,
        due: &Due,
        body: &Body,
        first: (Transmitted, Link),
        place: &Place<Due>,
        tried: &mut Tried,
    ) -> (Transmitted, Link) {
        let (mut done, mut link) = first;
        for _ in 1..limits::MX_SESSIONS_MAX {
            if !done.is_put_off() || *place.destination() == Destination::Lmtp {
                break;
            }
            let Ok(mut next) = self.connector.open(place.destination(), tried).await else { break };
            tracing::debug!(put_off_by = link.remote(), next = next.remote(), "asking the next host");
            done = self.copy(due, body).transmit(&mut next).await;
            std::mem::replace(&mut link, next).quit().await;
        }
        (done, link)
    }

    fn copy<'a>(&self, due: &'a Due, body: &'a Body) -> Copy<'a> {
        let is_final = matches!(due.next_hop, NextHop::Local { .. });
        Copy { due, body, is_final, recipients_max: self.settings.recipients_per_transaction_max }
    }

    async fn finish(&self, due: Due, done: Transmitted, link: Link, session: SessionId) -> Option<Link> {
        self.complete(due, done.outcomes, session).await;
        if let Some(error) = done.lost {
            error.fault().log("connection lost", &error);
            return None;
        }
        if link.messages() < self.settings.messages_per_connection_max && link.takes_more() {
            return Some(link);
        }
        link.quit().await;
        None
    }

    /// No host of the destination could be talked to.
    async fn fail(&self, unreachable: Vec<Due>, failure: &Failure, session: SessionId) {
        let fault = failure.fault();
        tracing::info!(%fault, copies = unreachable.len(), remote = failure.remote, "not reached: {}", failure.text);
        for due in unreachable {
            let outcomes = for_all(&due, &failure.attempt());
            self.complete(due, outcomes, session).await;
        }
    }

    async fn body_failed(&self, due: Due, error: &SpoolError, session: SessionId) {
        if matches!(error, SpoolError::NotFound(_)) {
            return; // deleted in the meantime
        }
        error.fault().log("reading a queued message", error);
        let failure = Failure::temporary(3, 0, "the message cannot be read at the moment");
        let outcomes = for_all(&due, &failure.attempt());
        self.complete(due, outcomes, session).await;
    }

    async fn complete(&self, due: Due, mut outcomes: Vec<Outcome>, session: SessionId) {
        outcomes.iter().for_each(|outcome| log_outcome(&due, outcome));
        outcomes.iter_mut().for_each(|outcome| outcome.session = Some(session.to_string().into()));
        match self.spool.complete(due, outcomes, Timestamp::now()).await {
            Ok(_) => {}
            Err(SpoolError::NotFound(queue_id)) => {
                tracing::info!(%queue_id, "deleted while it was attempted")
            }
            // If the spool has failed, `run` hears of it; otherwise the message has a strike.
            Err(error) => error.fault().log("recording what came of a message", &error),
        }
        self.progress.notify_one();
    }

    fn log_connected(&self, link: &Link) {
        tracing::debug!(remote = link.remote(), tls = link.has_tls(), "connected");
    }
}

/// The same for each recipient of a copy.
fn for_all(due: &Due, attempt: &Attempt) -> Vec<Outcome> {
    due.recipients.iter().map(|to| Outcome::new(to.index, attempt.clone())).collect()
}

fn log_outcome(due: &Due, outcome: &Outcome) {
    let (result, said) = match &outcome.attempt {
        Attempt::Delivered(_, said) => ("delivered", Some(said)),
        Attempt::Deferred(said) => ("deferred", Some(said)),
        Attempt::Crashed(said) => ("crashed", Some(said)),
        Attempt::Failed(said) => ("failed", Some(said)),
        Attempt::Expanded(_) => ("expanded", None),
    };
    metrics::counter!("tartan_relay_recipients_total", "result" => result).increment(1);
    let recipient = due.recipients.iter().find(|to| to.index == outcome.index).map(|to| &to.address);
    let status = said.map(|said| said.status.as_str());
    let text = said.map(|said| said.text.as_str());
    let recipient = recipient.map(tracing::field::display);
    tracing::info!(queue_id = %due.queue_id, recipient, result, status, text, "attempt: {result}");
}
