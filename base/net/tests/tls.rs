//! TLS: STARTTLS, certificates by SNI, reload in place.

use net::{CertificateFiles, ClientTls, Connection, NetError, Peer, RoleName, TlsAcceptor, TlsStore, Wire};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
const MX: RoleName = RoleName::new("mx");

fn pair() -> (Connection, Connection) {
    Connection::pair(Peer::Tcp(([192, 0, 2, 7], 40_000).into()), MX)
}

fn certificate(dir: &Path, name: &str) -> CertificateFiles {
    CertificateFiles::self_signed(&dir.join(name), &[name.to_owned()]).expect("generated")
}

/// Both handshakes; the error is the client's.
async fn shake(acceptor: &TlsAcceptor, client: &ClientTls, name: &str) -> Result<(Wire, Wire), NetError> {
    let (server, caller) = pair();
    let (server, caller) = tokio::join!(acceptor.accept(server), client.connect(caller, name));
    let caller = caller?;
    Ok((Wire::new(server.expect("the client is content")), Wire::new(caller)))
}

/// Passes a line from one to the other.
async fn pass(from: &mut Wire, to: &mut Wire) {
    from.write_all(b"a line\r\n").await.expect("written");
    from.flush().await.expect("flushed");
    to.fill(net::deadline_in(SOON)).await.expect("read");
    assert_eq!(&to.buffer().split()[..], b"a line\r\n");
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name_and_the_first_is_the_default() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (certificate(dir.path(), "one.test"), certificate(dir.path(), "two.test"));
    let store = TlsStore::open(vec![first.clone(), second.clone()]).expect("usable");
    let (trusts_one, trusts_two) = (verified(&first), verified(&second));
    shake(&store.acceptor(), &trusts_one, "one.test").await.expect("the first by name");
    shake(&store.acceptor(), &trusts_two, "two.test").await.expect("the second by name");
    let wrong = shake(&store.acceptor(), &trusts_two, "three.test").await;
    assert!(matches!(wrong, Err(NetError::Tls(_))), "the default is not valid for another name");
    let any = ClientTls::opportunistic();
    let (server, _client) = shake(&store.acceptor(), &any, "three.test").await.expect("any will do");
    assert_eq!(server.connection().tls().expect("TLS is on").sni.as_deref(), Some("three.test"));
}

fn verified(files: &CertificateFiles) -> ClientTls {
    ClientTls::verified(&files.chain).expect("usable as a root")
}

#[tokio::test]
async fn tls_carries_bytes_both_ways_and_says_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = certificate(dir.path(), "one.test");
    let store = TlsStore::open(vec![files.clone()]).expect("usable");
    let (mut server, mut client) =
        shake(&store.acceptor(), &verified(&files), "one.test").await.expect("shaken");
    pass(&mut server, &mut client).await;
    pass(&mut client, &mut server).await;
    let tls = server.connection().tls().expect("TLS is on");
    assert_eq!(tls.version, "TLSv1.3");
    assert!(tls.cipher.starts_with("TLS13_AES"), "{}", tls.cipher);
    assert!(server.connection().is_secure());
    server.close().await;
    assert!(matches!(client.fill(net::deadline_in(SOON)).await, Err(NetError::Closed)));
}

#[tokio::test]
async fn nothing_read_before_starttls_survives_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = TlsStore::self_signed(dir.path(), &["one.test".to_owned()]).expect("generated");
    let (server, client) = pair();
    let (mut server, mut client) = (Wire::new(server), Wire::new(client));
    client.write_all(b"STARTTLS\r\nMAIL FROM:<attacker@example.com>\r\n").await.expect("sent in one");
    server.fill(net::deadline_in(SOON)).await.expect("read in one");
    let _command = server.buffer().split_to(b"STARTTLS\r\n".len());
    let refused = server.start_tls(&store.acceptor()).await;
    assert!(matches!(refused, Err(NetError::PlaintextAfterStartTls)));
}

#[tokio::test]
async fn starttls_upgrades_a_wire_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = TlsStore::self_signed(dir.path(), &["one.test".to_owned()]).expect("generated");
    let (server, client) = pair();
    let (acceptor, any) = (store.acceptor(), ClientTls::opportunistic());
    let (server, client) = tokio::join!(
        Wire::new(server).start_tls(&acceptor),
        Wire::new(client).start_tls_client(&any, "one.test")
    );
    let (mut server, mut client) = (server.expect("shaken"), client.expect("shaken"));
    pass(&mut server, &mut client).await;
    assert!(matches!(server.start_tls(&acceptor).await, Err(NetError::AlreadySecure)));
}

