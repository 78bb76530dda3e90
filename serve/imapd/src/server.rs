//! The handle by which a listener runs sessions.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, for_session};
use disk::Disk;
use imap::Quirks;
use mailstore::Mailstore;
use net::{Connection, TlsAcceptor};
use telemetry::SessionId;
use tracing::Instrument;

use crate::bodies::Bodies;
use crate::search::SearchPool;
use crate::session::Session;

/// Settings of an IMAP server.
#[derive(Clone, Debug)]
pub struct ImapSettings {
    /// Where messages above [`limits::BODY_MEMORY_BYTES_MAX`] are kept while they come in. It must exist;
    /// sweep it with [`disk::temporary_sweep`] at start.
    pub temporary_dir: PathBuf,
    /// Bytes of a message that APPEND takes.
    pub message_bytes_max: u64,
    /// Time from the greeting, or from STARTTLS, to the login.
    pub login_time_max: Duration,
    /// Quirks that every session has.
    pub quirks: Quirks,
    /// Whether a client that says by ID who it is gets the quirks that are known of it.
    pub quirks_by_client: bool,
    /// Time without a command, and of one IDLE, after the login (RFC 3501 5.4 asks for 30 minutes).
    pub idle_time_max: Duration,
}

impl Default for ImapSettings {
    fn default() -> Self {
        Self {
            temporary_dir: PathBuf::from("tmp"),
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            quirks: Quirks::NONE,
            quirks_by_client: true,
            login_time_max: limits::IMAP_LOGIN_TIME_MAX,
            idle_time_max: limits::IMAP_IDLE_TIME_MAX,
        }
    }
}

/// Serves IMAP on the connections it is given. Cheap to clone.
#[derive(Clone)]
pub struct ImapServer {
    mailstore: Mailstore,
    directory: Arc<dyn Directory>,
    bodies: Bodies,
    tls: Option<TlsAcceptor>,
    searches: SearchPool,
    settings: ImapSettings,
}

impl ImapServer {
    /// A server of the messages in `mailstore` to the accounts of `directory`. `disk` holds what comes in by
    /// APPEND until the store has it. Without `tls` there is no STARTTLS.
    pub fn new(
        mailstore: Mailstore,
        directory: Arc<dyn Directory>,
        disk: Arc<dyn Disk>,
        tls: Option<TlsAcceptor>,
        settings: ImapSettings,
    ) -> Self {
        let bodies = Bodies::new(disk, settings.temporary_dir.clone(), settings.message_bytes_max);
        let searches = SearchPool::new(limits::IMAP_SEARCHES_AT_ONCE_MAX);
        Self { mailstore, directory, bodies, tls, searches, settings }
    }

    /// Runs one session to its end: LOGOUT, a time-out, a stop of the process, or the loss of the connection.
    pub async fn serve(&self, connection: Connection) {
        let id = SessionId::next();
        let span = tracing::info_span!("imap", session = %id, peer = %connection.peer());
        let address = connection.peer().ip();
        let session = Session::new(
            connection,
            self.mailstore.clone(),
            for_session(&self.directory, address),
            self.bodies.clone(),
            self.tls.clone(),
            self.searches.clone(),
            self.settings.clone(),
        );
        session.run().instrument(span).await;
    }
}
