//! `/metrics`, `/healthz` and `/readyz` on a local port.

use crate::{MetricsHandle, Readiness};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Time in which a request's header must have come, and in which all must be over.
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

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
    let status = Status { metrics, readiness };
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(status.clone().serve(stream))),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection on the metrics port");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

#[derive(Clone)]
struct Status {
    metrics: MetricsHandle,
    readiness: Readiness,
}

impl Status {
    async fn serve(self, stream: TcpStream) {
        let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(self.answer(&request))));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME_MAX)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        let _ = tokio::time::timeout(REQUEST_TIME_MAX, serving).await;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/metrics" => text(StatusCode::OK, self.metrics.render()),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.readiness.is_ready() => text(StatusCode::OK, self.readiness.report()),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, self.readiness.report()),
            _ => text(StatusCode::NOT_FOUND, "/metrics, /healthz or /readyz\n"),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
