//! The metrics port as a scraper sees it.

use std::net::SocketAddr;
use telemetry::{Readiness, metrics_init, status_serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

async fn http_get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn metrics_health_and_readiness_are_told_and_the_port_closes_at_the_stop() {
    let metrics = metrics_init().expect("the first in this process");
    let readiness = Readiness::new();
    let role = readiness.role("mx");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(status_serve(listener, metrics, readiness, async move {
        let _ = stopped.await;
    }));

    assert!(http_get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    let starting = http_get(address, "/readyz").await;
    assert!(starting.starts_with("HTTP/1.1 503") && starting.ends_with("mx starting\n"), "{starting}");
    role.ready();
    assert!(http_get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

    metrics::counter!("tartan_net_connections_total", "listener" => "mx").increment(3);
    let scraped = http_get(address, "/metrics").await;
    assert!(scraped.contains("tartan_net_connections_total{listener=\"mx\"} 3\n"), "{scraped}");
    assert!(scraped.contains("# HELP tartan_net_connections_total Connections taken"), "{scraped}");
    assert!(http_get(address, "/").await.starts_with("HTTP/1.1 404"));

    stop.send(()).expect("it runs");
    serving.await.expect("ended");
    assert!(TcpStream::connect(address).await.is_err());
}
