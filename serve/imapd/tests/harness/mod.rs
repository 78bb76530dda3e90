//! A real server on a real store, and clients that talk to it.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

pub mod client;
pub mod counting;
pub mod normal;
pub mod pattern;
pub mod run;
pub mod script;
pub mod stage;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use address::{AccountName, Domain};
use directory::{Embedded, PasswordSettings};
use disk::{Disk, FaultDisk};
use imapd::{ImapServer, ImapSettings};
use mailstore::{Mailstore, MailstoreSettings};
use net::{Connection, Peer, Pipes, RoleName, Shutdown, TlsStore, Wire};
use sasl::Password;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

pub const USER: &str = "alice";
pub const USER2: &str = "bob";
pub const PASSWORD: &str = "correct horse";
pub const PASSWORD2: &str = "battery staple";
/// Bytes of a message that the test server takes by APPEND, unless a test says otherwise.
pub const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;

const IMAPD: RoleName = RoleName::new("imapd");
const FRONTEND: RoleName = RoleName::new("frontend");
const CLIENT_BUFFER_BYTES: usize = 8 * 1024 * 1024;

/// The peer of a session over a pipe.
pub fn pipe() -> Peer {
    Peer::Pipe { role: FRONTEND }
}

/// A server with an empty mail store.
#[derive(Clone)]
pub struct House {
    pub server: ImapServer,
    pub store: Mailstore,
}

impl House {
    pub async fn new() -> Self {
        Self::with(settings()).await
    }

    /// In memory.
    pub async fn with(settings: ImapSettings) -> Self {
        Self::on(Arc::new(FaultDisk::new()), Path::new("/"), settings).await
    }

    /// On a disk of the test's, in `dir`.
    pub async fn on(disk: Arc<dyn Disk>, dir: &Path, settings: ImapSettings) -> Self {
        disk.create_dir(&settings.temporary_dir).unwrap();
        let mut store_settings = MailstoreSettings::in_memory(dir.join("store"));
        store_settings.account_mailboxes = Vec::new();
        let store = Mailstore::open(store_settings, disk.clone()).unwrap();
        let tls = Some(tls().acceptor());
        let server = ImapServer::new(store.clone(), directory().await, disk, tls, settings);
        Self { server, store }
    }

    /// A client over a pipe, which nobody else can read.
    pub fn connect(&self) -> Wire {
        self.connect_from(pipe())
    }

    /// A client that the server takes for one on a bare TCP connection.
    pub fn connect_plaintext(&self) -> Wire {
        self.connect_from(Peer::Tcp("192.0.2.7:1143".parse().unwrap()))
    }

    fn connect_from(&self, peer: Peer) -> Wire {
        self.connect_watched(peer).0
    }

    /// A client, and the task of its session.
    pub fn connect_watched(&self, peer: Peer) -> (Wire, JoinHandle<()>) {
        let (called, calling) = Connection::pair(peer, IMAPD);
        let server = self.server.clone();
        let session = tokio::spawn(async move { server.serve(called).await });
        (Wire::new(calling).with_buffer_bytes_max(CLIENT_BUFFER_BYTES), session)
    }

    /// A client, and the means to stop the process that its session believes to run in.
    pub async fn connect_stoppable(&self) -> (Wire, Shutdown) {
        let (pipes, shutdown, server) = (Pipes::new(), Shutdown::new(), self.server.clone());
        let listener = pipes.listen(IMAPD);
        tokio::spawn(listener.serve(shutdown.clone(), move |connection| {
            let server = server.clone();
            async move { server.serve(connection).await }
        }));
        let connection = pipes.connect(IMAPD, FRONTEND).await.unwrap();
        (Wire::new(connection), shutdown)
    }
}

pub fn settings() -> ImapSettings {
    ImapSettings {
        temporary_dir: PathBuf::from("/tmp"),
        message_bytes_max: MESSAGE_BYTES_MAX,
        login_time_max: Duration::from_secs(60),
        ..ImapSettings::default()
    }
}

pub fn account(name: &str) -> AccountName {
    AccountName::new(name, domain()).unwrap()
}

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

/// One certificate for all tests.
pub fn tls() -> &'static TlsStore {
    static TLS: OnceLock<(tempfile::TempDir, TlsStore)> = OnceLock::new();
    let (_, store) = TLS.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let store = TlsStore::self_signed(dir.path(), &["localhost".to_owned()]).unwrap();
        (dir, store)
    });
    store
}

/// One directory for all tests: they change nothing in it.
async fn directory() -> Arc<Embedded> {
    static DIRECTORY: OnceCell<Arc<Embedded>> = OnceCell::const_new();
    DIRECTORY.get_or_init(directory_open).await.clone()
}

async fn directory_open() -> Arc<Embedded> {
    let passwords = PasswordSettings {
        argon2_memory_kib: 64,
        argon2_passes: 1,
        scram_iterations: 4_096,
        ..PasswordSettings::default()
    };
    let disk = Arc::new(FaultDisk::new());
    let directory = Embedded::open(disk, Path::new("/directory"), domain(), passwords).unwrap();
    directory.domain_add(domain()).await.unwrap();
    for (name, password) in [(USER, PASSWORD), (USER2, PASSWORD2)] {
        let password = Password::new(password).unwrap();
        directory.account_add(account(name), Some(&password), false).await.unwrap();
    }
    Arc::new(directory)
}
