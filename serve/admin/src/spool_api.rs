//! Requests about the queue.

use crate::api::HoldReason;
use crate::error::ApiError;
use crate::router::AdminHandles;
use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use spool::Shown;

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
