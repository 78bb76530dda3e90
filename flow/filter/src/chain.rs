//! The chain of filters.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use address::Address;
use disk::Body;
use receive::Transaction;
use smtp::Refusal;
use telemetry::Fault;

use crate::{Header, Minimum, deliveries_to, header_of};

/// What is to become of a message that is not refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    #[default]
    Accept,
    /// It is taken and then waits for an operator, with this reason.
    Hold(String),
}

/// A message in the chain.
#[derive(Debug)]
pub struct Draft {
    /// The message as it came.
    pub transaction: Transaction,
    /// Its header.
    pub header: Header,
    /// Its name, for fields that need one.
    pub id: String,
    /// Fields to be added below `Received`, each with its CRLF.
    pub fields: String,
    /// What is known about who really sent it (RFC 8601 2.2, a result each).
    pub auth_results: Vec<String>,
}

/// What a filter's look at a message gives, sooner or later.
pub type Look<'a> = Pin<Box<dyn Future<Output = Result<Verdict, Refusal>> + Send + 'a>>;

/// One filter.
pub trait Filter: Send + Sync {
    /// Its name in logs.
    fn name(&self) -> &'static str;

    /// Looks at a message, and may add fields and results to it.
    fn look<'a>(&'a self, draft: &'a mut Draft) -> Look<'a>;
}

/// A message that has passed the filters.
#[derive(Debug)]
pub struct Filtered {
    /// The message as it came.
    pub transaction: Transaction,
    /// The message as it goes on: `Received` and added fields on top.
    pub body: Body,
    /// What is to become of it.
    pub verdict: Verdict,
    /// What the filters found out about its sender.
    pub auth_results: Vec<String>,
    header: Header,
}

impl Filtered {
    /// Refuses what was delivered to one of these recipients again and again. Where it is delivered, it is too late:
    /// a refusal there is a report to whoever the message says has sent it.
    pub fn cut_loops<'a>(&self, mut recipients: impl Iterator<Item = &'a Address>) -> Result<(), Refusal> {
        let is_looping = |to: &Address| deliveries_to(to, self.header.bytes()) >= limits::DELIVERIES_MAX;
        match recipients.any(is_looping) {
            true => Err(Refusal::new(554, (5, 4, 6), "Delivered here before, this message is looping")),
            false => Ok(()),
        }
    }
}

/// The filters of a listener, in order, behind the minimum.
#[derive(Clone)]
pub struct Filters {
    minimum: Minimum,
    rest: Vec<Arc<dyn Filter>>,
}

impl Filters {
    /// The minimum alone.
    pub fn new(minimum: Minimum) -> Self {
        Self { minimum, rest: vec![] }
    }

    /// With `filter` at the end.
    pub fn then(mut self, filter: Arc<dyn Filter>) -> Self {
        self.rest.push(filter);
        self
    }

    /// Runs the chain on a message named `id`. The first refusal ends it; the first hold is kept.
    pub async fn run(&self, id: &str, transaction: Transaction) -> Result<Filtered, Refusal> {
        let header = header_of(&transaction.body).map_err(|error| unreadable(&error))?;
        let (fields, auth_results) = (String::new(), vec![]);
        let mut draft = Draft { transaction, header, id: id.to_owned(), fields, auth_results };
        let mut verdict = self.minimum.look(&mut draft)?;
        for filter in &self.rest {
            let next = filter.look(&mut draft).await;
            tracing::debug!(filter = filter.name(), ?next, "filtered");
            verdict = stricter(verdict, next?);
        }
        let Draft { transaction, header, fields, auth_results, .. } = draft;
        let body = transaction.stamped(&fields).map_err(|error| unreadable(&error))?;
        Ok(Filtered { transaction, body, verdict, auth_results, header })
    }
}

fn stricter(first: Verdict, second: Verdict) -> Verdict {
    if first == Verdict::Accept { second } else { first }
}

fn unreadable(error: &io::Error) -> Refusal {
    Fault::Local.log("reading a body", error);
    Refusal::new(451, (4, 3, 0), "Local error")
}
