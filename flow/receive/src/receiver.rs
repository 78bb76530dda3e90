//! The receiving end of a listener.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use address::Domain;
use directory::Directory;
use disk::{BodyWriter, Disk};
use net::{Connection, Network, Peer, TlsAcceptor, Wire};
use smtp::server::ServerSettings;
use smtp::{Extensions, Flavour};
use tracing::Instrument;

use crate::driver::Driver;
use crate::{Role, SessionInfo, auth};

/// How a listener receives.
#[derive(Clone, Debug)]
pub struct ReceiverSettings {
    /// Our name in the greeting and in `Received`.
    pub hostname: String,
    /// The domain of `<Postmaster>`, RFC 5321 4.1.1.3.
    pub domain: Domain,
    /// Where bodies too big for memory are written while they come in. It exists.
    pub body_dir: PathBuf,
    /// Bytes of a body that is kept in memory.
    pub body_memory_bytes_max: usize,
    /// Bytes of the biggest message.
    pub message_bytes_max: u64,
    /// Recipients of one transaction.
    pub recipients_max: usize,
    /// Transactions of one session.
    pub messages_max: usize,
    /// Domains of the recipients of one session.
    pub domains_max: usize,
    /// Protocol errors after which a session is closed.
    pub errors_max: u32,
    /// Senders and recipients refused for good after which a session is closed; not in LMTP.
    pub refusals_max: u32,
    /// Commands that lead to nothing, between two messages, after which a session is closed; not in LMTP.
    pub idle_commands_max: u32,
    /// Time without a command after which a session is closed.
    pub command_time_max: Duration,
    /// Time without a byte of content after which a session is closed.
    pub data_time_max: Duration,
    /// Bytes of content a second, on average over `limits::SMTP_DATA_RATE_WINDOW`, below which a session is closed.
    pub data_rate_bytes_min: u64,
    /// Time after which a session is closed between two messages; not in LMTP, where relays keep their connections.
    pub session_time_max: Duration,
    /// Time for a client to take what is said to it.
    pub reply_time_max: Duration,
    /// Hosts that may say by XCLIENT whom they speak for.
    pub xclient: Vec<Network>,
}

impl Default for ReceiverSettings {
    fn default() -> Self {
        Self {
            hostname: "localhost".into(),
            domain: Domain::parse("localhost").expect("it is one label"),
            body_dir: PathBuf::from("incoming"),
            body_memory_bytes_max: limits::BODY_MEMORY_BYTES_MAX,
            message_bytes_max: limits::MESSAGE_BYTES_MAX,
            recipients_max: limits::SMTP_RECIPIENTS_MAX,
            messages_max: limits::SMTP_MESSAGES_MAX,
            domains_max: usize::MAX,
            errors_max: limits::SMTP_ERRORS_MAX,
            refusals_max: limits::SMTP_REFUSALS_MAX,
            idle_commands_max: limits::SMTP_IDLE_COMMANDS_MAX,
            command_time_max: limits::SMTP_COMMAND_TIME_MAX,
            data_time_max: limits::SMTP_DATA_TIME_MAX,
            data_rate_bytes_min: limits::SMTP_DATA_RATE_BYTES_MIN,
            session_time_max: limits::SMTP_SESSION_TIME_MAX,
            reply_time_max: limits::SMTP_REPLY_TIME_MAX,
            xclient: Vec::new(),
        }
    }
}

impl ReceiverSettings {
    fn server(&self, flavour: Flavour, starttls: bool, auth: Vec<String>) -> ServerSettings {
        let offered = Extensions::ours(self.message_bytes_max);
        let is_trusted = flavour == Flavour::Lmtp;
        let usual = ServerSettings::new(flavour, self.hostname.clone());
        ServerSettings {
            flavour,
            extensions: Extensions { starttls, auth, ..offered },
            auth_required: flavour == Flavour::Submission,
            recipients_max: self.recipients_max,
            // A relay may keep its connection to LMTP for as long as it has mail.
            messages_max: if is_trusted { usize::MAX } else { self.messages_max },
            domains_max: self.domains_max,
            errors_max: self.errors_max,
            refusals_max: if is_trusted { usual.refusals_max } else { self.refusals_max },
            idle_commands_max: if is_trusted { usual.idle_commands_max } else { self.idle_commands_max },
            command_time_max: self.command_time_max,
            data_time_max: self.data_time_max,
            ..usual
        }
    }
}

/// Serves the connections of one listener. Cheap to clone.
pub struct Receiver<R> {
    shared: Arc<Shared<R>>,
}

impl<R> Clone for Receiver<R> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

pub(crate) struct Shared<R> {
    pub(crate) role: R,
    pub(crate) server: Arc<ServerSettings>,
    pub(crate) hostname: Arc<str>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) directory: Option<Arc<dyn Directory>>,
    pub(crate) settings: ReceiverSettings,
    disk: Arc<dyn Disk>,
}

impl<R: Role> Receiver<R> {
    /// A receiver for `role`: with `tls` it offers STARTTLS, with `directory` it offers AUTH on secure connections.
    pub fn new(
        role: R,
        disk: Arc<dyn Disk>,
        tls: Option<TlsAcceptor>,
        directory: Option<Arc<dyn Directory>>,
        settings: ReceiverSettings,
    ) -> Self {
        let mechanisms = if directory.is_some() { auth::mechanisms() } else { vec![] };
        let server = Arc::new(settings.server(R::FLAVOUR, tls.is_some(), mechanisms));
        let hostname = settings.hostname.as_str().into();
        Self { shared: Arc::new(Shared { role, server, hostname, tls, directory, settings, disk }) }
    }

    /// Serves one connection to its end. Whatever happens is logged and counted here.
    pub async fn serve(&self, connection: Connection) {
        let shared = self.shared.clone();
        let session = SessionInfo::new(shared.role.name(), shared.hostname.clone(), &connection);
        let role = session.role;
        let span = tracing::info_span!(
            "session", role, session = %session.id, peer = %session.peer, client = tracing::field::Empty
        );
        metrics::counter!("tartan_receive_sessions_total", "role" => role).increment(1);
        let driver = Driver::new(shared, Wire::new(connection), session);
        Box::pin(driver.serve()).instrument(span).await;
    }
}

impl<R> Shared<R> {
    /// Whether `peer` is a host that may say whom it speaks for.
    pub(crate) fn may_xclient(&self, peer: &Peer) -> bool {
        matches!(peer, Peer::Tcp(address) if Network::any(&self.settings.xclient, address.ip()))
    }

    pub(crate) fn body_writer(&self) -> BodyWriter {
        let ReceiverSettings { body_dir, body_memory_bytes_max, .. } = &self.settings;
        BodyWriter::new(self.disk.clone(), body_dir, *body_memory_bytes_max)
    }
}
