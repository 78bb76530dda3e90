//! What a delivery logs. One test, since the log is the process's.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../flow/receive/tests/client/mod.rs"]
mod client;

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use address::{AccountName, Domain};
use client::Client;
use directory::{Embedded, PasswordSettings};
use disk::{Disk, FaultDisk};
use lmtpd::{Lmtpd, LmtpdSettings};
use mailstore::{Mailstore, MailstoreSettings};
use net::{Connection, Peer, RoleName};
use receive::ReceiverSettings;
use route::{RouteSettings, Router};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn lmtpd() -> Lmtpd {
    let disk: Arc<dyn Disk> = Arc::new(FaultDisk::new());
    let domain = Domain::parse("example.org").unwrap();
    let settings = PasswordSettings::default();
    let directory = Embedded::open(disk.clone(), Path::new("/directory"), domain.clone(), settings).unwrap();
    directory.domain_add(domain.clone()).await.unwrap();
    directory.account_add(AccountName::new("ann", domain.clone()).unwrap(), None, false).await.unwrap();
    let mailstore = Mailstore::open(MailstoreSettings::in_memory("/mailstore"), disk.clone()).unwrap();
    let router = Router::new(Arc::new(directory), RouteSettings::default());
    let receiver =
        ReceiverSettings { hostname: "store.example.org".into(), domain, ..ReceiverSettings::default() };
    Lmtpd::new(router, mailstore, disk, LmtpdSettings { receiver, ..LmtpdSettings::default() })
}

#[tokio::test]
async fn a_delivery_is_logged_with_its_session() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
    let (called, calling) =
        Connection::pair(Peer::Pipe { role: RoleName::new("relay") }, RoleName::new("lmtpd"));
    let lmtpd = lmtpd().await;
    tokio::spawn(async move { lmtpd.serve(called).await });
    let mut client = Client::new(calling);
    client.expect("220").await;
    client.ask("LHLO relay.example.org", "250").await;
    client.ask("MAIL FROM:<>", "250").await;
    client.ask("RCPT TO:<ann@example.org>", "250").await;
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n\r\n.", "250").await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let delivered = log.lines().find(|line| line.contains("delivered")).unwrap_or_else(|| panic!("{log}"));
    assert!(delivered.contains("session=") && delivered.contains("role=\"lmtpd\""), "{delivered}");
}
