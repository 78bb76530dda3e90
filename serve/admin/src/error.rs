//! Errors as the API tells them.

use address::AddressError;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use directory::DirectoryError;
use mailstore::MailstoreError;
use serde::{Deserialize, Serialize};
use spool::{QueueIdInvalid, SpoolError};
use telemetry::Fault;

/// The body of a refusal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: String,
    pub(crate) fault: String,
}

/// A refusal, and whose fault it is.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    fault: Fault,
    error: String,
}

impl ApiError {
    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, fault: Fault::Peer, error: error.into() }
    }

    /// What the operator asked for cannot be done as things are.
    pub(crate) fn refused(error: String) -> Self {
        Self { status: StatusCode::CONFLICT, fault: Fault::Policy, error }
    }

    /// The process does not have what the request is about.
    pub(crate) fn not_here(what: &str) -> Self {
        let error = format!("this process does not run the {what}");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, fault: Fault::Policy, error }
    }

    pub(crate) fn of(fault: Fault, error: &dyn std::error::Error) -> Self {
        let status = match fault {
            Fault::Peer => StatusCode::BAD_REQUEST,
            Fault::Policy => StatusCode::CONFLICT,
            Fault::Temporary => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Local | Fault::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            fault.log("answering an admin request", error);
        }
        Self { status, fault, error: error.to_string() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: self.error, fault: self.fault.as_str().to_owned() };
        (self.status, Json(body)).into_response()
    }
}

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        Self::of(error.fault(), &error)
    }
}

impl From<SpoolError> for ApiError {
    fn from(error: SpoolError) -> Self {
        match &error {
            SpoolError::NotFound(_) => Self::not_found(error.to_string()),
            _ => Self::of(error.fault(), &error),
        }
    }
}

impl From<MailstoreError> for ApiError {
    fn from(error: MailstoreError) -> Self {
        Self::of(error.fault(), &error)
    }
}

impl From<AddressError> for ApiError {
    fn from(error: AddressError) -> Self {
        Self::of(Fault::Peer, &error)
    }
}

impl From<QueueIdInvalid> for ApiError {
    fn from(error: QueueIdInvalid) -> Self {
        Self::of(Fault::Peer, &error)
    }
}
