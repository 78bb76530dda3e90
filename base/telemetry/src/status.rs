//! `/metrics`, `/healthz` and `/readyz` on a local port.

use crate::{MetricsHandle, Readiness};
use std::future::Future;
use tokio::net::TcpListener;

/// Serves `/metrics`, `/healthz` and `/readyz` on `listener` until `stop` completes.
///
/// `/healthz` answers 200 while the process runs; `/readyz` answers 200 or 503 with a line a role.
/// There is no authentication: the listener belongs on a loopback or otherwise closed address.
pub async fn status_serve(
    listener: TcpListener,
    metrics: MetricsHandle,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send,
) {
    let _ = (listener, metrics, readiness, stop);
    unimplemented!("the HTTP side")
}
