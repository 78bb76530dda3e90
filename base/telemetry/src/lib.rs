//! What the system says about itself: whose fault an error is, logs, metrics, health.
//!
//! - [`Fault`]: the one table from "whose fault" to reply code and log level (law 8).
//! - [`log_init`]: structured logs, text or JSON; spans carry `session` and `queue_id`.
//! - [`SessionId`]: the short name of a session in logs, `Received` fields and audit records.
//! - [`MetricsHandle`] and [`METRICS`]: Prometheus metrics, each named and described once.
//! - [`Readiness`] and [`status_serve`]: `/metrics`, `/healthz`, `/readyz` on a local port.
//!
//! It refuses to decide anything: no other crate's behaviour depends on what is recorded here,
//! and a log or metric that cannot be written never fails a delivery.

mod fault;
mod log;
mod metric;
mod names;
mod ready;
mod session;
mod status;

pub use fault::Fault;
pub use log::{LogError, LogFormat, LogHandle, LogSettings, log_filter_check, log_init};
pub use metric::{MetricsError, MetricsHandle, metrics_init};
pub use names::{METRICS, Metric, MetricKind};
pub use ready::{Readiness, RoleReadiness};
pub use session::SessionId;
pub use status::status_serve;
