//! Listeners behind a proxy.

use net::{Connection, ConnectionLimits, Listener, ListenerSettings, NetError, Shutdown, Wire};
use net::{connect_tcp, deadline_in};
use std::net::SocketAddr;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Says who is at the other end and where it has connected to, and what it then sends.
async fn who(connection: Connection) {
    let (peer, local) = (connection.peer().clone(), connection.local_addr());
    let mut wire = Wire::new(connection);
    let local = local.expect("a TCP connection has two ends");
    wire.write_all(format!("{peer} {local}\r\n").as_bytes()).await.expect("told");
    while wire.fill(deadline_in(SOON)).await.is_ok() {
        let line = wire.buffer().split();
        wire.write_all(&line).await.expect("echoed");
    }
}

async fn start(proxies: &str, per_address_max: usize) -> SocketAddr {
    let settings = ListenerSettings {
        limits: ConnectionLimits::new(10, per_address_max),
        refusal: b"421 too many\r\n",
        proxies: vec![proxies.parse().expect("a network")],
        proxy_refusal: b"421 no header\r\n",
        ..ListenerSettings::new("test")
    };
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), settings).await.expect("a free port");
    let address = listener.local_addr();
    tokio::spawn(listener.serve(Shutdown::new(), who));
    address
}

async fn call(address: SocketAddr, first: &[u8]) -> Wire {
    let mut wire = Wire::new(connect_tcp(address, SOON).await.expect("connected"));
    wire.write_all(first).await.expect("sent");
    wire
}

async fn line(wire: &mut Wire) -> Result<String, NetError> {
    loop {
        if let Some(end) = wire.buffer().iter().position(|byte| *byte == b'\n') {
            let line = wire.buffer().split_to(end + 1);
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        wire.fill(deadline_in(SOON)).await?;
    }
}

#[tokio::test]
async fn the_client_of_a_proxy_takes_its_place_and_not_a_byte_behind_the_header_is_lost() {
    let address = start("127.0.0.0/8", 10).await;
    let mut told = call(address, b"PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\nhello\r\n").await;
    assert_eq!(line(&mut told).await.expect("a line"), "192.0.2.9:4000 192.0.2.1:25");
    assert_eq!(line(&mut told).await.expect("a line"), "hello");
    let binary =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x09\xc0\0\x02\x01\x0f\xa0\0\x19\x04\0\0hello\r\n";
    let mut told = call(address, binary).await;
    assert_eq!(line(&mut told).await.expect("a line"), "192.0.2.9:4000 192.0.2.1:25");
    assert_eq!(line(&mut told).await.expect("a line"), "hello");
}

#[tokio::test]
async fn a_proxy_that_looks_after_our_health_is_itself() {
    let address = start("127.0.0.0/8", 10).await;
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut told = call(address, header).await;
        assert!(line(&mut told).await.expect("a line").starts_with("127.0.0.1:"));
    }
}

#[tokio::test]
async fn clients_are_counted_and_not_the_proxy() {
    let address = start("127.0.0.0/8", 1).await;
    let mut first = call(address, b"PROXY TCP4 192.0.2.8 192.0.2.1 4000 25\r\n").await;
    line(&mut first).await.expect("it is served");
    let mut other = call(address, b"PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n").await;
    line(&mut other).await.expect("another client is served");
    let mut again = call(address, b"PROXY TCP4 192.0.2.8 192.0.2.1 4001 25\r\n").await;
    assert_eq!(line(&mut again).await.expect("a refusal"), "421 too many");
}

#[tokio::test]
async fn a_proxy_that_sends_no_header_is_refused_and_the_next_one_served() {
    let address = start("127.0.0.0/8", 10).await;
    for wrong in
        [&b"EHLO client.example\r\n"[..], b"PROXY TCP4 here there 1 2\r\n", b"PROXY TCP4 192.0.2.1 a"]
    {
        let mut refused = call(address, wrong).await;
        assert_eq!(line(&mut refused).await.expect("a refusal"), "421 no header", "{}", wrong.escape_ascii());
        assert!(matches!(refused.fill(deadline_in(SOON)).await, Err(NetError::Closed)));
    }
    let mut next = call(address, b"PROXY TCP4 192.0.2.8 192.0.2.1 4000 25\r\n").await;
    line(&mut next).await.expect("it is served");
}

#[tokio::test]
async fn a_header_from_anybody_else_is_none() {
    let address = start("192.0.2.0/24", 10).await;
    let mut told = call(address, b"PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n").await;
    assert!(line(&mut told).await.expect("a line").starts_with("127.0.0.1:"));
    assert_eq!(line(&mut told).await.expect("a line"), "PROXY TCP4 192.0.2.9 192.0.2.1 4000 25");
}
