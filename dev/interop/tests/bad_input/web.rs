//! HTTP: the metrics, and the socket that the command line speaks to.

use crate::next_client_is_served;
use crate::raw::{Raw, within};
use interop::trial;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use testkit::Trial;

/// What is no request, and how it is answered.
fn requests() -> [(Vec<u8>, &'static str); 4] {
    let field =
        [&b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Y: "[..], &vec![b'z'; 2_000_000], b"\r\n\r\n"].concat();
    let fields = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(20_000)).into_bytes();
    [
        (b"\0\x01\xffgarbage\r\n\r\n".to_vec(), "HTTP/1.1 400 "),
        (field, "HTTP/1.1 431 "),
        (fields, "HTTP/1.1 431 "),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(), "HTTP/1.1 404 "),
    ]
}

#[test]
fn requests_for_metrics_that_are_none_are_refused() {
    let (trial, _folder) = trial();
    for (request, status) in requests() {
        within(&trial, 4, status, || {
            let answer = Raw::connect(&trial, "metrics").send(&request).rest();
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with(status), "{answer}");
        });
    }
    next_client_is_served(&trial, 10);
}

/// Sends a request to the admin socket; what came back before it was closed.
fn admin(trial: &Trial, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(trial.contract.data.join("admin.sock")).expect("the socket");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..bytes]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn requests_to_the_admin_socket_that_are_none_are_refused() {
    let (trial, _folder) = trial();
    for (request, status) in requests() {
        within(&trial, 4, status, || {
            let answer = admin(&trial, &request);
            assert!(answer.starts_with(status), "{answer}");
        });
    }
    let body = vec![b'['; 20_000_000];
    let head = format!(
        "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    within(&trial, 6, "a body without measure", || {
        let answer = admin(&trial, &[head.as_bytes(), &body].concat());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    });
    assert!(trial.tartan(&["status"]).contains("spool"), "the command line is served");
    next_client_is_served(&trial, 20);
}
