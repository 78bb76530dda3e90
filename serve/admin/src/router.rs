//! Requests to handlers, and the handles that they need.

use crate::api::{ProcessStatus, ReloadReport};
use crate::backup::Backups;
use crate::error::ApiError;
use crate::{backup, check, domain, spool_api, trace};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use directory::Embedded;
use mailstore::Mailstore;
use spool::Spool;
use std::sync::Arc;

/// What the API knows of the process around it.
pub trait Process: Send + Sync {
    /// What runs.
    fn status(&self) -> ProcessStatus;

    /// Reads configuration and certificates again.
    ///
    /// # Errors
    /// The text for the operator; nothing has changed then.
    fn reload(&self) -> Result<ReloadReport, String>;
}

/// What the API acts on; a process has what its roles need. Cheap to clone.
#[derive(Clone, Default)]
pub struct AdminHandles {
    /// Domains, accounts, addresses.
    pub directory: Option<Embedded>,
    /// The queue.
    pub spool: Option<Spool>,
    /// Mailboxes: a new account gets its own at once.
    pub mailstore: Option<Mailstore>,
    /// The process.
    pub process: Option<Arc<dyn Process>>,
    /// Backups that are being taken.
    pub backups: Backups,
}

impl AdminHandles {
    pub(crate) fn directory(&self) -> Result<&Embedded, ApiError> {
        self.directory.as_ref().ok_or_else(|| ApiError::not_here("directory"))
    }

    pub(crate) fn mailstore(&self) -> Result<&Mailstore, ApiError> {
        self.mailstore.as_ref().ok_or_else(|| ApiError::not_here("mailstore"))
    }

    pub(crate) fn spool(&self) -> Result<&Spool, ApiError> {
        self.spool.as_ref().ok_or_else(|| ApiError::not_here("spool"))
    }

    fn process(&self) -> Result<&Arc<dyn Process>, ApiError> {
        self.process.as_ref().ok_or_else(|| ApiError::not_here("system"))
    }
}

/// Every request that there is.
pub(crate) fn router(handles: AdminHandles) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/reload", post(reload))
        .route("/v1/check", post(check::check))
        .route("/v1/backup", post(backup::begin))
        .route("/v1/backup/{id}", post(backup::renew).delete(backup::end))
        .route("/v1/domains", get(domain::domain_list).post(domain::domain_add))
        .route("/v1/domains/{domain}", delete(domain::domain_delete))
        .route("/v1/domains/{domain}/postmaster", put(domain::domain_postmaster))
        .route("/v1/accounts", get(domain::account_list).post(domain::account_add))
        .route("/v1/accounts/{account}", delete(domain::account_delete))
        .route("/v1/accounts/{account}/password", put(domain::account_passwd))
        .route("/v1/accounts/{account}/email-ids", get(backup::email_ids))
        .route("/v1/accounts/{account}/messages", post(backup::message_restore).layer(message_limit()))
        .route("/v1/addresses", get(domain::address_list).post(domain::address_add))
        .route("/v1/addresses/{address}", delete(domain::address_delete))
        .route("/v1/spool", get(spool_api::spool_list))
        .route("/v1/spool/{queue_id}", get(spool_api::spool_show).delete(spool_api::spool_delete))
        .route("/v1/spool/{queue_id}/retry", post(spool_api::spool_retry))
        .route("/v1/spool/{queue_id}/hold", post(spool_api::spool_hold))
        .route("/v1/trace", get(trace::trace))
        .fallback(async || ApiError::not_found("there is no such request"))
        .layer(middleware::from_fn(recorded))
        .with_state(handles)
}

/// A message that is brought back was stored before.
fn message_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(usize::try_from(limits::STORED_MESSAGE_BYTES_MAX).unwrap_or(usize::MAX))
}

async fn recorded(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    metrics::counter!("tartan_admin_requests_total", "status" => status.to_string()).increment(1);
    if method != "GET" {
        tracing::info!(%method, path, status, "admin request");
    }
    response
}

async fn status(State(handles): State<AdminHandles>) -> Result<Json<ProcessStatus>, ApiError> {
    let status = handles.process()?.status();
    Ok(Json(ProcessStatus { spool: handles.spool.as_ref().map(Spool::stat), ..status }))
}

async fn reload(State(handles): State<AdminHandles>) -> Result<Json<ReloadReport>, ApiError> {
    handles.process()?.reload().map(Json).map_err(ApiError::refused)
}
