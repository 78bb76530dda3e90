//! Requests about the queue.

use crate::api::{HoldReason, Trace};
use crate::error::ApiError;
use crate::router::AdminHandles;
use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use spool::{QueueId, Shown, Spool};

type Handles = State<AdminHandles>;
type Answer<T> = Result<Json<T>, ApiError>;

pub(crate) async fn spool_list(State(handles): Handles) -> Answer<Vec<Shown>> {
    Ok(Json(handles.spool()?.list()))
}

pub(crate) async fn spool_show(State(handles): Handles, Path(queue_id): Path<String>) -> Answer<Shown> {
    let shown = handles.spool()?.show(queue_id.parse()?);
    shown.map(Json).ok_or_else(|| ApiError::not_found(format!("no message {queue_id} in the queue")))
}

pub(crate) async fn spool_delete(State(handles): Handles, Path(queue_id): Path<String>) -> Answer<()> {
    Ok(Json(handles.spool()?.delete(queue_id.parse()?, Timestamp::now()).await?))
}

pub(crate) async fn spool_retry(State(handles): Handles, Path(queue_id): Path<String>) -> Answer<()> {
    Ok(Json(handles.spool()?.retry(queue_id.parse()?, Timestamp::now()).await?))
}

pub(crate) async fn spool_hold(
    State(handles): Handles,
    Path(queue_id): Path<String>,
    Json(hold): Json<HoldReason>,
) -> Answer<()> {
    Ok(Json(handles.spool()?.hold(queue_id.parse()?, &hold.reason, Timestamp::now()).await?))
}

#[derive(Deserialize)]
pub(crate) struct TraceQuery {
    message: String,
}

pub(crate) async fn trace(State(handles): Handles, Query(query): Query<TraceQuery>) -> Answer<Trace> {
    let spool = handles.spool()?;
    let mut events = Vec::new();
    for queue_id in traced(spool, &query.message)? {
        events.extend(spool.trace(queue_id)?);
    }
    if events.is_empty() {
        return Err(ApiError::not_found(format!("nothing is known of {}", query.message)));
    }
    events.sort_by_key(|event| event.time);
    Ok(Json(Trace { events }))
}

/// The messages that the text names: a queue id, or else a Message-ID.
fn traced(spool: &Spool, message: &str) -> Result<Vec<QueueId>, ApiError> {
    match message.parse() {
        Ok(queue_id) => Ok(vec![queue_id]),
        Err(_) => Ok(spool.message_id_find(message)?),
    }
}
