//! A message's whole way, put together from what each store of this process knows.
//!
//! The spool knows what came in and what was made of it, the mail store where it lies and what became of it there. By
//! queue id, the mail store is asked for messages whose `Received` fields name it; by Message-ID, for all that have it,
//! also those that never were in the spool.

use crate::api::{Trace, TraceStep};
use crate::error::ApiError;
use crate::router::AdminHandles;
use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use mailstore::{Arrival, Gone, Located, MailboxPath, Mailstore, MailstoreError};
use serde::Deserialize;
use spool::{QueueId, Spool, TraceEvent};

#[derive(Deserialize)]
pub(crate) struct TraceQuery {
    message: String,
}

pub(crate) async fn trace(
    State(handles): State<AdminHandles>,
    Query(query): Query<TraceQuery>,
) -> Result<Json<Trace>, ApiError> {
    if handles.spool.is_none() && handles.mailstore.is_none() {
        return Err(ApiError::not_here("spool or mail store"));
    }
    let asked = Asked::parse(&query.message);
    let mut events = handles.spool.as_ref().map_or(Ok(Vec::new()), |spool| queued(spool, &asked))?;
    if let Some(mailstore) = &handles.mailstore
        && let Some(message_id) = message_id(handles.spool.as_ref(), &asked)?
    {
        let stored = located(mailstore, &message_id, asked.queue_id()).await?;
        stored.iter().flat_map(steps).for_each(|step| insert(&mut events, step));
    }
    match events.is_empty() {
        true => Err(ApiError::not_found(format!("nothing is known of {}", query.message))),
        false => Ok(Json(Trace { events })),
    }
}

/// What names a message.
enum Asked {
    QueueId(QueueId),
    MessageId(String),
}

impl Asked {
    fn parse(message: &str) -> Self {
        message.parse().map_or_else(|_| Self::MessageId(message.to_owned()), Self::QueueId)
    }

    fn queue_id(&self) -> Option<QueueId> {
        match self {
            Self::QueueId(queue_id) => Some(*queue_id),
            Self::MessageId(_) => None,
        }
    }
}

/// What the spool knows, oldest first.
fn queued(spool: &Spool, asked: &Asked) -> Result<Vec<TraceStep>, ApiError> {
    let queue_ids = match asked {
        Asked::QueueId(queue_id) => vec![*queue_id],
        Asked::MessageId(message_id) => spool.message_id_find(message_id)?,
    };
    let mut steps = Vec::new();
    for queue_id in queue_ids {
        steps.extend(spool.trace(queue_id)?.into_iter().map(TraceStep::from));
    }
    steps.sort_by_key(|step| step.time);
    Ok(steps)
}

fn message_id(spool: Option<&Spool>, asked: &Asked) -> Result<Option<String>, ApiError> {
    match (asked, spool) {
        (Asked::MessageId(message_id), _) => Ok(Some(message_id.clone())),
        (Asked::QueueId(queue_id), Some(spool)) => Ok(spool.message_id_of(*queue_id)?),
        (Asked::QueueId(_), None) => Ok(None),
    }
}

/// Where the mail store has messages with this Message-ID, of those that came with `queue_id` if one is given.
async fn located(
    mailstore: &Mailstore,
    message_id: &str,
    queue_id: Option<QueueId>,
) -> Result<Vec<Located>, MailstoreError> {
    let mut located = mailstore.message_id_find(message_id).await?;
    let Some(queue_id) = queue_id else { return Ok(located) };
    let bodies: Vec<_> = located.iter().map(|at| at.body).collect();
    let rendered = mailstore.rendered_many(&bodies).await?;
    let mut came_with = rendered.iter().map(|rendered| names(&rendered.header, queue_id));
    located.retain(|_| came_with.next().unwrap_or_default());
    Ok(located)
}

fn names(header: &[u8], queue_id: QueueId) -> bool {
    String::from_utf8_lossy(header).contains(&queue_id.to_string())
}

/// The mail store keeps time in seconds: within the second, a message is stored before the spool hears of it.
fn insert(steps: &mut Vec<TraceStep>, step: TraceStep) {
    let (second, hears) = (step.time.as_second(), ["delivered", "finished"]);
    let is_later = |other: &TraceStep| match other.time.as_second() {
        same if same == second => hears.contains(&other.event.as_str()),
        other => other > second,
    };
    let at = steps.iter().position(is_later).unwrap_or(steps.len());
    steps.insert(at, step);
}

/// What the mail store says of one place: that the message came there, and that it is there no longer.
fn steps(at: &Located) -> Vec<TraceStep> {
    let here = place(at.path.as_ref());
    let came = match (at.arrival, &at.from) {
        (Arrival::Moved, Some(from)) => format!(", from {}", place(Some(from))),
        _ => String::new(),
    };
    let still = if at.gone.is_some() { "no longer there" } else { "still there" };
    let text = format!("in {here}, uid={} email_id={} bytes={}{came}; {still}", at.uid, at.email_id, at.size);
    let stored = step(at.stored, arrived(at.arrival), text, format!("mailstore record {}", at.record));
    let gone = at.gone.map(|gone| match gone {
        Gone::Expunged { at: time, record } => {
            let text = format!("from {here}, uid={}", at.uid);
            step(time, "expunged", text, format!("mailstore record {record}"))
        }
        Gone::MailboxDeleted { at: time } => {
            step(time, "deleted", format!("with {here}"), format!("mailstore mailbox {}", at.mailbox))
        }
    });
    std::iter::once(stored).chain(gone).collect()
}

fn step(seconds: i64, event: &str, text: String, source: String) -> TraceStep {
    TraceStep {
        time: Timestamp::from_second(seconds).unwrap_or_default(),
        queue_id: None,
        role: "mailstore".to_owned(),
        session: None,
        event: event.to_owned(),
        text,
        source,
    }
}

fn arrived(arrival: Arrival) -> &'static str {
    match arrival {
        Arrival::Appended => "stored",
        Arrival::Copied => "copied",
        Arrival::Moved => "moved",
    }
}

/// `INBOX of ann@example.org`.
fn place(path: Option<&MailboxPath>) -> String {
    let Some(path) = path else { return "a mailbox without a name".to_owned() };
    let name = path.components().join("/");
    match path.owner() {
        Some(owner) => format!("{name} of {owner}@{}", path.domain()),
        None => format!("{name} of {}", path.domain()),
    }
}

impl From<TraceEvent> for TraceStep {
    fn from(event: TraceEvent) -> Self {
        Self {
            time: event.time,
            queue_id: Some(event.queue_id),
            role: event.role,
            session: event.session,
            event: format!("{:?}", event.event).to_lowercase(),
            text: event.text,
            source: event.source,
        }
    }
}
