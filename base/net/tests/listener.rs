//! Listeners: limits, stopping, sessions that misbehave.

use net::{Connection, ConnectionLimits, Listener, ListenerSettings, NetError, Shutdown, Wire};
use net::{connect_tcp, deadline_in};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(5);

/// Greets, then echoes until the peer closes or the process stops; `panic` makes it panic.
async fn echo(connection: Connection) {
    let mut wire = Wire::new(connection);
    wire.write_all(b"hello\r\n").await.expect("greeted");
    loop {
        match wire.fill_or_stop(deadline_in(SOON)).await {
            Ok(_) => {
                let line = wire.buffer().split();
                assert!(!line.starts_with(b"panic"), "asked to");
                wire.write_all(&line).await.expect("echoed");
            }
            Err(NetError::Stopping) => {
                wire.write_all(b"bye\r\n").await.expect("said goodbye");
                return wire.close().await;
            }
            Err(_) => return,
        }
    }
}

async fn start(settings: ListenerSettings, shutdown: &Shutdown) -> (SocketAddr, JoinHandle<()>) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), settings).await.expect("a free port");
    (listener.local_addr(), tokio::spawn(listener.serve(shutdown.clone(), echo)))
}

async fn call(address: SocketAddr) -> Wire {
    Wire::new(connect_tcp(address, SOON).await.expect("connected"))
}

async fn read_line(wire: &mut Wire) -> Result<Vec<u8>, NetError> {
    while !wire.buffer().ends_with(b"\n") {
        wire.fill(deadline_in(SOON)).await?;
    }
    Ok(wire.buffer().split().to_vec())
}

#[tokio::test]
async fn a_connection_over_the_limit_is_told_so_and_closed() {
    let settings = ListenerSettings {
        limits: ConnectionLimits::new(10, 1),
        refusal: b"421 too many\r\n",
        ..ListenerSettings::new("test")
    };
    let (address, _serving) = start(settings, &Shutdown::new()).await;
    let mut first = call(address).await;
    assert_eq!(read_line(&mut first).await.expect("greeting"), b"hello\r\n");
    let mut second = call(address).await;
    assert_eq!(read_line(&mut second).await.expect("refusal"), b"421 too many\r\n");
    assert!(matches!(second.fill(deadline_in(SOON)).await, Err(NetError::Closed)));
    drop(first);
    let mut third = call(address).await;
    while read_line(&mut third).await.is_ok_and(|line| line.starts_with(b"421")) {
        third = call(address).await;
    }
}

#[tokio::test]
async fn at_a_stop_the_port_closes_and_sessions_say_goodbye() {
    let shutdown = Shutdown::new();
    let (address, serving) = start(ListenerSettings::new("test"), &shutdown).await;
    let mut wire = call(address).await;
    read_line(&mut wire).await.expect("greeting");
    shutdown.ask();
    assert_eq!(read_line(&mut wire).await.expect("goodbye"), b"bye\r\n");
    serving.await.expect("the listener ends by itself");
    assert!(matches!(connect_tcp(address, SOON).await, Err(NetError::Io(_))));
}

#[tokio::test]
async fn a_panicking_session_harms_no_other() {
    let (address, serving) = start(ListenerSettings::new("test"), &Shutdown::new()).await;
    let (mut good, mut bad) = (call(address).await, call(address).await);
    read_line(&mut good).await.expect("greeting");
    read_line(&mut bad).await.expect("greeting");
    bad.write_all(b"panic\r\n").await.expect("sent");
    assert!(matches!(bad.fill(deadline_in(SOON)).await, Err(NetError::Closed)));
    good.write_all(b"still there\r\n").await.expect("sent");
    assert_eq!(read_line(&mut good).await.expect("echo"), b"still there\r\n");
    assert!(!serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_end_is_ended_at_the_grace_time() {
    let shutdown = Shutdown::new();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), ListenerSettings::new("test")).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr();
    let serving = tokio::spawn(listener.serve(shutdown.clone(), |connection| async move {
        let _held = connection;
        std::future::pending::<()>().await;
    }));
    let _connected = call(address).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    shutdown.ask();
    let asked = tokio::time::Instant::now();
    serving.await.expect("ended");
    assert!(asked.elapsed() <= limits::SHUTDOWN_GRACE_TIME + SOON);
}

#[tokio::test]
async fn a_taken_port_is_named_in_the_error() {
    let (address, _serving) = start(ListenerSettings::new("test"), &Shutdown::new()).await;
    let error =
        Listener::bind(address, ListenerSettings::new("test")).await.err().expect("the port is taken");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(error.fault(), telemetry::Fault::Local);
}