#[tokio::test]
async fn changed_files_serve_new_handshakes_and_leave_sessions_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = certificate(dir.path(), "one.test");
    let store = TlsStore::open(vec![files.clone()]).expect("usable");
    let (mut server, mut client) =
        shake(&store.acceptor(), &verified(&files), "one.test").await.expect("shaken");
    let renewed = certificate(&dir.path().join("renewed"), "one.test");
    let trusts_renewed = verified(&renewed);
    fs::rename(&renewed.key, &files.key).expect("moved");
    fs::rename(&renewed.chain, &files.chain).expect("moved");
    reloaded(&store, &trusts_renewed).await;
    pass(&mut server, &mut client).await;
}

#[tokio::test]
async fn other_files_are_used_and_watched_after_a_replacement() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = TlsStore::open(vec![certificate(&dir.path().join("a"), "one.test")]).expect("usable");
    let other = certificate(&dir.path().join("b"), "one.test");
    store.replace(vec![other.clone()]).expect("usable");
    shake_once(&store, &verified(&other)).await.expect("the other one is in use");
    let renewed = certificate(&dir.path().join("c"), "one.test");
    let trusts_renewed = verified(&renewed);
    fs::rename(&renewed.key, &other.key).expect("moved");
    fs::rename(&renewed.chain, &other.chain).expect("moved");
    reloaded(&store, &trusts_renewed).await;
}

/// Waits until the store shows a certificate that the client trusts.
async fn reloaded(store: &TlsStore, client: &ClientTls) {
    let deadline = net::deadline_in(SOON);
    while shake_once(store, client).await.is_err() {
        assert!(net::Instant::now() < deadline, "the files were not reloaded");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As `shake`, where either side may fail.
async fn shake_once(store: &TlsStore, client: &ClientTls) -> Result<(), NetError> {
    let (server, caller) = pair();
    let acceptor = store.acceptor();
    let (server, caller) = tokio::join!(acceptor.accept(server), client.connect(caller, "one.test"));
    server.and(caller).map(drop)
}

#[tokio::test]
async fn a_half_renewed_pair_leaves_the_old_certificate_in_use() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = certificate(dir.path(), "one.test");
    let store = TlsStore::open(vec![files.clone()]).expect("usable");
    let trusts_old = verified(&files);
    fs::write(&files.chain, "not a certificate").expect("written");
    let error = store.reload().expect_err("unusable");
    assert!(error.to_string().contains("certificate.pem"), "{error}");
    shake_once(&store, &trusts_old).await.expect("the old one is in use");
}

#[tokio::test]
async fn a_broken_certificate_does_not_keep_the_others_from_being_renewed() {
    let dir = tempfile::tempdir().expect("a directory");
    let [broken, kept] = ["other.test", "one.test"].map(|name| certificate(dir.path(), name));
    let store = TlsStore::open(vec![broken.clone(), kept.clone()]).expect("usable");
    fs::write(&broken.chain, "not a certificate").expect("written");
    let renewed = certificate(&dir.path().join("renewed"), "one.test");
    let trusts_renewed = verified(&renewed);
    fs::rename(&renewed.key, &kept.key).expect("moved");
    fs::rename(&renewed.chain, &kept.chain).expect("moved");
    store.reload().expect_err("one is unusable");
    shake_once(&store, &trusts_renewed).await.expect("the new one is in use");
}

#[tokio::test]
async fn a_self_signed_certificate_is_made_once_and_its_key_is_private() {
    let dir = tempfile::tempdir().expect("a directory");
    let names = ["one.test".to_owned(), "127.0.0.1".to_owned()];
    let files = CertificateFiles::self_signed(dir.path(), &names).expect("generated");
    let key = fs::read(&files.key).expect("a key");
    let mode = fs::metadata(&files.key).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = CertificateFiles::self_signed(dir.path(), &names).expect("kept");
    assert_eq!(fs::read(&again.key).expect("a key"), key);
    let store = TlsStore::open(vec![again]).expect("usable");
    shake(&store.acceptor(), &verified(&files), "127.0.0.1").await.expect("valid for an address");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_shakes_hands_is_dropped_in_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = TlsStore::self_signed(dir.path(), &["one.test".to_owned()]).expect("generated");
    let (server, _silent) = pair();
    assert!(matches!(store.acceptor().accept(server).await, Err(NetError::Timeout(_))));
}

#[test]
fn a_store_without_certificates_is_refused() {
    assert!(matches!(TlsStore::open(Vec::new()), Err(NetError::Certificate { .. })));
}
