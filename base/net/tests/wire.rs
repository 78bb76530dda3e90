//! The wire and the pipes, without any socket.

use bytes::{Buf, Bytes};
use net::{Connection, NetError, Peer, Pipes, RoleName, Shutdown, Wire, deadline_in};
use std::time::Duration;

const RELAY: RoleName = RoleName::new("relay");
const LMTPD: RoleName = RoleName::new("lmtpd");
const SOON: Duration = Duration::from_secs(5);

fn pair() -> (Wire, Wire) {
    let (here, there) = Connection::pair(Peer::Pipe { role: RELAY }, LMTPD);
    (Wire::new(here), Wire::new(there))
}

#[tokio::test(start_paused = true)]
async fn reading_ends_at_the_deadline_and_writing_when_nothing_moves() {
    let (mut here, there) = pair();
    assert!(matches!(here.fill(deadline_in(SOON)).await, Err(NetError::Timeout("reading"))));
    let more_than_fits = vec![0; limits::PIPE_BYTES_MAX + 1];
    assert!(matches!(here.write_all(&more_than_fits).await, Err(NetError::Timeout("writing"))));
    drop(there);
    assert!(matches!(here.fill(deadline_in(SOON)).await, Err(NetError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_was_put_off_does_not_come_and_one_that_was_brought_forward_does() {
    let (mut here, mut there) = pair();
    for deadline in [SOON, 100 * SOON, SOON] {
        let dropped = tokio::time::timeout(SOON / 2, here.fill(deadline_in(deadline))).await;
        assert!(dropped.is_err(), "neither a byte nor the deadline");
    }
    let late = async {
        tokio::time::sleep(2 * SOON).await;
        there.write_all(b"x").await.expect("written");
    };
    let (read, ()) = tokio::join!(here.fill(deadline_in(3 * SOON)), late);
    assert_eq!(read.expect("in time"), 1);
    let began = net::Instant::now();
    assert!(matches!(here.fill(deadline_in(SOON)).await, Err(NetError::Timeout("reading"))));
    assert_eq!(began.elapsed().as_secs(), SOON.as_secs(), "the clock is the test's own");
}

#[tokio::test]
async fn the_buffer_never_grows_over_its_cap() {
    let (here, mut there) = pair();
    let mut here = here.with_buffer_bytes_max(10);
    there.write_all(&[b'x'; 25]).await.expect("written");
    let mut taken = 0;
    while taken < 25 {
        here.fill(deadline_in(SOON)).await.expect("more");
        assert!(here.buffer().len() <= 10);
        if here.buffer().len() == 10 {
            let full = here.fill(deadline_in(SOON)).await.expect_err("no room");
            assert!(matches!(full, NetError::BufferFull { bytes_max: 10 }));
        }
        taken += here.buffer().split().len();
    }
}

#[tokio::test]
async fn a_fill_that_is_dropped_loses_no_byte() {
    let (mut here, mut there) = pair();
    for _ in 0..3 {
        let dropped = tokio::time::timeout(Duration::from_millis(1), here.fill(deadline_in(SOON))).await;
        assert!(dropped.is_err());
    }
    there.write_all(b"whole").await.expect("written");
    here.fill(deadline_in(SOON)).await.expect("read");
    assert_eq!(&here.buffer()[..], b"whole");
}

#[tokio::test]
async fn pieces_arrive_whole_and_in_order_however_many() {
    let (mut here, mut there) = pair();
    let pieces: Vec<Bytes> =
        (0..5_000_u32).map(|n| Bytes::from(format!("{n}\n"))).chain([Bytes::new()]).collect();
    let expected: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
    let reading = tokio::spawn(async move {
        let mut read = Vec::new();
        while there.fill(deadline_in(SOON)).await.is_ok() {
            read.extend_from_slice(there.buffer());
            let length = there.buffer().len();
            there.buffer().advance(length);
        }
        read
    });
    here.write_pieces(&pieces).await.expect("written");
    here.close().await;
    assert_eq!(reading.await.expect("read"), expected);
}

#[tokio::test]
async fn a_pipe_carries_the_calling_role_and_counts_as_secure() {
    let pipes = Pipes::new();
    let mut listener = pipes.listen(LMTPD);
    let calling = pipes.connect(LMTPD, RELAY).await.expect("somebody listens");
    let called = listener.accept().await.expect("a caller");
    assert_eq!(called.identity(), Some(RELAY));
    assert_eq!(calling.identity(), Some(LMTPD));
    assert!(called.is_secure() && called.tls().is_none());
    assert_eq!(called.peer().to_string(), "pipe:relay");
}

#[tokio::test]
async fn a_pipe_that_poses_as_tcp_is_neither_secure_nor_an_identity() {
    let peer = Peer::Tcp(([192, 0, 2, 7], 25).into());
    let (called, _calling) = Connection::pair(peer, LMTPD);
    assert!(!called.is_secure() && called.identity().is_none());
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_the_role() {
    let pipes = Pipes::new();
    let error = pipes.connect(LMTPD, RELAY).await.expect_err("nobody listens");
    assert!(error.to_string().contains("lmtpd"));
    drop(pipes.listen(LMTPD));
    assert!(matches!(pipes.connect(LMTPD, RELAY).await, Err(NetError::NoSuchRole(LMTPD))));
}

#[tokio::test]
async fn a_pipe_session_hears_of_the_stop_between_commands() {
    let (pipes, shutdown) = (Pipes::new(), Shutdown::new());
    let serving = tokio::spawn(pipes.listen(LMTPD).serve(shutdown.clone(), |connection| async move {
        let mut wire = Wire::new(connection);
        while wire.fill_or_stop(deadline_in(SOON)).await.is_ok() {
            let read = wire.buffer().split();
            wire.write_all(&read).await.expect("echoed");
        }
        wire.write_all(b"421 stopping").await.expect("said so");
    }));
    let mut calling = Wire::new(pipes.connect(LMTPD, RELAY).await.expect("it listens"));
    calling.write_all(b"NOOP").await.expect("sent");
    calling.fill(deadline_in(SOON)).await.expect("echo");
    shutdown.ask();
    calling.fill(deadline_in(SOON)).await.expect("the last word");
    assert_eq!(&calling.buffer()[..], b"NOOP421 stopping");
    serving.await.expect("ended");
}
