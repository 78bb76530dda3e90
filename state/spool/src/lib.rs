//! The queue: messages that we have promised to deliver, until they are delivered, given back or deleted.
//!
//! [`Spool::accept`] makes a message durable and gives the one value that allows a `250`: [`Accepted`]. Workers take what
//! is due ([`Spool::due`]), try, and say what came of it ([`Spool::complete`]): the state of each recipient, the audit
//! records and the reports (RFC 3461) that follow from it are written in one frame. Messages wait by a back-off
//! schedule, expire, can be held, and are held by themselves when they have failed a worker three times.
//!
//! It refuses to route, to speak any protocol, to report about a report, and to forget: what is not delivered is
//! reported or still there.

mod accept;
mod audit;
mod backup;
mod bodies;
mod check;
mod claim;
mod codec;
mod compaction;
mod complete;
mod due;
mod entry;
mod error;
mod marks;
mod outcome;
mod pause;
mod queue;
mod queue_id;
mod recent;
mod record;
mod reports;
mod retention;
mod routed;
mod settings;
mod shown;
mod spool;
mod store;
mod upkeep;

pub use accept::Accepted;
pub use audit::{AuditEvent, AuditNote, TraceEvent};
pub use check::{CheckReport, Finding, FindingKind};
pub use due::{Due, DueRecipient};
pub use error::SpoolError;
pub use outcome::{Attempt, Completed, Delivery, Diagnostic, Outcome};
pub use queue_id::{QueueId, QueueIdInvalid};
pub use routed::{NextHop, Origin, Route, Routed};
pub use settings::SpoolSettings;
pub use shown::{RecipientShown, Shown, SpoolStat, StateShown};
pub use spool::Spool;
